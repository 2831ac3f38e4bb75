"""What a model says without some of its tokens: how they are removed is part of every result."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dashboard.engine.errors import InvalidInput, Unsupported
from dashboard.engine.passes import forward
from dashboard.engine.progress import Progress, silent
from dashboard.engine.question import Question

_TOKENS_AT_ONCE = 512
_LARGEST_BATCH = 32


@dataclass(frozen=True)
class RemovalFacts:
    """A way to take tokens away, and what is said about it."""

    title: str
    meaning: str


REMOVALS: dict[str, RemovalFacts] = {
    "mask": RemovalFacts("hidden from attention", "No token can attend to it, in any layer. Positions stay."),
    "replace": RemovalFacts("replaced", "The mask token, or the padding token, stands in its place."),
    "delete": RemovalFacts("deleted", "The text is shorter; the tokens after it move up."),
}


def values_of_subsets(
    question: Question,
    keep: Bool[np.ndarray, "subset token"],
    removal: str = "mask",
    progress: Progress = silent,
    message: str = "Running without some tokens",
) -> Float[np.ndarray, "subset"]:
    """`question.value` for each subset of tokens that stays; equal subsets run once, several in one batch.

    Args:
        question: What is measured.
        keep: True for the tokens that stay.
        removal: How the others are taken away; a name in REMOVALS.
        progress: Told after each batch; may raise Cancelled.
        message: What progress says.

    Raises:
        InvalidInput: No such removal, or it would leave no token.
        Unsupported: The model has no token to put in a removed one's place.
    """
    if removal not in REMOVALS:
        raise InvalidInput(f"There is no removal “{removal}”.", f"Choose one of: {', '.join(REMOVALS)}.")
    different, place = np.unique(keep, axis=0, return_inverse=True)
    values = np.empty(len(different), np.float32)
    done = 0
    for rows in _batches(different, removal):
        progress(message, done / len(different))
        values[rows] = _run(question, torch.from_numpy(different[rows]), removal).float().cpu().numpy()
        done += len(rows)
    return values[place.reshape(-1)]


def _batches(keep: Bool[np.ndarray, "subset token"], removal: str) -> Iterator[list[int]]:
    """Rows to run together; deleting makes texts of different lengths, which do not share a batch."""
    lengths = keep.sum(1) if removal == "delete" else np.full(len(keep), keep.shape[1])
    for length in np.unique(lengths).tolist():
        if length == 0:
            raise InvalidInput("Deleting every token leaves nothing to run.", "Keep at least one token.")
        rows = np.flatnonzero(lengths == length).tolist()
        batch = min(_LARGEST_BATCH, max(1, _TOKENS_AT_ONCE // length))
        for at in range(0, len(rows), batch):
            yield rows[at : at + batch]


@torch.no_grad()
def _run(question: Question, keep: Bool[Tensor, "batch token"], removal: str) -> Float[Tensor, "batch"]:
    if removal == "mask":
        return question.value(question.logits(keep))
    trace, model = question.trace, question.trace.model
    if "input_ids" not in trace.encoded.inputs:
        raise Unsupported("These embeddings belong to no token.", "Hide tokens from attention instead.")
    kept = keep.to(model.device)
    whole = {name: t.expand(len(kept), -1) for name, t in trace.encoded.inputs.items()}
    with model.running():
        if removal == "replace":
            inputs = {**whole, "input_ids": whole["input_ids"].masked_fill(~kept, stand_in(question))}
            readout = trace.readout
        else:
            length = int(kept[0].sum())
            inputs = {name: t[kept].reshape(len(kept), length) for name, t in whole.items()}
            position = trace.prediction.position
            readout = trace.readout
            if position is not None:
                if not bool(keep[:, position].all()):
                    raise InvalidInput("The place of the prediction cannot be deleted.", "Hide it instead.")
                places = keep[:, :position].sum(1).unique().tolist()
                if len(places) > 1:
                    return torch.cat([_run(question, row[None], removal) for row in keep])
                readout = model.task.readout(places[0], None)
        mask = torch.ones_like(inputs["input_ids"])
        return question.value(readout(forward(model, inputs), mask))


def stand_in(question: Question) -> int:
    """The token that is put in a removed one's place: the mask token, else padding, else the end of a text.

    Raises:
        Unsupported: The tokenizer has none of them.
    """
    model = question.trace.model
    for token in (model.tokenizer.mask_token_id, model.tokenizer.pad_token_id, model.tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    raise Unsupported(
        f"The tokenizer of {model.title} has no mask, padding or end token to put in a removed one's place.",
        "Choose another removal: hide tokens from attention.",
    )
