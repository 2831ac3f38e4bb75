"""The parts that pages are put together from: read controls, ask runtime, hand arrays to components."""
