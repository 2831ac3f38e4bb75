"""How much a head looks at earlier copies of the query's token."""

import torch
from jaxtyping import Float
from torch import Tensor

from dashboard.engine.head_scores.score import HEAD_SCORES, HeadScore, Rows


def of_rows(rows: Rows) -> Float[Tensor, "head row"]:
    """Σ A[q, k] over earlier equal tokens k; queries without one do not count."""
    again = rows.equal_before.any(-1)  # [row]
    return rows.share(rows.equal_before).masked_fill(~again, torch.nan)


HEAD_SCORES.add(
    "duplicate_token",
    HeadScore(
        name="duplicate_token",
        title="Duplicate token",
        meaning="Share of attention on earlier copies of the same token. Near 1: the head finds repetitions.",
        formula=r"\operatorname{mean}_{q \in D} \sum_{k<q,\ t_k=t_q} A_{qk},\quad D=\{q : \exists k<q,\ t_k=t_q\}",
        source="Wang et al. 2023, section 3 (duplicate token heads)",
        unit="",
        top=1.0,
        of_rows=of_rows,
        along=True,
    ),
)
