"""Models: the catalogue, where their files come from, adapters, and loading."""
