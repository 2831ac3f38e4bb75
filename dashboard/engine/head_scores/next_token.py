"""How much a head looks at the token just after."""

from jaxtyping import Float
from torch import Tensor

from dashboard.engine.head_scores.score import HEAD_SCORES, HeadScore, Rows


def of_rows(rows: Rows) -> Float[Tensor, "head row"]:
    """A[q, q + 1]; queries that may not look ahead do not count, so in a causal model none does."""
    return rows.at(rows.queries + 1)


HEAD_SCORES.add(
    "next_token",
    HeadScore(
        name="next_token",
        title="Next token",
        meaning="Share of attention on the token just after. Does not apply where a model may not look ahead.",
        formula=r"\operatorname{mean}_{q:\, q+1 \in V(q)} A_{q,q+1}",
        source="Clark et al. 2019, section 3.1",
        unit="",
        top=1.0,
        of_rows=of_rows,
        along=True,
    ),
)
