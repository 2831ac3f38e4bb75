"""Parts in which an input is given, and what became of it."""
