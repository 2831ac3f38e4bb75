"""Pictures of attention, cell by cell against loops over eager attention."""

from typing import Any

import numpy as np
import pytest
from oracles import eager
from oracles import heat_maps as oracle

from dashboard.engine import LoadedModel, Trace, trace
from dashboard.engine.attention import heat_maps
from dashboard.engine.errors import InvalidInput
from dashboard.engine.models import store

TEXT = "Tokenization isn't unbelievably complicated, is it? The tokenizers disagree."
ATOL = 1e-5  # both sides are float32; sums of a few weights


@pytest.fixture(scope="module", params=["smollm2", "minilm"])
def case(request: pytest.FixtureRequest) -> tuple[Trace, np.ndarray, np.ndarray]:
    """A trace, its eager weights [layer, head, query, key], and what each query may see."""
    model: LoadedModel = request.getfixturevalue(request.param)
    found = trace(model, TEXT)
    twin = eager.load(store.fetch(request.param), model.task.auto_class, str(model.device))
    weights = eager.attentions(twin, found.encoded.inputs, found.model.network)
    n_tokens = len(found.tokens)
    visible = np.tri(n_tokens, dtype=bool) if model.task.causal else np.ones((n_tokens, n_tokens), bool)
    return found, weights, visible


def test_each_cell_is_a_weight_and_what_is_not_visible_is_nan(case: Any) -> None:
    found, weights, visible = case
    picture = found.heat_map(2, 1)
    np.testing.assert_allclose(picture.values, np.where(visible, weights[2, 1], np.nan), atol=ATOL)
    assert picture.pooling == "none"
    assert picture.maximum == pytest.approx(float(weights[2, 1].max()), abs=ATOL)


@pytest.mark.parametrize("over", ["mean", "max"])
def test_over_the_heads_of_a_layer(case: Any, over: str) -> None:
    found, weights, visible = case
    expected = weights[4].mean(0) if over == "mean" else weights[4].max(0)
    np.testing.assert_allclose(found.heat_map(4, 0, over=over).values, np.where(visible, expected, np.nan), atol=ATOL)


@pytest.mark.parametrize("hide", ["first", "special"])
def test_hidden_keys_are_named_in_numbers(case: Any, hide: str) -> None:
    found, weights, visible = case
    hidden = [i == 0 if hide == "first" else token.special for i, token in enumerate(found.tokens)]
    expected, share = oracle.hide(weights[3, 2], hidden)
    picture = found.heat_map(3, 2, hide=hide)
    assert picture.hidden_share == pytest.approx(share, abs=ATOL)
    seen = visible & ~np.array(hidden)
    np.testing.assert_allclose(picture.values, np.where(seen, expected, np.nan), atol=1e-4)
    rows = np.nansum(picture.values, 1)[seen.any(1)]
    np.testing.assert_allclose(rows, 1, atol=1e-4)


def test_words_are_sums_over_keys_and_means_over_queries(case: Any) -> None:
    found, weights, _ = case
    words = [token.word for token in found.tokens]
    assert len(set(words)) < len(words), "nothing would be joined"
    picture = found.heat_map(1, 1, words=True)
    joined = oracle.join_words(weights[1, 1], words)
    np.testing.assert_allclose(np.nan_to_num(picture.values), np.where(np.isnan(picture.values), 0, joined), atol=ATOL)
    np.testing.assert_allclose(np.nansum(picture.values, 1), 1, atol=1e-4)
    assert [words[edge] for edge in picture.key_edges[:-1]] == sorted(set(words))


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_pooled_pixels(case: Any, pooling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found, weights, visible = case
    monkeypatch.setattr("dashboard.engine.attention.layers.BLOCK_WEIGHTS", 3 * len(found.tokens))  # many blocks
    picture = found.heat_map(5, 3, max_pixels=8, pooling=pooling)
    step = int(picture.query_edges[1])
    assert step > 1
    assert max(picture.values.shape) <= 8
    np.testing.assert_allclose(picture.values, oracle.pool(weights[5, 3], visible, step, pooling), atol=ATOL)
    assert picture.pooling == pooling


def test_a_window_is_a_cut(case: Any) -> None:
    found, weights, visible = case
    picture = found.heat_map(0, 0, window=(2, 7, 1, 5))
    expected = np.where(visible, weights[0, 0], np.nan)[2:7, 1:5]
    np.testing.assert_allclose(picture.values, expected, atol=ATOL)
    assert (picture.query_edges.tolist(), picture.key_edges.tolist()) == ([2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5])
    for window in ((3, 3, 0, 2), (0, 999, 0, 2), (-1, 2, 0, 2)):
        with pytest.raises(InvalidInput, match="outside the text"):
            found.heat_map(0, 0, window=window)


def test_thumbnails_are_the_pooled_heads(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found, weights, _ = case
    monkeypatch.setattr("dashboard.engine.attention.layers.BLOCK_WEIGHTS", 1000)
    pictures = found.thumbnails(max_pixels=6)
    everything = np.ones(weights.shape[-2:], bool)
    step = -(-weights.shape[-1] // 6)
    assert pictures.shape[:2] == weights.shape[:2]
    for layer, head in ((0, 0), (2, 5), (5, 8)):
        pooled = oracle.pool(weights[layer, head], everything, step, "max")
        np.testing.assert_allclose(pictures[layer, head], pooled / pooled.max() * 255, atol=0.51)  # rounded to uint8


def test_a_long_text_is_never_larger_than_the_screen(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "word " * 700)
    picture = found.heat_map(0, 0)
    assert max(picture.values.shape) <= 256
    assert picture.values.nbytes <= 256 * 256 * 4
    assert max(found.thumbnails().shape[2:]) <= 64


def test_the_head_that_reads_most(case: Any) -> None:
    found, weights, _ = case
    query = 6
    rows = weights[:, :, query].copy()  # [layer, head, key]
    for key, token in enumerate(found.tokens):
        if key in (0, query) or token.special:
            rows[:, :, key] = 0
    layer, head = np.unravel_index(rows.max(-1).argmax(), rows.shape[:2])
    assert found.reading_head(query) == (layer, head)


def test_hidden_keys_of_each_choice(minilm: LoadedModel) -> None:
    tokens = trace(minilm, "One two.").tokens
    assert heat_maps.hidden_keys(tokens, "special").tolist() == [True, False, False, False, True]
    assert not heat_maps.hidden_keys(tokens, "nothing").any()
