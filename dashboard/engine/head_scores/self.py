"""How much a head looks at the query's own token."""

from jaxtyping import Float
from torch import Tensor

from dashboard.engine.head_scores.score import HEAD_SCORES, HeadScore, Rows


def of_rows(rows: Rows) -> Float[Tensor, "head row"]:
    """A[q, q]."""
    return rows.at(rows.queries)


HEAD_SCORES.add(
    "self",
    HeadScore(
        name="self",
        title="Self",
        meaning="Share of attention on the query's own token. Near 1: the head passes its own token on.",
        formula=r"\operatorname{mean}_q A_{qq}",
        source="Clark et al. 2019, section 3.1",
        unit="",
        top=1.0,
        of_rows=of_rows,
        along=True,
    ),
)
