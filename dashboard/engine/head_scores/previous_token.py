"""How much a head looks at the token just before."""

import torch
from jaxtyping import Float
from torch import Tensor

from dashboard.engine.head_scores.score import HEAD_SCORES, HeadScore, Rows


def of_rows(rows: Rows) -> Float[Tensor, "head row"]:
    """A[q, q − 1]; the first query does not count."""
    before = (rows.queries - 1).clamp_min(0).expand(rows.weights.shape[0], -1)[..., None]  # [head, row, 1]
    return rows.weights.gather(-1, before)[..., 0].masked_fill(rows.queries == 0, torch.nan)


HEAD_SCORES.add(
    "previous_token",
    HeadScore(
        name="previous_token",
        title="Previous token",
        meaning="Share of attention on the token just before. Near 1: the head copies its neighbour.",
        formula=r"\operatorname{mean}_{q \ge 1} A_{q,q-1}",
        source="Voita et al. 2019, section 5.2 (positional heads)",
        unit="",
        top=1.0,
        of_rows=of_rows,
        along=True,
    ),
)
