"""Similarity of heads against the divergence's definition on eager attention; clustering and maps on known points."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import eager, similarity
from tiny import TEXT, make_folder

from dashboard.engine import (
    Cancelled,
    LoadedModel,
    head_similarity,
    load_model,
    pair_similarity,
    row_correlation,
    trace,
)
from dashboard.engine.errors import InvalidInput
from dashboard.engine.head_analysis.clustering import classical_mds, cluster


@pytest.mark.parametrize(
    "name", ["llama", "mistral (sliding window)", "gpt_oss (sinks)", "bert for classes", "bloom (ALiBi)"]
)
def test_all_pairs_equal_the_definition(
    name: str, tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.engine.head_analysis.similarity._CHUNK", 300)
    monkeypatch.setattr("dashboard.engine.head_analysis.similarity._KEYS_AT_ONCE", 7)
    monkeypatch.setattr("dashboard.engine.attention.layers.BLOCK_WEIGHTS", 500)
    folder = make_folder(name, tmp_path)
    model = load_model(str(folder), device=device, dtype="float32")
    found = trace(model, TEXT)
    result = head_similarity(found)
    twin = eager.load(folder, model.task.auto_class, device)
    weights = eager.attentions(twin, found.encoded.inputs, found.model.network)
    expected = [[similarity.similarity(weights[a], weights[b]) for b in result.heads] for a in result.heads]
    assert len(result.heads) == weights.shape[0] * weights.shape[1]
    assert np.std(expected) > 1e-2
    np.testing.assert_allclose(result.values, expected, atol=1e-5)
    assert (result.n_queries, result.n_tokens) == (len(found.tokens), len(found.tokens))
    a, b = result.heads[1], result.heads[-2]
    rows = [1 - similarity.jensen_shannon(p, q) for p, q in zip(weights[a], weights[b], strict=True)]
    np.testing.assert_allclose(pair_similarity(found, a, b), rows, atol=1e-5)


def test_chosen_heads_keep_their_order(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "The capital of France is")
    heads = [(7, 3), (2, 0), (7, 1), (2, 8)]
    chosen = head_similarity(found, heads)
    assert chosen.heads == tuple(heads)
    every = head_similarity(found)
    at = [every.heads.index(head) for head in heads]
    np.testing.assert_allclose(chosen.values, every.values[np.ix_(at, at)], atol=1e-6)
    np.testing.assert_array_equal(chosen.values, chosen.values.T)
    assert (np.diag(chosen.values) == 1).all()


def test_long_texts_are_compared_at_evenly_spaced_queries(
    smollm2: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = trace(smollm2, "The old keeper counted every step of the stairs. " * 6)
    heads = [(0, 0), (5, 3), (18, 6)]
    exact = head_similarity(found, heads)
    monkeypatch.setattr("dashboard.engine.head_analysis.similarity.MAX_TERMS", 2000)
    sampled = head_similarity(found, heads)
    assert exact.n_queries == exact.n_tokens == sampled.n_tokens
    assert 5 < sampled.n_queries < exact.n_tokens / 3
    rows = pair_similarity(found, heads[0], heads[1])
    spaced = [rows[step // 2 :: step] for step in range(2, len(rows))]
    expected = [some.mean() for some in spaced if len(some) == sampled.n_queries]
    assert any(sampled.values[0, 1] == pytest.approx(mean, abs=1e-6) for mean in expected)
    np.testing.assert_allclose(sampled.values, exact.values, atol=0.2)


def test_row_correlation_is_spearmans(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "The old keeper climbed the stairs")
    a, b, query = (3, 2), (11, 5), 5
    rows = [found.attention(*head)[query, : query + 1].tolist() for head in (a, b)]
    assert row_correlation(found, a, b, query) == pytest.approx(similarity.spearman(*rows))
    assert np.isnan(row_correlation(found, a, b, 0))
    with pytest.raises(InvalidInput, match="no token 6"):
        row_correlation(found, a, b, 6)


def test_comparing_tells_how_far_it_is_and_can_be_stopped(
    smollm2: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.engine.attention.layers.BLOCK_WEIGHTS", 500)
    seen: list[float] = []

    def stop(message: str, fraction: float | None) -> None:
        seen.append(fraction or 0)
        if len(seen) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        head_similarity(trace(smollm2, "The old keeper is"), progress=stop)
    assert seen == [0, 1 / 4, 2 / 4]


def test_heads_that_do_not_exist_are_named(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "Hello there")
    with pytest.raises(InvalidInput, match="no head 9"):
        head_similarity(found, [(0, 9)])
    with pytest.raises(InvalidInput, match="no heads to compare"):
        head_similarity(found, [])


_points = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=1, max_size=12, unique=True)


def _distances(points: np.ndarray) -> np.ndarray:
    return np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))


@given(_points)
def test_a_map_keeps_the_distances_of_points_in_the_plane(points: list[tuple[int, int]]) -> None:
    distance = _distances(np.array(points, dtype=float))
    found = classical_mds(distance, 2)
    np.testing.assert_allclose(_distances(found.points), distance, atol=1e-5)
    assert found.share == pytest.approx(1)


def test_a_map_says_what_it_could_not_keep() -> None:
    corners = np.eye(4)  # a tetrahedron needs three dimensions, each a third of it
    assert classical_mds(_distances(corners), 2).share == pytest.approx(2 / 3)


def test_the_metric_distance_of_heads_is_euclidean(smollm2: LoadedModel) -> None:
    distance = head_similarity(trace(smollm2, "The old keeper climbed the stairs")).distance
    squared = distance.astype(float) ** 2
    centred = -(squared - squared.mean(0) - squared.mean(1)[:, None] + squared.mean()) / 2
    assert np.linalg.eigvalsh(centred).min() > -1e-5


def test_clusters_are_the_groups_that_were_put_in() -> None:
    points = np.array([[0.0, 0], [10, 0], [0.1, 0], [10.2, 0], [0, 0.2]])
    found = cluster(_distances(points))
    groups = found.cut(1.0)
    assert [set(np.flatnonzero(groups == group)) for group in (groups[0], groups[1])] == [{0, 2, 4}, {1, 3}]
    assert sorted(found.order) == list(range(5))
    assert {frozenset(found.order[:2]), frozenset(found.order[:3])} & {frozenset({1, 3}), frozenset({0, 2, 4})}
    between = [np.linalg.norm(points[a] - points[b]) for a in (0, 2, 4) for b in (1, 3)]
    assert found.linkage[-1, 2] == pytest.approx(np.mean(between))  # average linkage
    assert cluster(np.zeros((1, 1))).order.tolist() == [0]
