"""What happens without this token: a causal measurement, one run a token."""

import numpy as np
import torch
from jaxtyping import Float

from dashboard.engine.attribution import METHODS, Method, Question
from dashboard.engine.progress import Progress

_TOKENS_AT_ONCE = 512
_LARGEST_BATCH = 32


def run(question: Question, report: Progress) -> Float[np.ndarray, "token"]:
    """p(target | all tokens) − p(target | all but this one), each token hidden from attention in all layers."""
    n_tokens = question.n_tokens
    keep = ~torch.eye(n_tokens, dtype=torch.bool)  # [left out, token]
    whole = question.value(question.logits(torch.ones(1, n_tokens, dtype=torch.bool)))
    batch = min(_LARGEST_BATCH, max(1, _TOKENS_AT_ONCE // n_tokens))
    without = []
    for at in range(0, n_tokens, batch):
        report(f"Leaving out token {at + 1} of {n_tokens}", at / n_tokens)
        without.append(question.value(question.logits(keep[at : at + batch])))
    return (whole - torch.cat(without)).cpu().numpy()


METHODS.add(
    "leave_one_out",
    Method(
        name="leave_one_out",
        title="Leave one out",
        kind="causal",
        formula=r"p(y \mid x) - p(y \mid x \setminus x_i)",
        meaning="How much the target loses when attention cannot see this token, in any layer.",
        caveat="Measured, not estimated; but it leaves out one token at a time, so two that stand in "
        "for each other both look unimportant.",
        source="Zeiler & Fergus 2014 (occlusion); Li et al. 2016 (erasure)",
        unit="probability",
        signed=True,
        passes=lambda n_tokens: n_tokens + 1,
        run=run,
    ),
)
