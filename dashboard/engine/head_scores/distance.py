"""How far a head looks."""

from jaxtyping import Float
from torch import Tensor

from dashboard.engine.head_scores.score import HEAD_SCORES, HeadScore, Rows


def of_rows(rows: Rows) -> Float[Tensor, "head row"]:
    """Σ A[q, k]·|q − k|, in tokens."""
    far = (rows.queries[:, None] - rows.keys).abs().float()  # [row, key]
    return (rows.weights * far).sum(-1)


HEAD_SCORES.add(
    "distance",
    HeadScore(
        name="distance",
        title="Distance",
        meaning="How many tokens away a query looks, on average. Small: local. Large: far back.",
        formula=r"\operatorname{mean}_q \sum_k A_{qk}\,\lvert q-k \rvert",
        source="Vig & Belinkov 2019, section 4.3",
        unit="tokens",
        top=None,
        of_rows=of_rows,
        along=True,
    ),
)
