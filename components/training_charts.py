"""The course of a training as a plotly figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from components.charts import CATEGORIES, QUIET, house_figure

_MOST_POINTS = 800
_FEW = 20  # a line of one step would not be seen
_LONGEST_MEMORY = 10  # steps of the moving mean; in short trainings fewer, so that it does not lag


def loss_curve(
    losses: Sequence[float],
    epochs: Sequence[tuple[int, float]] = (),
    *,
    n_steps: int = 0,
    best: int | None = None,
    height: int = 280,
) -> go.Figure:
    """Loss by training step: each step faintly, their moving mean, and the validation loss after each epoch.

    Args:
        losses: of each step, from the first.
        epochs: (steps so far, validation loss) after each epoch.
        n_steps: all that are planned, the right end of the axis; 0 where that is not known.
        best: place in `epochs` of the one whose weights are kept.
        height: in pixels.
    """
    values = np.asarray(losses, dtype=float)
    steps = np.arange(1, len(values) + 1)
    shown = np.unique(np.linspace(0, len(values) - 1, min(len(values), _MOST_POINTS)).astype(int))
    faint = go.Scatter(
        x=steps[shown],
        y=values[shown],
        mode="lines",
        name="each step",
        line={"color": QUIET, "width": 1},
        hovertemplate="step %{x}: %{y:.3f}<extra></extra>",
    )
    mean = go.Scatter(
        x=steps[shown],
        y=moving_mean(values)[shown],
        mode="lines" if len(values) > _FEW else "lines+markers",
        name="training (moving mean)",
        line={"color": CATEGORIES[0], "width": 2},
        hovertemplate="step %{x}, mean %{y:.3f}<extra></extra>",
    )
    kept = [index == best for index in range(len(epochs))]
    checks = go.Scatter(
        x=[step for step, _ in epochs],
        y=[loss for _, loss in epochs],
        mode="lines+markers",
        name="validation (star: kept)" if any(kept) else "validation",
        line={"color": CATEGORIES[1], "width": 1.5, "dash": "dot"},
        marker={
            "size": [13 if one else 8 for one in kept],
            "symbol": ["star" if one else "circle" for one in kept],
            "color": CATEGORIES[1],
            "line": {"width": 0},
        },
        cliponaxis=False,
        customdata=list(range(1, len(epochs) + 1)),
        hovertemplate="after epoch %{customdata}: %{y:.3f}<extra></extra>",
    )
    figure = house_figure([faint, mean, checks], height)
    figure.update_xaxes(title="step", range=[0, max(n_steps, len(values), 1)], showgrid=False, zeroline=False)
    figure.update_yaxes(title="loss", rangemode="tozero", showgrid=True, gridcolor=QUIET, zeroline=False)
    figure.update_layout(uirevision="loss")
    return figure


def moving_mean(values: np.ndarray) -> np.ndarray:
    """An exponential moving mean, corrected for its start (Kingma & Ba 2015): the first value is itself.

    It remembers a fifteenth of the steps, between one and ten.
    """
    keep = 1 - 1 / min(_LONGEST_MEMORY, max(1, len(values) / 15))
    found, mean = np.empty_like(values), 0.0
    for index, value in enumerate(values):
        mean = keep * mean + (1 - keep) * value
        found[index] = mean / (1 - keep ** (index + 1))
    return found
