"""What the evidence charts draw, read back from the figures."""

import numpy as np
import pytest

from components.evidence_charts import Band, Curve, intervals, matrix, removal_curves

FRACTIONS = [0.0, 0.5, 1.0]
BAND = Band("20 random orders", [0.9, 0.5, 0.1], [0.9, 0.4, 0.1], [0.9, 0.6, 0.1])


def test_curves_keep_their_numbers_and_lie_over_the_band() -> None:
    curves = [Curve("Leave <b>one</b> out", [0.9, 0.2, 0.1]), Curve("Rollout", [0.9, 0.7, 0.1])]
    figure = removal_curves(FRACTIONS, curves, BAND, "share removed", "probability")
    area, middle, first, second = figure.data
    np.testing.assert_allclose(area.y, np.float32([0.9, 0.6, 0.1, 0.1, 0.4, 0.9]))
    np.testing.assert_allclose(middle.y, np.float32([0.9, 0.5, 0.1]))
    np.testing.assert_allclose(first.y, np.float32([0.9, 0.2, 0.1]))
    assert first.name == "Leave &lt;b&gt;one&lt;/b&gt; out"
    assert second.line.color != first.line.color
    assert figure.layout.yaxis.title.text == "probability"


def test_more_than_eight_curves_stay_apart() -> None:
    figure = removal_curves(FRACTIONS, [Curve(f"m{i}", [1, 2, 3]) for i in range(14)], BAND, "x", "y")
    looks = {(line.line.color, line.line.dash) for line in figure.data[2:]}
    assert len(looks) == 14


def test_a_curve_of_another_length_is_named() -> None:
    with pytest.raises(ValueError, match="3 fractions need as many values; 'Rollout' has 2"):
        removal_curves(FRACTIONS, [Curve("Rollout", [1, 2])], BAND, "x", "y")


def test_a_matrix_writes_its_numbers() -> None:
    figure = matrix([[1, -0.25], [-0.25, np.nan]], ["a", "b"], "ρ", low=-1, high=1)
    (cells,) = figure.data
    assert [list(row) for row in cells.text] == [["1.00", "−0.25"], ["−0.25", ""]]
    assert (cells.zmin, cells.zmax) == (-1, 1)
    with pytest.raises(ValueError, match="3 labels"):
        matrix([[1]], ["a", "b", "c"], "ρ", low=-1, high=1)


def test_intervals_reach_from_low_to_high_over_chance() -> None:
    figure = intervals(["a", "b"], [0.2, 0.0], [0.1, -0.1], [0.4, 0.1], (-0.05, 0.05), "area")
    (points,) = figure.data
    np.testing.assert_allclose(points.x, [0.2, 0.0], atol=1e-6)
    np.testing.assert_allclose(points.error_x.array, [0.2, 0.1], atol=1e-6)
    np.testing.assert_allclose(points.error_x.arrayminus, [0.1, 0.1], atol=1e-6)
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (-0.05, 0.05)
    with pytest.raises(ValueError, match="2 names"):
        intervals(["a", "b"], [1], [1], [1], (0, 1), "area")
