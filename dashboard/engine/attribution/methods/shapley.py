"""What each token adds on average when the tokens are shown one after another, in random orders."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dashboard.engine.attribution.method import METHODS, Method, Option, Scored, forward_passes
from dashboard.engine.attribution.perturbation import notes_on_hiding, values_of_subsets
from dashboard.engine.attribution.question import Question
from dashboard.engine.attribution.result import Check, Options
from dashboard.engine.errors import InvalidInput
from dashboard.engine.progress import Progress

_ROUNDING = {torch.float32: 1e-3, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""By how much the sum may miss: one run in two batches is not the same to the last digit."""


def run(question: Question, options: Options, report: Progress) -> Scored:
    """Mean over permutations of value(tokens before i, and i) − value(tokens before i).

    The players are the tokens that may be removed; the others stay visible throughout and get NaN.

    Raises:
        InvalidInput: No token may be removed.
    """
    from captum.attr import ShapleyValueSampling  # here, because it draws in half a second of plotting code

    n_samples, model = int(options["samples"]), question.trace.model
    players = np.flatnonzero(~question.protected)
    if len(players) == 0:
        raise InvalidInput("Every token of this text has to stay, so none has a part to play.", "Write a longer text.")
    n_runs, n_done = n_samples * len(players) + 1, 0

    def values(shown: Float[Tensor, "run player"]) -> Float[Tensor, "run"]:
        nonlocal n_done
        keep = np.ones((len(shown), question.n_tokens), bool)
        keep[:, players] = shown.numpy() > 0.5

        def told(message: str, fraction: float | None) -> None:
            report(f"{n_samples} random orders", (n_done + len(keep) * (fraction or 0)) / n_runs)

        found = torch.from_numpy(values_of_subsets(question, keep, "mask", told))
        n_done += len(keep)
        return found

    sampler = ShapleyValueSampling(values)
    sampler.permutation_generator = _orders
    means = sampler.attribute(
        torch.ones(1, len(players)),
        baselines=torch.zeros(1, len(players)),
        n_samples=n_samples,
        perturbations_per_eval=len(players),
    )[0].numpy()
    ends = values(torch.stack([torch.zeros(len(players)), torch.ones(len(players))])).numpy()
    scores = np.full(question.n_tokens, np.nan, np.float32)
    scores[players] = means
    return Scored(
        scores,
        (_efficiency(means, float(ends[1] - ends[0]), float(abs(ends).max()), model.network.dtype),),
        notes_on_hiding(question),
    )


def _orders(n_players: int, n_samples: int) -> Iterator[list[int]]:
    """Random orders, the same every time, whatever else draws random numbers meanwhile."""
    random = np.random.default_rng(0)
    for _ in range(n_samples):
        yield random.permutation(n_players).tolist()


def _efficiency(scores: Float[np.ndarray, "player"], whole: float, size: float, dtype: torch.dtype) -> Check:
    return Check(
        "efficiency",
        abs(float(scores.sum()) - whole) / max(size, 1e-12),
        _ROUNDING.get(dtype, 1e-3),
        "The scores add up to the value with all tokens less the value with only those that always stay "
        "(what is missing, as a share of the larger value): every order does so exactly.",
    )


METHODS.add(
    "shapley",
    Method(
        name="shapley",
        title="Shapley values",
        family="causal",
        kind="causal",
        formula=r"\frac{1}{|\Pi|} \sum_{\pi \in \Pi} f_y(\pi_{<i} \cup \{i\}) - f_y(\pi_{<i})",
        meaning="What the target gains on average when this token is shown too, after a random set of others.",
        caveat="Fair to tokens that stand in for each other, but a sample: other random orders give somewhat other "
        "numbers, and most of the texts that are run have large gaps.",
        source="Shapley 1953; Castro et al. 2009 (sampling); Lundberg & Lee 2017",
        unit="value",
        signed=True,
        cost=lambda trace, options: forward_passes(trace, int(options["samples"]) * len(trace.tokens) + 3),
        run=run,
        options=(
            Option(
                "samples",
                "Number of orders",
                lambda trace: ("10", "25", "50"),
                "10",
                "More orders are more exact and take as much longer.",
            ),
        ),
    ),
)
