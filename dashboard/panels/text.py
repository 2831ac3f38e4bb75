"""Words and numbers as every panel writes them, and tokens as components take them."""

import re
from typing import TYPE_CHECKING

from components.tokens import TokenLabel

if TYPE_CHECKING:
    from dashboard.engine import Token

_MINUTE = 60
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:^&])")


def plain(text: str) -> str:
    """Text from strangers, safe inside Streamlit's markdown: every mark shows as itself."""
    return _MARKDOWN.sub(r"\\\1", text).replace("\n", " ")


def quoted(token: "Token", limit: int = 24) -> str:
    """A token in a sentence, in quotation marks, safe inside markdown."""
    text = token.text if len(token.text) <= limit else token.text[: limit - 1] + "…"
    return f"“{plain((' ' if token.space else '') + text)}”"


def label(token: "Token") -> TokenLabel:
    """A token as components draw it."""
    return TokenLabel(token.text, token.space, token.special, token.part)


def number(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}"


def percent(share: float) -> str:
    """A share of one, in per cent, with three significant digits."""
    return f"{share * 100:.3g} %"


def bytes_text(n_bytes: float) -> str:
    """A size in memory, rounded for reading."""
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"


def duration(seconds: float) -> str:
    """A time, rounded for reading."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 60 * _MINUTE else f"{seconds / 60 / _MINUTE:.1f} h"
