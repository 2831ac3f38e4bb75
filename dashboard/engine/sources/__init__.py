"""Where weights come from: one file a source, each giving a folder that `from_pretrained` can open."""

from collections.abc import Callable

# Called with a message and the fraction done (0 to 1, or None when unknown); may raise `errors.Cancelled`.
Progress = Callable[[str, float | None], None]


def silent(message: str, fraction: float | None) -> None:
    """A progress callback that shows nothing."""
