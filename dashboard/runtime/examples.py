"""Texts to try with a model: the catalogue's, held-out ones of a fine-tuned model, or the task's. For pages."""

from dataclasses import dataclass

from dashboard.engine.models.catalog import MODELS
from dashboard.engine.models.summary import ModelSummary
from dashboard.runtime.finetuned import finetuned_models

_HELD_OUT_SHOWN = 6


@dataclass(frozen=True)
class Example:
    """A text, or a pair of texts, and what is to be seen in it."""

    text: str
    pair: str | None = None
    note: str = ""


def of_model(source: str, model: ModelSummary | None) -> tuple[Example, ...]:
    """Texts to try, the first one shown on the first visit; none before a model outside the list is there."""
    if source in MODELS:
        row = MODELS[source]
        notes = row.notes or ("",) * len(row.examples)
        return tuple(Example(text, note=note) for text, note in zip(row.examples, notes, strict=True))
    made = finetuned_models().get(source)
    if made is not None and (held_out := made.held_out(_HELD_OUT_SHOWN)):
        return tuple(Example(text, note=f"labelled “{label}”") for text, label in held_out)
    if model is None:
        return ()
    return (*map(Example, model.examples), *(Example(*pair) for pair in model.example_pairs))
