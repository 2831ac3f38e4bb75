"""How evenly a head spreads its attention."""

import torch
from jaxtyping import Float
from torch import Tensor

from dashboard.engine.head_scores.score import HEAD_SCORES, HeadScore, Rows


def of_rows(rows: Rows) -> Float[Tensor, "head row"]:
    """−Σ A ln A / ln of the number of visible keys; rows that see a single key do not count."""
    entropy = torch.special.entr(rows.weights).sum(-1)  # [head, row]
    n_visible = rows.visible.sum(-1)  # [row]
    return (entropy / n_visible.float().log()).masked_fill(n_visible < 2, torch.nan)


HEAD_SCORES.add(
    "entropy",
    HeadScore(
        name="entropy",
        title="Entropy",
        meaning="0: each query looks at one token. 1: it looks at all visible tokens alike.",
        formula=r"\operatorname{mean}_q \frac{-\sum_k A_{qk}\ln A_{qk}}{\ln \lvert V(q) \rvert}",
        source="Clark et al. 2019, section 4.1, normalised by the number of visible keys",
        unit="",
        top=1.0,
        of_rows=of_rows,
    ),
)
