"""What a model says without some of its tokens: how they are removed is part of every result."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dashboard.engine.errors import InvalidInput, Unsupported
from dashboard.engine.passes import forward
from dashboard.engine.prefix import can_reuse, first_hidden, logits_from
from dashboard.engine.progress import Progress, silent
from dashboard.engine.question import Question

# By device: on a processor more tokens at once gain nothing (leaving out each of 64 tokens of SmolLM2 takes the time of
# 60 passes one by one, 42 in batches of 8, 44 in batches of 32); a GPU would idle with so few.
_TOKENS_AT_ONCE = {"cpu": 512, "cuda": 4096}
_LARGEST_BATCH = {"cpu": 32, "cuda": 64}
# A run that starts late still reads the keys of all tokens, once a row.
_KEYS_AT_ONCE = 16


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
        Unsupported: The model has no token to put in a removed one's place, or what it says is lost when tokens move.
    """
    if removal not in REMOVALS:
        raise InvalidInput(f"There is no removal “{removal}”.", f"Choose one of: {', '.join(REMOVALS)}.")
    refusal = question.trace.model.task.refuses_deletion
    if removal == "delete" and refusal:
        raise Unsupported(refusal, f"Choose another removal: {REMOVALS['mask'].title}, or {REMOVALS['replace'].title}.")
    different, place = np.unique(keep, axis=0, return_inverse=True)
    values = np.empty(len(different), np.float32)
    done = 0
    for rows, start in _batches(question, different, removal):
        progress(message, done / len(different))
        kept = torch.from_numpy(different[rows])
        found = question.value(logits_from(question, kept, start)) if start else _run(question, kept, removal)
        values[rows] = found.float().cpu().numpy()
        done += len(rows)
    return values[place.reshape(-1)]


def _batches(
    question: Question, keep: Bool[np.ndarray, "subset token"], removal: str
) -> Iterator[tuple[list[int], int]]:
    """Rows to run together, and the token at which their run may start.

    Deleting makes texts of different lengths, which do not share a batch. Where the trace knows everything before the
    first hidden token, rows that start alike go together.
    """
    n_tokens, device = keep.shape[1], question.trace.model.device.type
    starts = first_hidden(keep) if removal == "mask" and can_reuse(question) else np.zeros(len(keep), int)
    lengths = keep.sum(1) if removal == "delete" else n_tokens - starts
    if 0 in lengths:
        raise InvalidInput("Deleting every token leaves nothing to run.", "Keep at least one token.")
    order, at = np.argsort(-lengths, kind="stable"), 0
    while at < len(order):
        longest = int(lengths[order[at]])
        tokens = _TOKENS_AT_ONCE.get(device, 512)
        fitting = min(tokens // longest, _KEYS_AT_ONCE * tokens // n_tokens)
        batch = min(_LARGEST_BATCH.get(device, 32), max(1, fitting))
        rows = order[at : at + batch]
        if removal == "delete":
            rows = rows[lengths[rows] == longest]
        yield rows.tolist(), int(starts[rows].min())
        at += len(rows)


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
                readout = model.task.readout(trace.given, places[0], None)
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
