"""A token as it is drawn: the same way on an axis, in a strip, beside a bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PARTS = ("", "start", "middle", "end")


@dataclass(frozen=True)
class TokenLabel:
    """One token's readable text and how it is marked.

    Attributes:
        text: readable text without its leading space; a newline is already "↵", a tab "⇥".
        space: the token begins with a space, shown as a quiet mark.
        special: a token of the model's own, such as `<s>` or `[CLS]`, shown as a small tag.
        part: "" or, when one character is spread over several tokens, which piece this is: "start", "middle"
            or "end"; `text` is then the whole character.
    """

    text: str
    space: bool = False
    special: bool = False
    part: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for an unknown `part`."""
        if self.part not in PARTS:
            raise ValueError(f"part is one of {PARTS}, not {self.part!r}")


def to_columns(labels: Sequence[TokenLabel]) -> dict[str, Any]:
    """The labels for a JSON header: texts, and a hexadecimal digit of marks each (1 space, 2 special, 4 × part)."""
    marks = (label.space + 2 * label.special + 4 * PARTS.index(label.part) for label in labels)
    return {"text": [label.text for label in labels], "marks": "".join(f"{mark:x}" for mark in marks)}
