"""Encoder–decoders: three sites, a target that is typed or written by the model, and what is said of each token of it.

The oracle is the library alone: a second copy with eager kernels, run as a whole, or writing step by step.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from oracles import eager
from tiny import TEXT, opened
from tiny_writers import SEQ2SEQ_ARCHITECTURES, TARGET, TARGET_PIECES

from dashboard.engine import LoadedModel, Trace, generate, trace
from dashboard.engine.attention.hooks import AttentionHooks
from dashboard.engine.attention.layers import RebuiltLayer
from dashboard.engine.attention.layout import SITES
from dashboard.engine.attention.recording import Recording, recording
from dashboard.engine.errors import Unsupported

TOLERANCE = 1e-5  # float32, on the same hidden states; writing step by step stays below 2e-6 with noise of 3e-7 as well


@pytest.fixture(scope="module", params=list(SEQ2SEQ_ARCHITECTURES))
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, device: str) -> LoadedModel:
    return opened(request.param, tmp_path_factory.mktemp("tiny"), device)


def twin_of(model: LoadedModel) -> Any:
    return eager.load(model.name, transformers.AutoModelForSeq2SeqLM, str(model.device))


def assert_equal(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("target", [TARGET, "drink"])
def test_every_site_layer_and_head_equals_eager(tiny: LoadedModel, target: str) -> None:
    found = trace(tiny, TEXT, target=target)
    own = eager.outputs(twin_of(tiny), found.encoded.inputs, tiny.network)
    assert tiny.captures
    assert found.output_error is not None
    assert found.output_error < TOLERANCE
    assert [site.name for site in found.sites] == ["cross", "decoder", "encoder"]
    assert {site.name: site.n_layers for site in found.sites} == {"encoder": 3, "decoder": 2, "cross": 2}
    heads = 2 if hasattr(tiny.network.config, "decoder_attention_heads") else 4
    assert {site.name: site.n_heads for site in found.sites} == {"encoder": 4, "decoder": heads, "cross": heads}
    for site in found.sites:
        expected = [weights[0].cpu().numpy() for weights in own[SITES[site.name].outputs]]
        assert len(expected) == site.n_layers
        assert np.stack(expected).std() > 1e-3, "attention is even: the comparison would say nothing"
        for layer, theirs in enumerate(expected):
            ours = found.attention(layer, site=site.name)
            assert ours.shape == (site.n_heads, len(site.query_tokens), len(site.key_tokens))
            assert_equal(ours, theirs)
            np.testing.assert_allclose(ours.sum(-1), 1, atol=TOLERANCE)
            if site.name == "decoder":
                assert np.triu(ours, 1).max() == 0


def written_step_by_step(twin: Any, found: Trace, n_beams: int, **settings: Any) -> Any:
    """What the library writes from the source, with the weights of each step."""
    source = {name: t for name, t in found.encoded.inputs.items() if not name.startswith("decoder_")}
    return twin.generate(
        **source,
        num_beams=n_beams,
        do_sample=False,
        output_attentions=True,
        output_logits=True,
        return_dict_in_generate=True,
        **settings,
    )


def assert_steps_equal(found: Trace, steps: Any, beams: list[int]) -> None:
    """Row by row: what each step looked at, in the beam that it came from, and what it could have said."""
    assert len(found.prediction.written) == len(beams) > 2
    for site in ("cross", "decoder"):
        for layer in range(found.site(site).n_layers):
            ours = found.attention(layer, site=site)  # [head, query, key]
            for step, beam in enumerate(beams):
                theirs = steps[SITES[site].outputs][step][layer][beam, :, -1].cpu().numpy()
                stop = step + 1 if site == "decoder" else ours.shape[-1]
                start = stop - theirs.shape[-1]  # a cache with a window has dropped the keys before
                assert_equal(ours[:, step, start:stop], theirs)
                assert ours[:, step, :start].sum() == ours[:, step, stop:].sum() == 0
    for step, beam in enumerate(beams):
        shares = steps.logits[step][beam].float().softmax(-1)
        choice = found.prediction.written[step]
        assert choice.probability == pytest.approx(float(shares[choice.id]), abs=TOLERANCE)
    for layer in range(found.site("encoder").n_layers):
        assert_equal(found.attention(layer, site="encoder"), steps.encoder_attentions[layer][0].cpu().numpy())


@pytest.mark.parametrize("n_beams", [1, 4])
def test_what_it_writes_is_what_the_library_writes_step_by_step(tiny: LoadedModel, n_beams: int) -> None:
    written = generate(tiny, TEXT, 9, n_beams=n_beams)
    found = trace(tiny, TEXT, target=written.ids)
    steps = written_step_by_step(twin_of(tiny), found, n_beams, max_new_tokens=9)
    ids = steps.sequences[0, 1:].tolist()
    n_steps = len(written.ids)
    assert list(written.ids) == ids[:n_steps]
    assert set(ids[n_steps:]) <= {tiny.tokenizer.pad_token_id}
    beams = [0] * n_steps if n_beams == 1 else steps.beam_indices[0, :n_steps].tolist()
    assert_steps_equal(found, steps, beams)
    np.testing.assert_allclose(written.probabilities, [w.probability for w in found.prediction.written], atol=TOLERANCE)
    assert [t.id for t in written.tokens] == [t.id for t in found.site("cross").query_tokens]


def test_a_typed_target_attends_as_if_the_model_had_written_it(tiny: LoadedModel) -> None:
    """The library is made to write exactly these tokens, one at a time."""
    found = trace(tiny, TEXT, target=TARGET)
    assert found.encoded.target is not None
    wanted = found.encoded.target.written
    steps = written_step_by_step(
        twin_of(tiny),
        found,
        1,
        max_new_tokens=len(wanted) + 1,  # some are made to end at the very last one
        no_repeat_ngram_size=0,
        prefix_allowed_tokens_fn=lambda batch, ids: [wanted[len(ids) - 1]],
    )
    assert tuple(steps.sequences[0, 1:].tolist()) == wanted
    assert_steps_equal(found, steps, [0] * len(wanted))
    same = trace(tiny, TEXT, target=wanted)
    for site in ("cross", "decoder", "encoder"):
        assert_equal(same.attention(1, site=site), found.attention(1, site=site))
    assert same.encoded.target is not None
    assert same.encoded.target.read == found.encoded.target.read


def test_each_token_of_the_target_is_predicted_from_those_before(tiny: LoadedModel) -> None:
    found = trace(tiny, TEXT, target=TARGET)
    logits = eager.logits(twin_of(tiny), found.encoded.inputs)[0]
    written = found.prediction.written
    assert [choice.label.text for choice in written] == TARGET_PIECES
    for step, choice in enumerate(written):
        assert choice.logit == pytest.approx(float(logits[step, choice.id]), abs=1e-4)
        assert choice.probability == pytest.approx(float(logits[step].softmax(-1)[choice.id]), abs=TOLERANCE)
    assert found.prediction.step == 1, "the first ordinary token"
    assert found.prediction.position is None
    for at in (None, 0, 3, 7):
        chosen = trace(tiny, TEXT, target=TARGET, at=at)
        row = logits[1 if at is None else at]
        best = chosen.prediction.choices[0]
        assert best.id == int(row.argmax())
        assert best.probability == pytest.approx(float(row.softmax(-1).max()), abs=TOLERANCE)
        assert chosen.prediction.step == (1 if at is None else at)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_of_the_source_is_respected(tiny: LoadedModel, side: str) -> None:
    inputs = trace(tiny, TEXT, target=TARGET).encoded.inputs
    ids = inputs["input_ids"]
    pad = torch.full((1, 5), tiny.tokenizer.pad_token_id, device=ids.device)
    parts = [pad, ids] if side == "left" else [ids, pad]
    padded = {
        "input_ids": torch.cat(parts, 1),
        "attention_mask": torch.cat([torch.full_like(part, part is ids) for part in parts], 1),
        "decoder_input_ids": inputs["decoder_input_ids"],
    }
    with recording(Recording(AttentionHooks(kept_rows=(0,)))) as recorded, tiny.running(), torch.no_grad():
        tiny.network(**padded)
    own = eager.outputs(twin_of(tiny), padded, tiny.network)
    real = slice(5, None) if side == "left" else slice(0, ids.shape[1])
    hidden = slice(0, 5) if side == "left" else slice(ids.shape[1], None)
    for site, layers in tiny.verification.layout.arrange(recorded.layers[0]).items():
        for kept, theirs in zip(layers, own[SITES[site].outputs], strict=True):
            assert kept is not None
            ours = RebuiltLayer(kept).weights(slice(None), slice(0, kept.query.shape[1])).cpu().numpy()
            rows = real if site == "encoder" else slice(None)
            assert_equal(ours[:, rows], theirs[0, :, rows].cpu().numpy())
            assert site == "decoder" or ours[:, rows, hidden].max() == 0


@pytest.mark.parametrize("name", ["bigbird_pegasus", "mvp"])
def test_models_without_the_interface_are_read(name: str, tmp_path: Path, device: str) -> None:
    model = opened(name, tmp_path, device)
    assert model.verification.method == "eager"
    found = trace(model, TEXT, target=TARGET)
    own = eager.outputs(twin_of(model), found.encoded.inputs, model.network)
    assert [(site.name, site.n_layers, site.n_heads) for site in found.sites] == [
        ("cross", 2, 2),
        ("decoder", 2, 2),
        ("encoder", 3, 4),
    ]
    for site in found.sites:
        for layer in range(site.n_layers):
            assert_equal(found.attention(layer, site=site.name), own[SITES[site.name].outputs][layer][0].cpu().numpy())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("prophetnet", "not softmax weights"),
        ("led", "not one weight for each pair"),
        ("longt5", "not one weight for each pair"),
        ("pegasus_x", "no layer of its encoder was captured"),
        ("fsmt", "looks ahead"),
    ],
)
def test_attention_that_cannot_be_shown_is_refused(name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=rf"cannot be shown exactly.*{why}.*Choose another model"):
        opened(name, tmp_path)


@pytest.mark.parametrize("name", ["t5", "umt5"])
def test_long_inputs_of_t5_stay_exact_and_linear_in_memory(name: str, tmp_path: Path) -> None:
    model = opened(name, tmp_path)
    kept = {}
    for n_words in (75, 150, 300):
        found = trace(model, "drink " * (n_words - 2), target="Mary gave " * (n_words // 4))
        kept[n_words] = found.nbytes
        assert len(found.tokens) == n_words
    assert kept[300] / kept[150] == pytest.approx(kept[150] / kept[75], rel=0.03)
    assert kept[300] < 2.1 * kept[150]
    own = eager.outputs(twin_of(model), found.encoded.inputs, model.network)
    for site in found.sites:
        for layer in range(site.n_layers):
            assert_equal(found.attention(layer, site=site.name), own[SITES[site.name].outputs][layer][0].cpu().numpy())
            part = found.attention(layer, 1, rows=slice(100, 103), site=site.name)
            np.testing.assert_allclose(part, found.attention(layer, 1, site=site.name)[100:103], atol=1e-6)
