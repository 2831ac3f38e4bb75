"""Which substitutions of one token are worth a run: first-order estimates for the whole vocabulary, in blocks."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dashboard.engine.faithfulness.vocabulary import Letters, editable, encodes_to, spliced
from dashboard.engine.progress import Progress
from dashboard.engine.question import Question

N_CANDIDATES = 32
"""Substitutions that are really run at each step."""
_EXAMINED = 512
"""The best by first order that are looked at, to find those that tokenise as they should."""
_ENTRIES_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class Candidate:
    """One token replaced.

    Attributes:
        position: Of the token.
        new: Vocabulary index of what is put there.
        predicted: First-order change of the question's objective.
        text: The new text.
        ids: Its tokens.
    """

    position: int
    new: int
    predicted: float
    text: str
    ids: list[int]


def candidates_at(
    question: Question, letters: Letters, forbidden: frozenset[str], used: set[int], report: Progress
) -> list[Candidate]:
    """The best substitutions by first order whose text tokenises as it should, at most N_CANDIDATES."""
    found, text = question.trace, question.trace.text
    ids = found.encoded.ids.tolist()
    places = [i for i in np.flatnonzero(~question.protected).tolist() if i not in used and editable(found.tokens[i])]
    kept: list[Candidate] = []
    if not places or not len(letters.ids):
        return kept
    embeddings, gradient = question.embedding_gradient(report)
    allowed = np.stack([letters.like(found.tokens[i], forbidden) for i in places])
    texts = dict(zip(letters.ids.tolist(), letters.texts, strict=True))
    for predicted, place, new in _first_order(question, letters, embeddings[places], gradient[places], allowed):
        position = places[place]
        changed = spliced(text, found.tokens[position], texts[new])
        wanted = [*ids[:position], new, *ids[position + 1 :]]
        if encodes_to(found.model, changed, wanted):
            kept.append(Candidate(position, new, predicted, changed, wanted))
        if len(kept) == N_CANDIDATES:
            break
    return kept


@torch.no_grad()
def _first_order(
    question: Question,
    letters: Letters,
    embeddings: Float[Tensor, "place hidden"],
    gradient: Float[Tensor, "place hidden"],
    allowed: Bool[np.ndarray, "place entry"],
) -> Iterator[tuple[float, int, int]]:
    """(E[v] − E[x_i])·g_i with its place and entry, the lowest first, as long as it is below 0.

    In blocks of the vocabulary: memory for entries × hidden of one block, and the best of each.
    """
    model = question.trace.model
    here = (embeddings * gradient).sum(1)  # [place]
    best: list[tuple[float, int, int]] = []
    for start in range(0, len(letters.ids), _ENTRIES_AT_ONCE):
        entries = torch.from_numpy(letters.ids[start : start + _ENTRIES_AT_ONCE]).to(gradient.device)
        vectors = model.network.get_input_embeddings()(entries).float()  # as the model reads them, scaled if it scales
        change = gradient @ vectors.T - here[:, None]  # [place, entry]
        off = torch.from_numpy(~allowed[:, start : start + _ENTRIES_AT_ONCE]).to(change.device)
        values, flat = change.masked_fill(off, torch.inf).flatten().topk(min(_EXAMINED, change.numel()), largest=False)
        for value, at in zip(values.tolist(), flat.tolist(), strict=True):
            if value < 0:
                best.append((value, at // len(entries), int(entries[at % len(entries)])))
    yield from sorted(best)[:_EXAMINED]
