"""Every attribution method on patches, against a twin of the library's own with edited pixels, keys and tokens."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import attention_methods, eager, lrp
from oracles import images as oracle
from PIL import Image
from tiny import TEXT, make_folder
from tiny_vision import photo

from dashboard.engine import (
    METHODS,
    LoadedModel,
    Trace,
    agreement,
    attribute,
    evaluate,
    flip,
    infidelity,
    leaderboard,
    load_model,
    sensitivity,
    sensitivity_max,
    trace,
)
from dashboard.engine.attention.recording import Recording, recording
from dashboard.engine.attribution.attribute import ask
from dashboard.engine.attribution.methods.integrated_gradients import baselines
from dashboard.engine.attribution.perturbation import values_of_subsets
from dashboard.engine.errors import EngineError, InvalidInput, Unsupported
from dashboard.engine.faithfulness.captum_metrics import infidelity_cost, sensitivity_max_cost
from dashboard.engine.faithfulness.text_edits import Edit
from dashboard.engine.inputs.datasets import Row
from dashboard.engine.internals.lrp import relevance_rules
from dashboard.engine.models.vision import reading
from dashboard.engine.progress import silent

CAPTURED = [name for name in oracle.EMBEDDERS if "eager" not in name]
READ_AT_CLASS = ["vit for classes", "deit for classes", "vit for digits (grey)"]
SHARES = ["raw_attention", "rollout", "alti", "value_zeroing"]


def traced(name: str, folder: Path, dtype: torch.dtype = torch.float32) -> tuple[Trace, Any]:
    """A tiny model's trace, and its twin by eager attention."""
    model = load_model(str(make_folder(name, folder)), device="cpu", dtype="float32")
    return trace(model, photo()), eager.load(folder, model.task.auto_class, dtype=dtype)


def number(found: Trace, twin: Any, target: int | None = None, against: int | None = None) -> Any:
    """Reads the explained number off a twin's outputs; for a model without a head from some patches alone."""
    if found.model.task.kind == "image class":
        target = found.prediction.choices[0].id if target is None else target

        def read(outputs: Any, patches: Any = None) -> torch.Tensor:
            return outputs.logits[0, target] - (0 if against is None else outputs.logits[0, against])

        return read
    patches = [i for i, token in enumerate(found.tokens) if not token.special]

    def mean(outputs: Any, kept: Any = None) -> torch.Tensor:
        return outputs.last_hidden_state[0, patches if kept is None else kept].mean(0)

    with torch.no_grad():
        whole = mean(twin(pixel_values=pixels_of(found, twin)))
    return lambda outputs, kept=None: mean(outputs, kept) @ (whole / whole.norm())


def pixels_of(found: Trace, twin: Any) -> torch.Tensor:
    pixels: torch.Tensor = found.encoded.inputs["pixel_values"].to(twin.dtype)
    return pixels


def probability(found: Trace, outputs: Any) -> float:
    return float(outputs.logits[0].softmax(-1)[found.prediction.choices[0].id])


@pytest.mark.parametrize("name", CAPTURED)
def test_leaving_out_is_a_run_without_the_patch_as_a_key(name: str, tmp_path: Path) -> None:
    found, twin = traced(name, tmp_path)
    result = attribute(found, "leave_one_out")
    read = number(found, twin)
    patches = [i for i, token in enumerate(found.tokens) if not token.special]
    classes = found.model.task.kind == "image class"

    def value(hidden: list[int]) -> float:
        with torch.no_grad(), oracle.without_keys(twin, hidden):
            outputs = twin(pixel_values=found.encoded.inputs["pixel_values"])
        return probability(found, outputs) if classes else float(read(outputs, [i for i in patches if i not in hidden]))

    expected = np.array([value([]) - value([i]) for i in range(len(found.tokens))])
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(result.scores, expected, atol=2e-5, rtol=1e-4)
    heads_that_read_patches = (
        "dinov2 for classes",
        "beit for classes",
        "beit (relative positions)",
        "ijepa for classes",
    )
    assert len(result.notes) == (name in heads_that_read_patches)


