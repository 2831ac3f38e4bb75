"""A trace's summary says what the trace says, survives pickling, and holds no tensor."""

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from dashboard.engine import Message, Trace, load_model, trace
from dashboard.engine.models.catalog import MODELS

PICTURE = MODELS["digits"].home / "examples" / "digit-3.png"  # type: ignore[operator]


def things(value: Any) -> list[Any]:
    """Everything that a value holds, itself included."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inside = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif isinstance(value, dict):
        inside = [*value, *value.values()]
    else:
        inside = list(value) if isinstance(value, tuple | list) else []
    return [value, *(deeper for one in inside for deeper in things(one))]


@pytest.fixture(scope="module")
def traces() -> dict[str, Trace]:
    dates, digits = load_model("dates-en-fr"), load_model("digits")
    return {
        "text": trace(dates, "July 14, 1789"),
        "image": trace(digits, Image.open(PICTURE)),
    }


@pytest.mark.parametrize("kind", ["text", "image"])
def test_it_is_values_and_survives_pickling(traces: dict[str, Trace], kind: str) -> None:
    found = traces[kind]
    summary = pickle.loads(pickle.dumps(found.summary))
    assert summary.kind == kind
    assert not [thing for thing in things(summary) if isinstance(thing, torch.Tensor | torch.device | Path)]
    for name in ("key", "text", "tokens", "sites", "prediction", "seconds", "output_error", "bands"):
        assert getattr(summary, name) == getattr(found, name), name
    assert summary.explained == found.choice()
    assert summary.n_choices == len(found.logits)
    assert summary.memory == found.nbytes
    assert (summary.facts, summary.verification) == (found.model.facts, found.model.verification)
    assert summary.model.serial == found.model.serial
    assert (summary.picture is None) == (found.picture is None)


def test_its_sites_say_which_layers_have_attention(traces: dict[str, Trace]) -> None:
    found = traces["text"]
    for site in found.summary.sites:
        present = [index for index, layer in enumerate(found.layers[site.name]) if layer is not None]
        assert list(site.layers) == present
        assert site.one_text == (site.query_tokens is site.key_tokens)


def test_its_words_join_tokens(traces: dict[str, Trace]) -> None:
    summary = traces["text"].summary
    assert [word.text for word in summary.words][:3] == ["July", "14", ","]
    assert summary.units("words").labels == summary.words
    assert summary.units("tokens").labels == summary.tokens
    assert len(summary.units("sentences").labels) == len(set(summary.units("sentences").unit_of))
    picture = traces["image"].summary
    assert picture.units("words").labels == picture.tokens


def test_kinds_of_input(traces: dict[str, Trace]) -> None:
    from dashboard.engine.tracing.summary import kind_of

    assert kind_of(("a", "b"), None) == "pair"
    assert kind_of((Message("user", "a"),), None) == "chat"
    assert traces["text"].summary.typed == "July 14, 1789"
    assert traces["image"].summary.typed is None


def test_it_keeps_nothing_of_the_trace(traces: dict[str, Trace]) -> None:
    summary = traces["text"].summary
    assert traces["text"] not in things(summary)
    assert traces["text"].model not in things(summary)
