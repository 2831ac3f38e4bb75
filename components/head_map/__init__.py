"""Layers down, heads across: one small matrix coloured by a score."""
