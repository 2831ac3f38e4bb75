"""How long work tells how far it is, and how it is stopped."""

from collections.abc import Callable

Progress = Callable[[str, float | None], None]
"""Called with a message and the fraction done (0 to 1, or None when unknown); may raise `errors.Cancelled`."""


def silent(message: str, fraction: float | None) -> None:
    """A progress callback that shows nothing."""


def part_of(progress: Progress, start: float, stop: float) -> Progress:
    """Progress of one step of a longer work: its 0 to 1 is told as `start` to `stop`."""

    def tell(message: str, fraction: float | None) -> None:
        progress(message, None if fraction is None else start + (stop - start) * fraction)

    return tell
