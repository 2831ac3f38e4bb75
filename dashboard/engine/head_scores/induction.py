"""How much a head looks at what followed the query's token before."""

import torch
from jaxtyping import Float
from torch import Tensor

from dashboard.engine.head_scores.score import HEAD_SCORES, HeadScore, Rows


def of_rows(rows: Rows) -> Float[Tensor, "head row"]:
    """Σ A[q, k] over earlier keys k that follow a copy of the query's token; queries without a copy do not count."""
    again = rows.equal_before.any(-1)  # [row]
    after = rows.equal_before.roll(1, -1) & (rows.keys >= 1) & (rows.keys < rows.queries[:, None])  # [row, key]
    return rows.share(after).masked_fill(~again, torch.nan)


HEAD_SCORES.add(
    "induction",
    HeadScore(
        name="induction",
        title="Induction",
        meaning="Share of attention on what followed the same token earlier. Near 1: the head continues repetitions.",
        formula=r"\operatorname{mean}_{q \in D} \sum_{1\le k<q, t_{k-1}=t_q} A_{qk},\ D=\{q: \exists k<q,\, t_k=t_q\}",
        source="Olsson et al. 2022 (prefix matching)",
        unit="",
        top=1.0,
        of_rows=of_rows,
        along=True,
    ),
)
