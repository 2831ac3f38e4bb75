"""Attention multiplied through the layers, as if each layer only passed on what it looked at."""

import torch

from dashboard.engine.attribution.method import METHODS, Cost, Method, Scored
from dashboard.engine.attribution.propagation import (
    notes_on_the_way,
    present_layers,
    reading_passes,
    resting,
    start,
    times,
)
from dashboard.engine.attribution.question import Question
from dashboard.engine.attribution.result import Options
from dashboard.engine.progress import Progress, part_of


@torch.no_grad()
def run(question: Question, options: Options, report: Progress) -> Scored:
    """The reading row of Ã_L ⋯ Ã_1 with Ã = ½ mean_h A + ½ I; each step a vector times a matrix."""
    layers = present_layers(question.trace)
    relevance = start(question, part_of(report, 0.0, 0.5))
    for n_done, (_, layer) in enumerate(reversed(layers)):

        def told(fraction: float, n_done: int = n_done) -> None:
            report("Rolling attention out", 0.5 + 0.5 * (n_done + fraction) / len(layers))

        moved = times(
            relevance,
            lambda rows: layer.weights(slice(None), rows).mean(0),  # noqa: B023
            layer.n_heads * layer.n_keys,
            told,
        )
        relevance = (moved + relevance) / 2
    scores = relevance.cpu().numpy()
    return Scored(scores, resting(scores), notes_on_the_way(question))


METHODS.add(
    "rollout",
    Method(
        name="rollout",
        title="Attention rollout",
        family="attention",
        kind="descriptive",
        formula=r"\left(\tilde A_L \cdots \tilde A_1\right)_{p,i},\quad "
        r"\tilde A_l = \tfrac12\,\overline{A}_l + \tfrac12 I",
        meaning="The share of paths from the predicting place down to this token, if layers only passed on what "
        "they attend to, half of it to themselves.",
        caveat="It ignores values, signs and everything but attention; in decoders nearly all of it ends at the first "
        "token.",
        source="Abnar & Zuidema 2020",
        unit="share of attention",
        signed=False,
        cost=lambda trace, options: Cost(0.2 + reading_passes(trace), 64 * 2**20),
        run=run,
        one_stack=True,
        for_target=False,
    ),
)