@pytest.mark.parametrize("name", ["vit for classes", "deit for classes", "dinov2", "ijepa for classes", "vit"])
def test_hiding_is_what_the_librarys_own_mask_does(name: str, tmp_path: Path) -> None:
    found, twin = traced(name, tmp_path)
    question = ask(found)
    keep = np.random.default_rng(0).random((5, len(found.tokens))) < 0.6
    for row in keep:
        mask = torch.from_numpy(row)[None].long()
        with torch.no_grad():
            outputs = twin(pixel_values=found.encoded.inputs["pixel_values"], attention_mask=mask)
        own = question.logits(torch.from_numpy(row)[None])
        if found.model.task.kind == "image class":
            torch.testing.assert_close(own, outputs.logits, atol=1e-4, rtol=1e-4)
        else:
            kept = [i for i, token in enumerate(found.tokens) if not token.special and row[i]]
            assert float(own[0, 0]) == pytest.approx(float(number(found, twin)(outputs, kept)), abs=1e-4)


@pytest.mark.parametrize("name", [*oracle.EMBEDDERS])
def test_replacing_is_a_run_on_edited_pixels(name: str, tmp_path: Path) -> None:
    found, twin = traced(name, tmp_path)
    result = attribute(found, "replacement")
    shown, read = found.picture, number(found, twin)
    assert shown is not None
    side = len(shown.pixels) // shown.rows
    pixels = found.encoded.inputs["pixel_values"]

    def value(given: torch.Tensor) -> float:
        with torch.no_grad():
            outputs = twin(pixel_values=given)
        return probability(found, outputs) if found.model.task.kind == "image class" else float(read(outputs))

    for row in range(shown.rows):
        for column in range(shown.columns):
            expected = value(pixels) - value(oracle.painted(pixels, row, column, side))
            assert result.scores[shown.token(row, column)] == pytest.approx(expected, abs=2e-5)
    assert np.isnan(result.scores[: shown.n_before]).all()
    assert result.notes == ("What stands in: the mean colour.",)


def test_without_normalisation_the_middle_of_all_colours_stands_in(tmp_path: Path) -> None:
    from tiny import image_processor

    folder = make_folder("vit for classes", tmp_path)
    processor = image_processor("vit for classes")
    processor.do_normalize = False
    processor.save_pretrained(folder)
    found = trace(load_model(str(folder), device="cpu"), photo())
    twin = eager.load(folder, found.model.task.auto_class)
    pixels = found.encoded.inputs["pixel_values"]
    assert 0 <= float(pixels.min()) <= float(pixels.max()) <= 1
    with torch.no_grad():
        whole, without = (twin(pixel_values=p) for p in (pixels, oracle.painted(pixels, 1, 1, 8, 0.5)))
    expected = probability(found, whole) - probability(found, without)
    assert found.picture is not None
    assert attribute(found, "replacement").scores[found.picture.token(1, 1)] == pytest.approx(expected, abs=1e-5)
    assert (
        np.abs(found.picture.pixels.astype(int) - np.asarray(photo().resize((32, 32), Image.Resampling.BILINEAR))).max()
        <= 1
    )


