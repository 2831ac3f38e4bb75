"""How long work tells how far it is, and how it is stopped."""

from collections.abc import Callable

Progress = Callable[[str, float | None], None]
"""Called with a message and the fraction done (0 to 1, or None when unknown); may raise `errors.Cancelled`."""


def silent(message: str, fraction: float | None) -> None:
    """A progress callback that shows nothing."""
