"""From a query and the keys to the weights: every product of the dot product, for one head and one token."""
