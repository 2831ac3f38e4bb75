"""What is found out about heads: patterns, similarity, clusters, drift, importance, query and key."""
