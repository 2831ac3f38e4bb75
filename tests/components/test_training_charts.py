"""The loss curve: every number in it from what it was given."""

import numpy as np
import pytest

from components.training_charts import loss_curve, moving_mean


def test_the_moving_mean_is_a_weighted_mean_of_what_was() -> None:
    values = np.random.default_rng(0).random(150)
    for end in range(1, 151):
        weights = 0.9 ** np.arange(end)[::-1]
        assert moving_mean(values)[end - 1] == pytest.approx(np.average(values[:end], weights=weights))


def test_the_moving_mean_of_a_short_training_does_not_lag() -> None:
    values = np.linspace(1, 0, 9)
    np.testing.assert_allclose(moving_mean(values), values)


def test_steps_epochs_and_the_kept_one_are_drawn() -> None:
    figure = loss_curve([0.9, 0.7, 0.8, 0.4], [(2, 0.75), (4, 0.5)], n_steps=6, best=1)
    each, mean, checks = figure.data
    assert list(each.x) == [1, 2, 3, 4]
    assert list(each.y) == [0.9, 0.7, 0.8, 0.4]
    assert mean.y[0] == pytest.approx(0.9)
    assert (list(checks.x), list(checks.y)) == ([2, 4], [0.75, 0.5])
    assert list(checks.marker.symbol) == ["circle", "star"]
    assert figure.layout.xaxis.range == (0, 6)


def test_long_trainings_are_thinned_to_what_can_be_seen() -> None:
    each, *_ = loss_curve(np.linspace(1, 0, 5000).tolist()).data
    assert len(each.x) <= 800
    assert (each.x[0], each.x[-1]) == (1, 5000)
    np.testing.assert_allclose(each.y, np.linspace(1, 0, 5000)[np.asarray(each.x) - 1])


def test_before_the_first_step_there_is_an_empty_chart() -> None:
    assert len(loss_curve([]).data[0].x) == 0
