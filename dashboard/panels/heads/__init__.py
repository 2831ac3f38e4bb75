"""Parts about attention heads: atlas, map, scores, comparison, clusters, lines."""
