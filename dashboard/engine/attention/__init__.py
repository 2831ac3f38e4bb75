"""Attention weights: captured in a forward pass, rebuilt exactly, verified, and pooled for the screen."""
