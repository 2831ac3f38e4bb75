"""A chat's tokens with its roles, as a template writes them: for the gallery that draws them and its tests."""

from __future__ import annotations

import numpy as np

from components.tokens import TokenLabel

_MESSAGES = [
    ("system", "You are a helpful AI assistant named SmolLM , trained by Hugging Face"),
    ("user", "My sister moved to the capital of France last year . Which river runs through the city she lives in ?"),
    ("assistant", "Your sister lives in Paris , and the river that runs through it is the Seine ."),
    ("user", "And how long is it ? Answer in one short sentence , please , with the number of kilometres ."),
    ("assistant", ""),
]


def _message(role: str, content: str) -> list[TokenLabel]:
    words = [TokenLabel(word, space=at > 0) for at, word in enumerate(content.split())]
    end = [TokenLabel("<|im_end|>", special=True), TokenLabel("↵")] if content else []
    return [TokenLabel("<|im_start|>", special=True), TokenLabel(role), TokenLabel("↵"), *words, *end]


CHAT: list[TokenLabel] = []
BANDS: list[tuple[int, int, str]] = []
for _role, _content in _MESSAGES:
    _tokens = _message(_role, _content)
    BANDS.append((len(CHAT), len(CHAT) + len(_tokens), _role))
    CHAT += _tokens
VALUES = np.sin(np.arange(len(CHAT), dtype="f4") * 1.7) ** 5
