"""One number for each head. One file a score; the registry in `score` finds it."""
