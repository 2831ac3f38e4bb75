"""Two sentences, one under the other, and a line from each target word to the source word that it attends to most."""
