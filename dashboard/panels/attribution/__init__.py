"""Parts about attribution: which method is asked, and its scores as strips, words or an image."""
