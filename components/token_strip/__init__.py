"""The text itself, token by token, coloured by a value."""
