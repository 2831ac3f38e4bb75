"""Text from strangers in Markdown."""

import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:^&])")


def plain(text: str) -> str:
    """The text on one line, with every mark of Markdown shown as itself."""
    return _MARKDOWN.sub(r"\\\1", text).replace("\n", " ")
