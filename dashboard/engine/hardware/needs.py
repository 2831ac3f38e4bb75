"""How much memory and time something takes, as a value."""

from dataclasses import dataclass

from dashboard.engine.formatting import bytes_text, duration


@dataclass(frozen=True)
class Needs:
    """What something will take, beside what there is.

    Attributes:
        weight_bytes: The model's weights as they will lie (or lie) in memory.
        peak_bytes: Most memory taken at once, on top of what is in use now.
        free_bytes: What can still be taken on the device.
        fits: Whether it may start.
        advice: What would fit, one sentence; empty where it fits.
        seconds: How long it will take, judged by the last time; None where there was none.
    """

    weight_bytes: int
    peak_bytes: int
    free_bytes: int
    fits: bool
    advice: str
    seconds: float | None = None

    def __str__(self) -> str:
        """As progress says it: "about 5 s, 416 MB of 18.2 GB free"."""
        pace = "" if self.seconds is None else f"about {duration(self.seconds)}, "
        return f"{pace}{bytes_text(self.peak_bytes)} of {bytes_text(self.free_bytes)} free"
