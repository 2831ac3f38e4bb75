"""What is said in a chat. Needs no torch, so that pages can hold it before the engine is there."""

from dataclasses import dataclass
from typing import Any

from typing_extensions import TypeIs


@dataclass(frozen=True)
class Message:
    """What one side says; templates know the roles "system", "user" and "assistant", some also others."""

    role: str
    content: str


Words = str | tuple[str, str] | tuple[Message, ...]
"""One text, the two of a pair, or the messages of a chat."""


def is_chat(given: Any) -> TypeIs[tuple[Message, ...]]:
    """Whether this is the messages of a chat, not a text or a pair of texts."""
    return isinstance(given, tuple) and bool(given) and all(isinstance(message, Message) for message in given)
