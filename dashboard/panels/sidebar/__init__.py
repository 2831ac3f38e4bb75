"""The sidebar: the model, how it is loaded, and where it stands."""
