"""Two numbers of Yeh et al. 2019 for one attribution, computed by captum: infidelity, and the largest sensitivity."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dashboard.engine.attribution.attribute import ask, chosen_options
from dashboard.engine.attribution.method import METHODS, Cost, forward_passes
from dashboard.engine.attribution.perturbation import values_of_subsets
from dashboard.engine.attribution.question import Question
from dashboard.engine.attribution.result import Attribution, Options
from dashboard.engine.errors import InvalidInput
from dashboard.engine.faithfulness.curves import Values
from dashboard.engine.faithfulness.players import players_of
from dashboard.engine.progress import Progress, silent
from dashboard.engine.tracing.trace import Trace


@dataclass(frozen=True)
class Infidelity:
    """How badly sums of scores predict what the model loses.

    Attributes:
        value: E[(β·Σ_{i removed} φ_i − (f(x) − f(x without them)))²], with the β ≥ 0 that fits best, so that the scale
            of the scores does not matter but their signs do. In squares of what is measured; 0 is perfect.
        share: value / E[(f(x) − f(x without them))²]: 0 perfect, 1 no better than scores that are all 0, which
            scores of the wrong sign are too (β = 0). NaN where no removal changes anything.
        n_samples: Random subsets that were removed.
        measure: What f is: "probability", "logit" …
    """

    value: float
    share: float
    n_samples: int
    measure: str


@dataclass(frozen=True)
class LargestSensitivity:
    """How far an explanation moves when the input hardly does.

    Attributes:
        value: max over samples of ‖φ(x + δ) − φ(x)‖ / ‖φ(x)‖: 0 is perfectly steady; at 1 the change is as large as the
            explanation.
        radius: Largest change of a number of an embedding, as a share of `scale`.
        scale: Root mean square of all numbers of the input's embeddings.
        n_samples: Moved inputs that were explained.
    """

    value: float
    radius: float
    scale: float
    n_samples: int


def infidelity(
    question: Question, attribution: Attribution, n_samples: int = 100, seed: int = 0, progress: Progress = silent
) -> Infidelity:
    """Infidelity of one attribution in the space of tokens that are there or not.

    Random subsets of the removable tokens are hidden from attention. Their sizes are uniform from 1 to all, so that
    removing a few and removing most count alike. Tokens without a score count as 0.

    Raises:
        InvalidInput: No sample, fewer than two removable tokens, or another text's scores.

    Source: Yeh et al. 2019, definition 2.1, with the scaling of their section 2.3 and code; captum.metrics.infidelity.
    """
    _check_samples(n_samples)
    players = players_of(question)
    if len(attribution.scores) != question.n_tokens:
        raise InvalidInput("The attribution is of another text.", "Compute it on the text that is asked about.")
    value, share = infidelity_of(
        lambda keep: values_of_subsets(question, keep, "mask", progress, f"Hiding {n_samples} random subsets"),
        attribution.scores,
        players,
        n_samples,
        seed,
    )
    return Infidelity(value, share, n_samples, question.measure)


def infidelity_of(
    values: Values, scores: Float[np.ndarray, "token"], players: Int[np.ndarray, "player"], n_samples: int, seed: int
) -> tuple[float, float]:
    """`Infidelity.value` and `share` of scores for any function of the tokens that stay."""
    # Here, because it draws in half a second of plotting code.
    from captum.metrics import infidelity as captum_infidelity

    chooser = np.random.default_rng(seed)
    known: dict[str, np.ndarray] = {}
    given = np.nan_to_num(scores[players]).astype(np.float64)

    def perturb(present: Tensor) -> tuple[Tensor, Tensor]:
        removed = np.zeros(tuple(present.shape), np.float32)  # [sample, player]
        for row in removed:
            row[chooser.permutation(len(players))[: chooser.integers(1, len(players) + 1)]] = 1
        known["sums"] = removed @ given
        gone = torch.from_numpy(removed)
        return gone, present - gone

    def run(present: Tensor) -> Tensor:
        keep = np.ones((len(present), len(scores)), bool)
        keep[:, players] = present.numpy() > 0.5
        found = values(keep).astype(np.float64)
        known["whole" if keep.all() else "without"] = found  # every sample removes something
        return torch.from_numpy(found)

    found = captum_infidelity(
        run,
        perturb,
        torch.ones(1, len(players)),
        torch.from_numpy(given)[None],
        n_perturb_samples=n_samples,
        normalize=True,
    )
    losses = known["whole"] - known["without"]
    whole = float(np.mean(losses**2))
    if float(known["sums"] @ losses) < 0:  # captum's best β is negative: it would read the scores the other way round
        return whole, _share(whole, whole)
    value = max(0.0, float(found))  # a difference of sums of squares: rounding can put it below 0
    return value, _share(value, whole)


def _share(value: float, whole: float) -> float:
    return value / whole if whole > 0 else float("nan")


def sensitivity_max(
    question: Question,
    method: str,
    options: Options | None = None,
    radius: float = 0.02,
    n_samples: int = 10,
    seed: int = 0,
    progress: Progress = silent,
) -> LargestSensitivity:
    """The largest change of a method's scores over inputs whose embeddings are moved a little.

    Each number of each embedding is moved by at most `radius` times the root mean square of them all, uniformly
    (captum's own radius, 0.02, is in the input's units and would be large for one model and nothing for another). The
    method runs again on each of them.

    Raises:
        InvalidInput: No such method or option, no sample, or a radius that is not above 0.
        Unsupported: The model takes no embeddings, or the method needs tokens.

    Source: Yeh et al. 2019, definition 3.1 (SENS_MAX), relative to the explanation's length;
    captum.metrics.sensitivity_max.
    """
    # Here, because it draws in half a second of plotting code.
    from captum.metrics import sensitivity_max as captum_sensitivity_max

    chosen = chosen_options(question.trace, method, options)
    _check_samples(n_samples)
    if not 0 < radius < float("inf"):
        raise InvalidInput(f"A radius of {radius} moves nothing.", "Choose one above 0; 0.02 is the default.")
    embeddings = question.embeddings().float().cpu()
    scale = float(embeddings.square().mean().sqrt())
    chooser = torch.Generator().manual_seed(seed)
    n_done = 0

    def report(message: str, fraction: float | None) -> None:
        progress(f"Explaining {n_samples} moved inputs", min(1.0, (n_done + (fraction or 0)) / (n_samples + 1)))

    def perturb(inputs: Tensor) -> Tensor:
        return inputs + (2 * torch.rand(inputs.shape, generator=chooser) - 1) * radius * scale

    def explain(inputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor]:
        nonlocal n_done
        rows = []
        for moved in inputs[0] if isinstance(inputs, tuple) else inputs:
            report("", 0.0)
            with torch.enable_grad():  # captum switches gradients off, methods expect them on
                found = METHODS[method].run(question.moved(moved.to(question.trace.model.device)), chosen, report)
            n_done += 1
            rows.append(torch.from_numpy(np.nan_to_num(found.scores.astype(np.float64))))
        # A tuple, as the inputs are: of a bare tensor captum 0.9.0 divides by each score instead of by their length.
        return (torch.stack(rows),)

    found = captum_sensitivity_max(
        explain, embeddings[None], perturb, n_perturb_samples=n_samples, norm_ord=2, max_examples_per_batch=1
    )
    return LargestSensitivity(float(found), radius, scale, n_samples)


def infidelity_cost(trace: Trace, n_samples: int = 100) -> Cost:
    """What `infidelity` takes, to be said beforehand."""
    return forward_passes(trace, float(min(n_samples + 1, 2 ** min(len(players_of(ask(trace))), 60))))


def sensitivity_max_cost(trace: Trace, method: str, options: Options | None = None, n_samples: int = 10) -> Cost:
    """What `sensitivity_max` takes, to be said beforehand: for each input one run, and the method."""
    one = METHODS[method].cost(trace, chosen_options(trace, method, options))
    return Cost((n_samples + 1) * (one.passes + 1), one.bytes)


def _check_samples(n_samples: int) -> None:
    if n_samples < 1:
        raise InvalidInput(f"{n_samples} samples measure nothing.", "Ask for at least one.")
