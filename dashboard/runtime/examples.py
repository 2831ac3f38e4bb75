"""Texts to try with a model: the catalogue's, held-out ones of a model that was fine-tuned here, or the task's."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard.engine.models.catalog import MODELS
from dashboard.runtime.training import finetuned_models

if TYPE_CHECKING:
    from dashboard.engine import LoadedModel

_HELD_OUT_SHOWN = 6


@dataclass(frozen=True)
class Example:
    """A text, or a pair of texts, and what is to be seen in it."""

    text: str
    pair: str | None = None
    note: str = ""


def examples(source: str, model: "LoadedModel | None") -> tuple[Example, ...]:
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
    singles = (Example(text.format(mask=model.tokenizer.mask_token)) for text in model.task.examples)
    return (*singles, *(Example(*pair) for pair in model.task.example_pairs))
