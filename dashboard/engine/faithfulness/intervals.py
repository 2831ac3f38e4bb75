"""Means over texts with what other texts of the same kind might have given."""

import numpy as np
from jaxtyping import Float
from scipy import stats

from dashboard.engine.faithfulness.studies import Interval

_RESAMPLES = 2_000


def bootstrap(values: Float[np.ndarray, "text"], seed: int) -> Interval:
    """The mean and its 95% percentile interval over 2,000 resamples of the texts.

    Source: Efron 1979; scipy.stats.bootstrap.
    """
    mean = float(np.mean(values)) if len(values) else float("nan")
    if len(values) < 2:
        return Interval(mean, float("nan"), float("nan"))
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=_RESAMPLES, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high))
