"""What happens without this token: a causal measurement, one run a token."""

import numpy as np

from dashboard.engine.attribution.method import METHODS, Method, Scored, forward_passes
from dashboard.engine.attribution.perturbation import notes_on_hiding, values_of_subsets
from dashboard.engine.attribution.question import Question
from dashboard.engine.attribution.result import Options
from dashboard.engine.progress import Progress


def run(question: Question, options: Options, report: Progress) -> Scored:
    """value(all tokens) − value(all but this one), each token hidden from attention in all layers."""
    n_tokens = question.n_tokens
    keep = np.vstack([np.ones((1, n_tokens), bool), ~np.eye(n_tokens, dtype=bool)])  # [run, token]
    whole, *without = values_of_subsets(question, keep, "mask", report, f"Leaving out each of {n_tokens} tokens")
    return Scored(whole - np.array(without), notes=notes_on_hiding(question))


METHODS.add(
    "leave_one_out",
    Method(
        name="leave_one_out",
        title="Leave one out",
        family="causal",
        kind="causal",
        formula=r"f_y(x) - f_y(x \setminus x_i)",
        meaning="How much the target loses when attention cannot see this token, in any layer.",
        caveat="Measured, not estimated; but it leaves out one token at a time, so two that stand in "
        "for each other both look unimportant.",
        source="Zeiler & Fergus 2014 (occlusion); Li et al. 2016 (erasure)",
        unit="value",
        signed=True,
        cost=lambda trace, options: forward_passes(trace, len(trace.tokens) + 1),
        run=run,
    ),
)
