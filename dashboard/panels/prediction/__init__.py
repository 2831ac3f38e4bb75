"""Parts about what the model says."""
