"""Memory beside eager attention; slow, because eager is."""

import pytest

from dashboard.commands import measurements


@pytest.mark.slow
def test_eight_times_less_memory_at_2048_tokens(device: str) -> None:
    """Memory, not time: machines are shared. The largest difference of all weights is measured in the same run."""
    (row,) = measurements.measure("smollm2", [2048], lambda message, fraction: None, device, "float32")
    assert row["times less memory"] >= 8
    assert row["largest difference"] < 1e-5
