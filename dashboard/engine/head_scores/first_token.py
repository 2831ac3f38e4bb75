"""How much of a head's attention rests on the first token."""

import torch
from jaxtyping import Float
from torch import Tensor

from dashboard.engine.head_scores.score import HEAD_SCORES, HeadScore, Rows


def of_rows(rows: Rows) -> Float[Tensor, "head row"]:
    """A[q, 0]; the first query does not count."""
    return rows.weights[..., 0].masked_fill(rows.queries == 0, torch.nan)


HEAD_SCORES.add(
    "first_token",
    HeadScore(
        name="first_token",
        title="First token (sink)",
        meaning="Share of attention on the first token. Near 1: the head is resting, not reading.",
        formula=r"\operatorname{mean}_{q \ge 1} A_{q0}",
        source="Xiao et al. 2024, section 3.1",
        unit="",
        top=1.0,
        of_rows=of_rows,
    ),
)
