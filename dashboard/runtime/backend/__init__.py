"""How the runtime does its work on this machine: threads, shelves, live models and traces. Not for pages."""
