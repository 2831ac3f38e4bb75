"""An image under a grid of patches, each tinted by its value."""