@pytest.mark.parametrize("contrast", [False, True])
@pytest.mark.parametrize("name", [*oracle.EMBEDDERS])
def test_gradients_are_those_at_the_first_layers_input(name: str, contrast: bool, tmp_path: Path) -> None:
    found, twin = traced(name, tmp_path)
    if contrast and found.model.task.kind != "image class":
        with pytest.raises(InvalidInput, match="no choice number 1"):
            attribute(found, "gradient_norm", against=1)
        return
    target, against = (2, 0) if contrast else (None, None)
    tokens, slope = oracle.gradient(
        twin, oracle.EMBEDDERS[name], found.encoded.inputs["pixel_values"], number(found, twin, target, against)
    )
    scale = np.abs(tokens * slope).sum(-1).max()
    result = attribute(found, "input_x_gradient", target, against=against)
    np.testing.assert_allclose(result.scores, (tokens * slope).sum(-1), atol=1e-4 * scale)
    result = attribute(found, "gradient_norm", target, against=against)
    np.testing.assert_allclose(result.scores, np.sqrt((slope**2).sum(-1)), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("baseline", ["grey", "zeros"])
@pytest.mark.parametrize("name", ["vit for classes", "deit for classes", "clip (vision)", "data2vec (read by eager)"])
def test_integrated_gradients_add_up_to_what_the_image_gains(name: str, baseline: str, tmp_path: Path) -> None:
    """The gain from real runs of the twin: on the image, and on one of the mean colour or on empty tokens."""
    found, twin = traced(name, tmp_path)
    assert baselines(found) == ("grey", "zeros")
    default = attribute(found, "integrated_gradients", options={"bound": "20%"})
    assert default.options["baseline"] == "grey"
    result = attribute(found, "integrated_gradients", options={"baseline": baseline, "bound": "1%"})
    read, pixels = number(found, twin), found.encoded.inputs["pixel_values"]
    tokens = oracle.tokens_of(twin, oracle.EMBEDDERS[name], pixels)
    with torch.no_grad():
        whole = float(read(twin(pixel_values=pixels)))
        if baseline == "grey":
            nothing = float(read(twin(pixel_values=torch.zeros_like(pixels))))
        else:
            with oracle.reading(twin, oracle.EMBEDDERS[name], torch.zeros_like(tokens)):
                nothing = float(read(twin(pixel_values=pixels)))
    (check,) = result.checks
    assert check.value == pytest.approx(abs(result.scores.sum() - (whole - nothing)) / abs(whole - nothing), abs=1e-3)
    assert check.fine == (check.value <= 0.01)
    if baseline == "grey":  # what is the same in both images has no part
        np.testing.assert_allclose(result.scores[[token.special for token in found.tokens]], 0, atol=1e-6)


def test_integrated_gradients_are_a_sum_along_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.engine.attribution.methods import integrated_gradients

    monkeypatch.setattr(integrated_gradients, "MOST_STEPS", 16)
    found, twin = traced("vit for classes", tmp_path)
    result = attribute(found, "integrated_gradients", options={"bound": "1%"})
    pixels, embedder = found.encoded.inputs["pixel_values"], oracle.EMBEDDERS["vit for classes"]
    end = oracle.tokens_of(twin, embedder, pixels)
    start = oracle.tokens_of(twin, embedder, torch.zeros_like(pixels))
    total = torch.zeros_like(end)
    for step in range(16):
        at = (start + (step + 0.5) / 16 * (end - start)).requires_grad_()
        with torch.enable_grad(), oracle.reading(twin, embedder, at):
            (slope,) = torch.autograd.grad(number(found, twin)(twin(pixel_values=pixels)), at)
        total += slope / 16
    expected = ((end - start) * total).sum(-1)[0].numpy()
    np.testing.assert_allclose(result.scores, expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("name", READ_AT_CLASS)
def test_followed_attention_starts_at_the_class_token(name: str, tmp_path: Path) -> None:
    found, twin = traced(name, tmp_path)
    weights, pixels = eager.attentions(twin, found.encoded.inputs), found.encoded.inputs["pixel_values"]
    reading = np.eye(len(found.tokens))[0]
    np.testing.assert_allclose(ask(found).reading(silent), reading, atol=1e-6)
    np.testing.assert_allclose(attribute(found, "rollout").scores, attention_methods.rollout(weights)[0], atol=1e-5)
    np.testing.assert_allclose(attribute(found, "raw_attention").scores, weights[:, :, 0].mean((0, 1)), atol=1e-5)
    expected = oracle.chefer(twin, pixels, number(found, twin))[0]
    result = attribute(found, "gradient_x_attention")
    np.testing.assert_allclose(result.scores, expected, rtol=1e-3, atol=1e-5)
    assert "whole" in result.notes[0]


def test_models_that_are_read_start_there_too(tmp_path: Path) -> None:
    found, twin = traced("data2vec (read by eager)", tmp_path)
    reading = ask(found).reading(silent)
    assert reading.sum() == pytest.approx(1)
    weights = eager.attentions(twin, found.encoded.inputs)
    np.testing.assert_allclose(
        attribute(found, "rollout").scores, reading @ attention_methods.rollout(weights), atol=1e-5
    )
    expected = oracle.chefer(twin, found.encoded.inputs["pixel_values"], number(found, twin))
    np.testing.assert_allclose(
        attribute(found, "gradient_x_attention").scores, reading @ expected, rtol=1e-3, atol=1e-5
    )
    for method in ("leave_one_out", "shapley"):
        with pytest.raises(Unsupported, match=r"takes no attention mask.*replaces"):
            attribute(found, method)


NETWORKS = {
    "vit for classes": attention_methods.pre_norm(lambda twin: twin.vit.layers, "attention.v_proj", "attention.o_proj"),
    "clip (vision)": attention_methods.pre_norm(
        lambda twin: twin.encoder.layers, "self_attn.v_proj", "self_attn.out_proj"
    ),
    "siglip (vision)": attention_methods.pre_norm(
        lambda twin: twin.encoder.layers, "self_attn.v_proj", "self_attn.out_proj"
    ),
    "dinov2 with registers": attention_methods.pre_norm(
        lambda twin: twin.encoder.layer,
        "attention.v_proj",
        "attention.o_proj",
        lambda block: block.layer_scale1.lambda1,
    ),
    "beit (relative positions)": attention_methods.pre_norm(
        lambda twin: twin.beit.layers, "attention.v_proj", "attention.o_proj", lambda block: block.lambda_1
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parts_of_attention_are_followed_as_by_whole_matrices(name: str, tmp_path: Path) -> None:
    found, twin = traced(name, tmp_path)
    network, inputs = NETWORKS[name], found.encoded.inputs
    layers = attention_methods.look_inside(twin, network, inputs)
    reading = ask(found).reading(silent)
    lengths = np.mean([attention_methods.value_weighted(layer, None) for layer in layers], 0)
    np.testing.assert_allclose(attribute(found, "value_weighted").scores, reading @ lengths, rtol=1e-4, atol=1e-5)
    mixed = [
        attention_methods.alti(network, block, layer) for block, layer in zip(network.blocks(twin), layers, strict=True)
    ]
    result = attribute(found, "alti")
    np.testing.assert_allclose(result.scores, reading @ attention_methods.rolled_out(mixed), atol=1e-4)
    assert result.checks[0].fine
    turned = attention_methods.value_zeroing(twin, network, inputs)
    np.testing.assert_allclose(
        attribute(found, "value_zeroing").scores, reading @ attention_methods.rolled_out(turned), atol=1e-4
    )
    with pytest.raises(Unsupported, match="next token of a decoder"):
        attribute(found, "alti_logit")


@pytest.mark.parametrize("name", CAPTURED)
@pytest.mark.parametrize("method", SHARES)
def test_shares_are_never_negative_and_sum_to_one(method: str, name: str, tmp_path: Path) -> None:
    found, _ = traced(name, tmp_path)
    scores = attribute(found, method).scores
    assert scores.min() >= 0
    assert scores.sum() == pytest.approx(1, abs=1e-4)


def test_relevance_is_what_explicit_rules_give(tmp_path: Path) -> None:
    found, twin = traced("vit for classes", tmp_path, torch.float64)
    result = attribute(found, "attn_lrp", 1)
    expected, logit = lrp.vit(twin, found.encoded.inputs["pixel_values"].double(), 1)
    assert logit == pytest.approx(result.target.logit, rel=1e-4)
    np.testing.assert_allclose(result.scores, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("weights", ["followed", "constant"])
@pytest.mark.parametrize("name", CAPTURED)
def test_patches_biases_and_softmax_get_the_whole_logit(name: str, weights: str, tmp_path: Path) -> None:
    found, _ = traced(name, tmp_path)
    balance, _ = attribute(found, "attn_lrp", options={"weights": weights}).checks
    assert balance.value < 1e-4


def test_a_head_without_rules_is_refused_only_where_it_is_explained(tmp_path: Path) -> None:
    found, _ = traced("siglip (vision)", tmp_path)
    question, into = ask(found), Recording()
    with (
        torch.enable_grad(),
        relevance_rules(found.model.network, "the-model", into),
        found.model.running(),
    ):
        tokens = question.embeddings()[None].clone().requires_grad_()
        into.modules[found.model.vision.embedder] = reading(tokens)  # type: ignore[union-attr]
        with recording(into):
            pooled = found.model.network(pixel_values=found.encoded.inputs["pixel_values"]).pooler_output
    with pytest.raises(Unsupported, match="the-model computes with “multi_head_attention_forward”"):
        torch.autograd.grad(pooled.sum(), tokens)


def test_shapley_values_add_up_to_runs_of_the_twin(tmp_path: Path) -> None:
    found, twin = traced("vit for classes", tmp_path)
    result = attribute(found, "shapley")
    pixels, patches = found.encoded.inputs["pixel_values"], list(range(1, 17))
    with torch.no_grad():
        whole = probability(found, twin(pixel_values=pixels))
        with oracle.without_keys(twin, patches):
            nothing = probability(found, twin(pixel_values=pixels))
    assert np.isnan(result.scores[0])
    assert np.nansum(result.scores) == pytest.approx(whole - nothing, abs=1e-4)


def test_only_patches_are_removed(tmp_path: Path) -> None:
    found, _ = traced("dinov2 with registers", tmp_path)
    question = ask(found)
    assert question.protected.tolist() == [True] * 5 + [False] * 16
    keep = np.ones((1, 21), bool)
    with pytest.raises(Unsupported, match="Patches of an image cannot be deleted"):
        values_of_subsets(question, keep, "delete")
    keep[0, 2] = False
    with pytest.raises(InvalidInput, match="Only patches of an image can be replaced"):
        values_of_subsets(question, keep, "replace")
    moved = question.moved(question.embeddings() * 1.01)
    with pytest.raises(Unsupported, match="belong to no token"):
        values_of_subsets(moved, np.ones((1, 21), bool), "replace")


@pytest.mark.parametrize("name", ["vit for classes", "clip (vision)", "beit (relative positions)"])
def test_moved_embeddings_are_read_instead_of_the_image(name: str, tmp_path: Path) -> None:
    found, twin = traced(name, tmp_path)
    question, embedder = ask(found), oracle.EMBEDDERS[name]
    pixels = found.encoded.inputs["pixel_values"]
    torch.testing.assert_close(question.embeddings()[None], oracle.tokens_of(twin, embedder, pixels))
    tokens = question.embeddings() * 1.2
    moved = question.moved(tokens)
    with torch.no_grad(), oracle.reading(twin, embedder, tokens[None]):
        outputs = twin(pixel_values=pixels, output_attentions=True)
    assert float(moved.objective(moved.trace.logits[None])) == pytest.approx(
        float(number(found, twin)(outputs)), rel=1e-4
    )
    for layer, weights in enumerate(outputs.attentions):
        np.testing.assert_allclose(moved.trace.attention(layer), weights[0].numpy(), atol=1e-5)
    again = trace(found.model, photo())  # nothing was left behind
    np.testing.assert_array_equal(again.attention(0), found.attention(0))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    return traced("vit for classes", tmp_path_factory.mktemp("seen"))[0]


@pytest.mark.parametrize("removal", ["mask", "replace"])
def test_attributions_of_images_are_tested_like_others(removal: str, seen: Trace) -> None:
    attributions = [attribute(seen, method) for method in ("leave_one_out", "rollout", "replacement")]
    board = leaderboard(seen, attributions, removal=removal, n_random=3)
    assert board.players.tolist() == list(range(1, 17))
    assert all(np.isfinite(list(entry.metrics.values())).all() for entry in board.entries)
    best = {"mask": 0, "replace": 2}[removal]
    top = board.entries[best].order[0]
    keep = np.ones((1, 17), bool)
    keep[0, top] = False
    without = values_of_subsets(ask(seen), keep, removal)[0]
    assert board.entries[best].curves.without_top[0] == pytest.approx(float(without), abs=1e-5)
    assert agreement(attributions, board.players).spearman.shape == (3, 3)


def test_numbers_of_one_attribution(seen: Trace) -> None:
    question, given = ask(seen), attribute(seen, "leave_one_out")
    assert np.isfinite(infidelity(question, given, n_samples=10).value)
    assert infidelity_cost(seen, 10).passes == 11
    for method in ("input_x_gradient", "rollout", "leave_one_out"):
        found = sensitivity_max(question, method, n_samples=2)
        assert found.value > 0
        assert sensitivity_max_cost(seen, method, n_samples=2).passes > 0
    with pytest.raises(Unsupported, match="belong to no token"):
        sensitivity_max(question, "replacement", n_samples=2)


def test_what_edits_texts_says_so(seen: Trace, minilm: LoadedModel) -> None:
    with pytest.raises(Unsupported, match="reads images, which have no words"):
        flip(seen)
    with pytest.raises(Unsupported, match="reads images, and the edits are of texts"):
        sensitivity(seen, attribute(seen, "rollout"), [Edit("case", "Case", "x", (), "")])
    with pytest.raises(Unsupported, match="reads images, and these are texts"):
        evaluate(seen.model, [Row(TEXT)])


def test_every_method_runs_or_says_why_not(seen: Trace) -> None:
    refused = set()
    for name in METHODS:
        try:
            result = attribute(seen, name)
        except EngineError:
            refused.add(name)
        else:
            assert result.scores.shape == (17,)
            assert METHODS[name].cost(seen, result.options).bytes > 0
    assert refused == {"alti_logit"}
