"""How networks are wired, against what their own code says."""

from pathlib import Path

import pytest
from tiny import TEXT, make_folder

from dashboard.engine import load_model, trace
from dashboard.engine.errors import Unsupported
from dashboard.engine.internals.layer_wiring import LayerWiring
from dashboard.engine.internals.wiring import wiring
from tests.architectures.builders import build
from tests.architectures.listing import architectures

WRITERS = {"t5": "sum", "bart": "normed sum", "mbart": "sum", "marian": "normed sum"}
"""Encoder–decoders and how attention joins their stream, as their own forward functions are written."""


def own_projection(network: object, site: str, index: int) -> tuple[str, ...]:
    """Where the architecture's own code keeps the projection, by its names."""
    bart = {"encoder": "encoder.layers.{}.self_attn", "decoder": "decoder.layers.{}.self_attn"}
    bart["cross"] = "decoder.layers.{}.encoder_attn"
    t5 = {"encoder": "encoder.block.{}.layer.0.SelfAttention.o", "decoder": "decoder.block.{}.layer.0.SelfAttention.o"}
    t5["cross"] = "decoder.block.{}.layer.1.EncDecAttention.o"
    return (t5[site].format(index), f"model.{bart[site].format(index)}.out_proj")


@pytest.mark.parametrize("name", list(WRITERS))
def test_all_sites_of_an_encoder_decoder_are_found(name: str, tmp_path: Path) -> None:
    model = load_model(str(make_folder(name, tmp_path)), device="cpu")
    wired = wiring(model)
    modules = dict(model.network.named_modules())
    assert list(wired.sites) == ["encoder", "decoder", "cross"]
    for site, layers in wired.sites.items():
        for index, layer in enumerate(layers):
            assert isinstance(layer, LayerWiring)
            expected = [modules[path] for path in own_projection(model.network, site, index) if path in modules]
            assert [layer.projection] == expected
            assert (layer.index, layer.stream) == (index, WRITERS[name])
            own = expected[0].weight.T.reshape(layer.n_heads, -1, expected[0].weight.shape[0])
            assert (layer.weight == own).all()
    assert [(one.site, one.n_projections, one.streams) for one in wired.found] == [
        (site, len(layers), (WRITERS[name],)) for site, layers in wired.sites.items()
    ]
    with pytest.raises(Unsupported, match="one stack of layers is needed"):
        wired.present  # noqa: B018


@pytest.mark.parametrize(
    ("name", "stream", "has_final_norm"),
    [
        ("llama", "sum", True),
        ("gpt2", "sum", True),
        ("bert", "normed sum", False),
        ("gemma3 (sliding window)", "sum of normed", True),
    ],
)
def test_one_stack(name: str, stream: str, has_final_norm: bool, tmp_path: Path) -> None:
    model = load_model(str(make_folder(name, tmp_path)), device="cpu")
    (found,) = wiring(model).found
    assert (found.site, found.n_layers, found.streams) == ("self", model.facts.n_layers, (stream,))
    assert found.n_projections == found.n_layers
    assert (wiring(model).final_norm is not None) == has_final_norm


@pytest.mark.parametrize(("kind", "name"), [("masked", "modernbert"), ("causal", "opt")])
def test_unusual_first_layers_and_flat_tokens(kind: str, name: str, tmp_path: Path) -> None:
    """ModernBERT's first layer has no norm before attention; OPT's MLP reads all tokens of a batch in one row."""
    (architecture,) = (one for one in architectures() if (one.kind, one.model_type) == (kind, name))
    build(architecture, tmp_path / "model")
    (found,) = wiring(load_model(str(tmp_path / "model"), device="cpu")).found
    assert found.streams == ("sum",)


def test_what_is_read_by_eager_says_so(tmp_path: Path) -> None:
    model = load_model(str(make_folder("bloom (ALiBi)", tmp_path)), device="cpu")
    assert trace(model, TEXT).output_error is None
    with pytest.raises(Unsupported, match="is read directly"):
        wiring(model)
