"""Small edits of a text that hardly change what it says, and a paraphrase of the user's own."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import regex

from dashboard.engine.errors import InvalidInput

Span = tuple[int, int]

_MARK = r"\[[A-Z]+\]|<[^<>\s]+>"
"""Special tokens as people write them: [MASK], <mask>, <|im_start|>. No edit touches them."""
_WORD = regex.compile(rf"(?P<mark>{_MARK})|(?P<word>[\p{{L}}\p{{M}}\p{{N}}_]+(?:['’][\p{{L}}\p{{M}}\p{{N}}_]+)*)")
_PUNCTUATION = re.compile(r"[,.;:!?]")
_SHORTEST_FOR_TYPO = 3


@dataclass(frozen=True)
class Edit:
    """A changed text.

    Attributes:
        name: For the API and tables.
        title: For people.
        text: The changed text.
        spans: First and one past the last changed character, in the changed text; empty spans where something went.
        description: What was changed, one sentence.
    """

    name: str
    title: str
    text: str
    spans: tuple[Span, ...]
    description: str


def edits(text: str, seed: int = 0) -> tuple[Edit, ...]:
    """One small edit of each kind that this text allows; the same for the same text and seed.

    Special tokens written in the text, such as [MASK], stay as they are.

    Source: kinds of edits as in CheckList's robustness tests (Ribeiro et al. 2020) and in Belinkov & Bisk 2018 (swapped
    letters).
    """
    words = [match.span() for match in _WORD.finditer(text) if match["word"]]
    found: list[Edit] = []
    for index, make in enumerate(_KINDS):
        # Strings seed the same on every machine; a generator for each kind keeps them apart.
        edit = make(text, words, random.Random(f"{seed} {index} {text}"))
        if edit is not None and edit.text != text and edit.text.strip():
            found.append(edit)
    return tuple(found)


def paraphrase(text: str, reworded: str) -> Edit:
    """The user's own rewording as an edit.

    Raises:
        InvalidInput: It is empty or the same text.
    """
    if not reworded.strip():
        raise InvalidInput("There is no paraphrase.", "Write the text in other words.")
    if reworded.strip() == text.strip():
        raise InvalidInput("The paraphrase is the text itself.", "Write it in other words.")
    return Edit("paraphrase", "Paraphrase", reworded, ((0, len(reworded)),), "The text in the user's own words.")


def _replaced(text: str, start: int, stop: int, new: str) -> tuple[str, tuple[Span, ...]]:
    return text[:start] + new + text[stop:], ((start, start + len(new)),)


def _typo(text: str, words: list[Span], chooser: random.Random) -> Edit | None:
    for start, stop in sorted(words, key=lambda span: span[0] - span[1]):  # the longest first, else the first
        swaps = [
            at
            for at in range(start + 1, stop - 1)
            if text[at] != text[at + 1] and text[at].isalpha() and text[at + 1].isalpha()
        ]
        if stop - start >= _SHORTEST_FOR_TYPO and swaps:
            at = chooser.choice(swaps)
            changed, spans = _replaced(text, at, at + 2, text[at + 1] + text[at])
            typed = changed[start:stop]
            return Edit("typo", "Typo", changed, spans, f"“{text[start:stop]}” is typed “{typed}”.")
    return None


def _case(text: str, words: list[Span], chooser: random.Random) -> Edit | None:
    candidates = [
        start for start, _ in words if len(text[start].swapcase()) == 1 and text[start].swapcase() != text[start]
    ]
    if not candidates:
        return None
    at = chooser.choice(candidates)
    changed, spans = _replaced(text, at, at + 1, text[at].swapcase())
    return Edit("case", "Other case", changed, spans, f"“{text[at]}” becomes “{changed[at]}”.")


def _lower(text: str, words: list[Span], chooser: random.Random) -> Edit | None:
    changed = list(text)
    for start, stop in words:
        for at in range(start, stop):
            if len(text[at].lower()) == 1:
                changed[at] = text[at].lower()
    spans = tuple((at, at + 1) for at, (old, new) in enumerate(zip(text, changed, strict=True)) if old != new)
    return Edit("lower", "All lower case", "".join(changed), spans, "Every letter is small.")


def _drop(text: str, words: list[Span], chooser: random.Random) -> Edit | None:
    if len(words) < 2:
        return None
    start, stop = chooser.choice(words)
    # One space goes with the word: the one before it, or after it at the beginning.
    first = start - 1 if start > 0 and text[start - 1] == " " else start
    last = stop + 1 if first == start and text[stop : stop + 1] == " " else stop
    changed, spans = _replaced(text, first, last, "")
    return Edit("drop", "Word dropped", changed, spans, f"“{text[start:stop]}” is left out.")


def _swap(text: str, words: list[Span], chooser: random.Random) -> Edit | None:
    pairs = [
        (one, other)
        for one, other in pairwise(words)
        if text[one[1] : other[0]] == " " and text[slice(*one)] != text[slice(*other)]
    ]
    if not pairs:
        return None
    (start, middle), (second, stop) = chooser.choice(pairs)
    changed, spans = _replaced(text, start, stop, f"{text[second:stop]} {text[start:middle]}")
    said = f"“{text[start:middle]}” and “{text[second:stop]}” change places."
    return Edit("swap", "Words swapped", changed, spans, said)


def _punctuation(text: str, words: list[Span], chooser: random.Random) -> Edit | None:
    marks = [match.start() for match in _PUNCTUATION.finditer(text) if not _inside_mark(text, match.start())]
    if marks:
        at = chooser.choice(marks)
        changed, spans = _replaced(text, at, at + 1, "")
        return Edit("punctuation", "Punctuation", changed, spans, f"“{text[at]}” is left out.")
    ends = [stop for _, stop in words[:-1] if text[stop : stop + 1] == " "]
    if not ends:
        return None
    at = chooser.choice(ends)
    changed, spans = _replaced(text, at, at, ",")
    return Edit("punctuation", "Punctuation", changed, spans, "A comma is added.")


def _inside_mark(text: str, at: int) -> bool:
    return any(first <= at < stop for first, stop in _marks(text))


def _marks(text: str) -> Iterator[Span]:
    return (match.span() for match in re.finditer(_MARK, text))


_KINDS: tuple[Callable[[str, list[Span], random.Random], Edit | None], ...] = (
    _typo,
    _case,
    _lower,
    _drop,
    _swap,
    _punctuation,
)
