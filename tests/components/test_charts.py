"""Charts hold the numbers they were given, name the heads, and show strangers' text as text."""

from __future__ import annotations

import numpy as np
import pytest

from components import charts

SCORES = np.array([[0.1, 0.3, 0.2], [np.nan, np.nan, np.nan], [0.9, np.nan, 0.5]])
# Leaves 0..3: 2 and 3 join first, then 0 with them, then 1; from scipy's `linkage(..., "average")` of such distances.
LINKAGE = np.array([[2, 3, 0.1, 2], [0, 4, 0.4, 3], [1, 5, 0.7, 4]])
HEADS = [(0, 0), (0, 1), (5, 1)]
PLACES = [[0, 1], [1, 0], [-1, -1]]


def test_a_profile_has_a_point_a_head_and_the_medians() -> None:
    points, line = charts.profile(SCORES, "entropy").data
    assert points.customdata.tolist() == [[0, 0], [0, 1], [0, 2], [2, 0], [2, 2]]
    np.testing.assert_allclose(points.y, [0.1, 0.3, 0.2, 0.9, 0.5], rtol=1e-6)
    np.testing.assert_allclose(line.y, [0.2, 0.7], rtol=1e-6)
    assert line.x.tolist() == [0, 2]
    assert len(charts.profile(SCORES, "entropy", selected=(0, 1)).data) == 3
    assert len(charts.profile(SCORES, "entropy", selected=(1, 1)).data) == 2


def test_a_map_carries_layer_and_head_with_each_point() -> None:
    (dots,) = charts.map_2d(PLACES, HEADS, [0.0, 1.0, 2.0], "layer").data
    assert dots.customdata.tolist() == [list(head) for head in HEADS]
    one, other, ring = charts.map_2d(PLACES, HEADS, ["sink", "local", "sink"], "pattern", selected=(5, 1)).data
    assert (one.name, one.customdata.tolist()) == ("sink", [[0, 0], [5, 1]])
    assert (other.name, other.customdata.tolist()) == ("local", [[0, 1]])
    assert (ring.x.tolist(), ring.y.tolist()) == ([-1], [-1])


def test_the_tree_stands_on_the_leaves_in_order() -> None:
    assert charts.leaf_order(LINKAGE).tolist() == [1, 0, 2, 3]
    figure = charts.dendrogram(LINKAGE, ["a", "<b>", "c", "d"])
    tree, joints = figure.data
    assert joints.y.tolist() == [0.1, 0.4, 0.7]
    assert joints.x.tolist() == [2.5, 1.75, 0.875]
    assert list(tree.x)[:4] == [2, 2, 3, 3]
    assert list(figure.layout.xaxis.ticktext) == ["&lt;b&gt;", "a", "c", "d"]


def test_leaf_order_equals_scipy() -> None:
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy")
    linkage = hierarchy.linkage(np.random.default_rng(0).random((40, 3)), "average")
    np.testing.assert_array_equal(charts.leaf_order(linkage), hierarchy.leaves_list(linkage))


def test_bars_keep_equal_labels_apart_and_text_as_text() -> None:
    figure = charts.bars([0.5, -0.25], ["<b>x</b>", "<b>x</b>"], "nats")
    assert list(figure.layout.yaxis.ticktext) == ["&lt;b&gt;x&lt;/b&gt;"] * 2
    assert list(figure.data[0].text) == ["0.5", "−0.25"]


def test_charts_refuse() -> None:
    with pytest.raises(ValueError, match="2 axes"):
        charts.profile([1, 2], "entropy")
    with pytest.raises(ValueError, match="must agree"):
        charts.map_2d(PLACES, HEADS, [1.0], "layer")
    with pytest.raises(ValueError, match="told apart"):
        charts.map_2d(np.zeros((9, 2)), np.zeros((9, 2)), list("abcdefghi"), "pattern")
    with pytest.raises(ValueError, match="as many labels"):
        charts.dendrogram(LINKAGE, ["a"])
    with pytest.raises(ValueError, match="merge, 4"):
        charts.leaf_order([[1, 2]])
    with pytest.raises(ValueError, match="as many labels"):
        charts.bars([1], [])


@pytest.mark.parametrize(
    "figure",
    [charts.profile(SCORES, "entropy"), charts.dendrogram(LINKAGE, list("abcd")), charts.bars([1], ["a"])],
)
def test_figures_take_background_and_font_from_the_page(figure: charts.go.Figure) -> None:
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0, 0, 0, 0)"
    assert figure.layout.font.family is None
