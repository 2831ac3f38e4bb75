"""Query tokens at the left, key tokens at the right, and a line for each strong weight of the chosen heads."""
