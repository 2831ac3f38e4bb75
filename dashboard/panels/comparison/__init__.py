"""Parts of the comparison of two models."""
