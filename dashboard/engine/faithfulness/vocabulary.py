"""Which vocabulary entries may stand where another one stands, and what the text is then."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from dashboard.engine.loading import LoadedModel
from dashboard.engine.tokens import Token, read_tokens, special_ids

_CONTINUES = "##"
"""WordPiece's mark of a token that goes on in the middle of a word."""


@dataclass(frozen=True, eq=False)
class Letters:
    """Readable entries made of letters alone, not special: what a token may be replaced by.

    Attributes:
        ids: Vocabulary indices.
        spaced: A space stands before it.
        texts: Without the space.
    """

    ids: Int[np.ndarray, "entry"]
    spaced: Bool[np.ndarray, "entry"]
    texts: tuple[str, ...]

    def like(self, token: Token, forbidden: frozenset[str]) -> Bool[np.ndarray, "entry"]:
        """Entries that may replace a token: another one, with a space before it if and only if the token has one.

        Args:
            token: What is replaced.
            forbidden: Case-folded texts that are left out.
        """
        other = np.array([text.casefold() not in forbidden for text in self.texts])
        return other & (self.spaced == token.space) & (self.ids != token.id)


def letters_of(model: LoadedModel) -> Letters:
    """The entries of a model's vocabulary that are letters only, in the writing of any language."""
    tokenizer = model.tokenizer
    n_entries = min(len(tokenizer), model.network.get_input_embeddings().weight.shape[0])
    pieces = tokenizer.convert_ids_to_tokens(list(range(n_entries)))
    (between,) = tokenizer("a", add_special_tokens=False)["input_ids"][:1]
    # A plain letter after each entry ends characters that the entry leaves unfinished; those have a `part` then.
    ids = [index for entry in range(n_entries) if pieces[entry] is not None for index in (entry, between)]
    tokens = read_tokens(tokenizer, "", ids, [(0, 0)] * len(ids))[::2]
    control = special_ids(tokenizer)
    kept = [token for token in tokens if not token.part and token.id not in control and token.text.isalpha()]
    return Letters(
        np.array([token.id for token in kept]),
        np.array([token.space for token in kept]),
        tuple(token.text for token in kept),
    )


def editable(token: Token) -> bool:
    """Whether a token can be replaced at all: it holds whole characters and, for WordPiece, begins a word."""
    return not token.part and token.end > token.start and not token.text.startswith(_CONTINUES)


def spliced(text: str, token: Token, new: str) -> str:
    """The text with a token's characters replaced; the space before it stays."""
    start = token.start
    while start < token.end and text[start].isspace():
        start += 1
    return text[:start] + new + text[token.end :]


def encodes_to(model: LoadedModel, text: str, ids: list[int]) -> bool:
    """Whether the tokenizer makes exactly these tokens of the text."""
    found: list[int] = model.tokenizer(text, verbose=False)["input_ids"]
    return found == ids
