"""Parts about how far an attribution can be believed."""
