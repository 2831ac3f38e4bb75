"""One pass, no T×T tensor, any view afterwards; shared models; messages for what users can cause."""

import gc
import threading
from typing import Any

import numpy as np
import pytest
import torch

from dashboard.engine import Cancelled, LoadedModel, trace
from dashboard.engine.errors import InvalidInput, OutOfMemory


def test_the_prediction_is_paris(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "The capital of France is")
    best = found.prediction.choices[0]
    assert (best.label.text, best.label.space) == ("Paris", True)
    assert best.probability == pytest.approx(0.77, abs=0.01)
    assert found.prediction.position == 4
    with torch.no_grad():
        logits = smollm2.network(**found.encoded.inputs).logits[0, -1].float()
    for choice in found.prediction.choices:
        assert choice.logit == pytest.approx(float(logits[choice.id]), abs=1e-3)
        assert choice.probability == pytest.approx(float(logits.softmax(-1)[choice.id]), abs=1e-5)
    assert [c.id for c in found.prediction.choices] == logits.topk(8).indices.tolist()


def test_looking_costs_no_forward_pass(smollm2: LoadedModel) -> None:
    passes: list[int] = []
    handle = smollm2.network.register_forward_pre_hook(lambda *unused: passes.append(1))
    try:
        found = trace(smollm2, "The capital of France is")
        assert len(passes) == 1
        for layer in range(found.sites[0].n_layers):
            for head in range(found.sites[0].n_heads):
                found.heat_map(layer, head)
        found.thumbnails()
        found.all_head_scores()
        found.reading_head(4)
        assert len(passes) == 1
    finally:
        handle.remove()


def test_memory_grows_with_tokens_and_nothing_square_is_kept(smollm2: LoadedModel) -> None:
    short, long = (trace(smollm2, "word " * n) for n in (128, 512))
    ratio = len(long.tokens) / len(short.tokens)
    assert long.nbytes / short.nbytes == pytest.approx(ratio, rel=0.01)
    n_tokens = len(long.tokens)
    gc.collect()
    square = [
        tuple(t.shape)
        for t in gc.get_objects()
        if type(t) is torch.Tensor and t.dim() >= 2 and tuple(t.shape[-2:]) == (n_tokens, n_tokens)
    ]
    assert not square


def test_two_sessions_share_one_model(smollm2: LoadedModel) -> None:
    texts = ["The capital of France is", "Water boils at a temperature of one hundred degrees"]
    alone = {text: trace(smollm2, text).attention(7) for text in texts}
    found: list[tuple[str, np.ndarray]] = []

    def run(text: str) -> None:
        for _ in range(4):
            found.append((text, trace(smollm2, text).attention(7)))

    threads = [threading.Thread(target=run, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    for text, weights in found:
        np.testing.assert_array_equal(weights, alone[text])


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_empty_texts_are_named(smollm2: LoadedModel, text: str) -> None:
    with pytest.raises(InvalidInput, match="There is no text"):
        trace(smollm2, text)


def test_a_text_over_the_limit_says_by_how_much(minilm: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match=r"602 tokens; all-MiniLM-L6-v2 takes at most 512.*by 90 tokens"):
        trace(minilm, "word " * 600)


@pytest.mark.parametrize(("layer", "head"), [(30, 0), (-1, 0), (0, 9), (0, -1)])
def test_layers_and_heads_that_do_not_exist(smollm2: LoadedModel, layer: int, head: int) -> None:
    found = trace(smollm2, "Hello")
    with pytest.raises(InvalidInput, match=r"There is no (layer|head).*numbered 0 to"):
        found.attention(layer, head)


def test_names_that_do_not_exist(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "Hello")
    with pytest.raises(InvalidInput, match=r"no head score “beauty”.*entropy"):
        found.head_scores("beauty")
    with pytest.raises(InvalidInput, match=r"no “cross” attention.*self"):
        found.attention(0, 0, site="cross")
    with pytest.raises(InvalidInput, match="no choice number"):
        found.choice(10**7)


def test_out_of_memory_is_a_message(smollm2: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")

    with monkeypatch.context() as patched:
        patched.setattr("dashboard.engine.tracing.forward.forward", fail)
        with pytest.raises(OutOfMemory, match=r"Memory on .* ran out.*shorter text"):
            trace(smollm2, "Hello")
    assert trace(smollm2, "Hello").tokens[0].text == "Hello"


def test_an_encoder_without_a_head_explains_its_embedding(minilm: LoadedModel) -> None:
    found = trace(minilm, "A man is playing the guitar.")
    with torch.no_grad():
        states = minilm.network(**found.encoded.inputs).last_hidden_state[0]
    (choice,) = found.prediction.choices
    assert found.prediction.kind == "no head"
    assert choice.probability is None
    assert choice.logit == pytest.approx(float(states.mean(0).norm()), rel=1e-5)


def test_a_pass_tells_how_far_it_is_and_can_be_stopped_inside(smollm2: LoadedModel) -> None:
    seen: list[float] = []

    def stop_half_way(message: str, fraction: float | None) -> None:
        seen.append(fraction or 0)
        if len(seen) == 15:
            raise Cancelled

    with pytest.raises(Cancelled):
        trace(smollm2, "The capital of France is", stop_half_way)
    assert seen == [n / 30 for n in range(1, 16)]
    assert trace(smollm2, "The capital of France is").prediction.choices[0].label.text == "Paris"


def test_scoring_tells_how_far_it_is_and_can_be_stopped(smollm2: LoadedModel) -> None:
    seen: list[float] = []

    def stop(message: str, fraction: float | None) -> None:
        seen.append(fraction or 0)
        if len(seen) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        trace(smollm2, "Hello there").all_head_scores(progress=stop)
    assert seen == [0, 1 / 30, 2 / 30]
