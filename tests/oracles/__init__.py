"""Slow, independent answers that the engine must agree with: loops over eager attention, nothing from the engine."""
