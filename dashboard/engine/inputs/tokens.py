"""Tokens as a person reads them: decoded text, words, special tokens, character offsets.

A tokenizer's own pieces are not readable ("Ġcafé" is stored as "ĠcafÃ©", one emoji is three pieces of two bytes).
Every piece is turned back into bytes, and pieces that share a character are shown as that character, in parts.
"""

import codecs
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import regex

Part = Literal["", "start", "middle", "end"]

_SYMBOLS = {"\n": "↵", "\r": "␍", "\t": "⇥"}
_BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
# A word is a run of letters, marks and digits, with inner apostrophes; anything else visible is one character as people
# see it (\X is a grapheme cluster, so a family emoji is one).
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}_]+(?:['’][\p{L}\p{M}\p{N}_]+)*|(?!\s)\X")


@dataclass(frozen=True)
class Token:
    """One token of the input.

    Attributes:
        text: Readable text, without its leading space; ↵ and ⇥ for newline and tab. A character spread over several
            tokens is given whole to each of them.
        id: Vocabulary index.
        start: First character in the input text; equal to `end` for tokens that are not in the text.
        end: One past the last character.
        word: Index of the word that the token belongs to. A special token is a word of its own.
        special: Added by the tokenizer, or one of its control tokens.
        space: A space stands before it.
        part: Which part of a character it is, "" when it holds whole characters.
        segment: 0 in the first text of a pair (or the only one), 1 in the second.
    """

    text: str
    id: int
    start: int
    end: int
    word: int
    special: bool
    space: bool = False
    part: Part = ""
    segment: int = 0


@cache
def _byte_of_symbol() -> dict[str, int]:
    """The printable stand-ins that byte-level tokenizers use for bytes (Radford et al. 2019)."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    table = {chr(byte): byte for byte in printable}
    table.update({chr(256 + i): byte for i, byte in enumerate(b for b in range(256) if b not in printable)})
    return table


@cache
def _byte_of_code() -> dict[str, int]:
    """Each byte as the character of that number (ByT5)."""
    return {chr(byte): byte for byte in range(256)}


def _piece_bytes(piece: str, table: dict[str, int] | None) -> bytes:
    """The text that one vocabulary piece stands for, as UTF-8; a "▁" is a leading space (SentencePiece).

    Args:
        piece: As the tokenizer has it.
        table: The byte of each character, where characters stand for bytes.
    """
    if table is not None:
        if all(symbol in table for symbol in piece):
            return bytes(table[symbol] for symbol in piece)
        return piece.encode()
    if match := _BYTE_PIECE.fullmatch(piece):
        return bytes([int(match[1], 16)])
    return piece.replace("▁", " ").encode()


def _byte_table(tokenizer: Any) -> dict[str, int] | None:
    """The byte of each character of a piece, for tokenizers whose characters stand for bytes."""
    if not tokenizer.is_fast:
        return _byte_of_code() if tokenizer.tokenize("é") == ["Ã", "©"] else None
    decoder = tokenizer.backend_tokenizer.decoder
    return _byte_of_symbol() if decoder is not None and b"ByteLevel" in decoder.__getstate__() else None


def decoded_pieces(tokenizer: Any, pieces: Sequence[str]) -> list[tuple[str, Part]]:
    """Text and part of each piece that a tokenizer cut a text into; pieces that share a character get it whole."""
    table = _byte_table(tokenizer)
    return _decode([_piece_bytes(piece, table) for piece in pieces])


def _decode(pieces: Sequence[bytes]) -> list[tuple[str, Part]]:
    """Text and part of each piece; pieces that share a character all get the characters that they share.

    Invariant: the texts of pieces without a part, and of one piece of each group, join to the decoded whole.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    texts: list[tuple[str, Part]] = []
    group: list[str] = []  # what decoding gave so far, one entry for each piece of an unfinished character
    for piece in pieces:
        group.append(decoder.decode(piece))
        if decoder.getstate()[0]:  # bytes of an unfinished character are pending
            continue
        texts.extend(_name_parts(group))
        group = []
    if group:
        group[-1] += decoder.decode(b"", final=True)
        texts.extend(_name_parts(group))
    return texts


def _name_parts(group: list[str]) -> list[tuple[str, Part]]:
    if len(group) == 1:
        return [(group[0], "")]
    whole = "".join(group)
    return [(whole, "start"), *[(whole, "middle")] * (len(group) - 2), (whole, "end")]  # type: ignore[list-item]


def _readable(text: str) -> tuple[str, bool]:
    """The text to show, and whether a space stood before it."""
    space = len(text) > 1 and text[0] == " " and text[1] != " "
    shown = text[1:] if space else text
    if shown and not shown.strip(" "):
        shown = "␣" * len(shown)
    return "".join(_symbol(character) for character in shown), space


def _symbol(character: str) -> str:
    """Characters that would be invisible get a name."""
    if character in _SYMBOLS:
        return _SYMBOLS[character]
    invisible = unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"}
    return f"U+{ord(character):04X}" if invisible else character


def _words(text: str, spans: Sequence[tuple[int, int]], special: Sequence[bool]) -> list[int]:
    """Word index of each token: runs of letters and digits, single punctuation marks, special tokens alone."""
    found = list(_WORD.finditer(text))
    words, at, current = [], 0, -1
    last: object = None
    for index, ((start, end), is_special) in enumerate(zip(spans, special, strict=True)):
        start += len(text[start:end]) - len(text[start:end].lstrip())
        while at < len(found) and found[at].end() <= start:
            at += 1
        inside = at < len(found) and found[at].start() < end and start < end and not is_special
        name = ("word", at) if inside else ("alone", index)
        if name != last:
            current += 1
        last = name
        words.append(current)
    return words


def special_ids(tokenizer: Any) -> set[int]:
    """Vocabulary indices of control tokens, those among the added tokens too (chat marks)."""
    added = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    return added | set(tokenizer.all_special_ids)


def _encoded_pieces(tokenizer: Any, ids: Sequence[int]) -> tuple[list[bytes], list[bool]]:
    """What each token stands for, as UTF-8, and whether it is special."""
    control = special_ids(tokenizer)
    special = [token in control for token in ids]
    table = _byte_table(tokenizer)
    # Some models have more entries than their tokenizer has names for: those are shown by their number.
    found = tokenizer.convert_ids_to_tokens(list(ids))
    pieces = [f"<{token}>" if piece is None else piece for token, piece in zip(ids, found, strict=True)]
    encoded = [
        piece.encode() if is_special else _piece_bytes(piece, table)
        for piece, is_special in zip(pieces, special, strict=True)
    ]
    return encoded, special


def read_tokens(
    tokenizer: Any,
    text: str,
    ids: Sequence[int],
    offsets: Sequence[tuple[int, int]],
    segments: Sequence[int] | None = None,
) -> tuple[Token, ...]:
    """Readable tokens of an encoded text.

    Args:
        tokenizer: Of transformers.
        text: What was encoded.
        ids: Vocabulary indices.
        offsets: First and one past the last character of each token.
        segments: Which text of a pair each token belongs to; by default there is one text.
    """
    encoded, special = _encoded_pieces(tokenizer, ids)
    words = _words(text, offsets, special)
    segments = segments or [0] * len(ids)
    tokens = []
    for i, (decoded, part) in enumerate(_decode(encoded)):
        shown, space = (decoded, False) if special[i] else _readable(decoded)
        start, end = offsets[i]
        tokens.append(Token(shown, int(ids[i]), start, end, words[i], special[i], space, part, segments[i]))
    return tuple(tokens)


def spell(tokenizer: Any, ids: Sequence[int]) -> tuple[str, list[tuple[int, int]]]:
    """The text that tokens stand for when no text was given, and the characters of it that each covers.

    Special tokens are spelled out. Tokens that share a character all cover it.
    """
    text, spans = "", []
    for decoded, part in _decode(_encoded_pieces(tokenizer, ids)[0]):
        if part in ("", "start"):
            text += decoded
        spans.append((len(text) - len(decoded), len(text)))
    return text, spans


def read_token(tokenizer: Any, token_id: int) -> Token:
    """One vocabulary entry, readable; not part of any text, so its offsets are 0."""
    (token,) = read_tokens(tokenizer, "", [token_id], [(0, 0)])
    return token


def unit_spans(units: Sequence[int]) -> list[tuple[int, int]]:
    """First token of each unit and one past its last, from the unit of each token (words, sentences)."""
    starts = [i for i, unit in enumerate(units) if i == 0 or unit != units[i - 1]]
    return list(zip(starts, [*starts[1:], len(units)], strict=True))


def word_spans(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """First token of each word and one past its last; the index is `Token.word`."""
    return unit_spans([token.word for token in tokens])


def join_units(tokens: Sequence[Token], text: str, units: Sequence[int]) -> tuple[Token, ...]:
    """One entry for each unit: its text as written, its first token's id, and the characters it spans."""
    joined = []
    for first, stop in unit_spans(units):
        head, tail = tokens[first], tokens[stop - 1]
        if stop - first == 1:
            joined.append(head)
            continue
        written = text[head.start : tail.end].strip() or head.text
        shown = "".join(_symbol(character) for character in written)
        joined.append(replace(head, text=shown, end=tail.end, part=""))
    return tuple(joined)


def join_words(tokens: Sequence[Token], text: str) -> tuple[Token, ...]:
    """One entry for each word; see `join_units`."""
    return join_units(tokens, text, [token.word for token in tokens])
