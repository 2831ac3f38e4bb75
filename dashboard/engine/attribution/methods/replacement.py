"""What happens with a stand-in instead of this token: a causal measurement, one run a token."""

import numpy as np

from dashboard.engine.attribution.method import METHODS, Method, Scored, forward_passes
from dashboard.engine.attribution.perturbation import stand_in, values_of_subsets
from dashboard.engine.attribution.question import Question
from dashboard.engine.attribution.result import Options
from dashboard.engine.progress import Progress


def run(question: Question, options: Options, report: Progress) -> Scored:
    """value(all tokens) − value(the mask or padding token instead of this one; the mean colour in an image's patch).

    Tokens that are the stand-in already get NaN: putting it there changes nothing and so says nothing. So do those of
    an image that are no patches.
    """
    n_tokens, model, tokens = question.n_tokens, question.trace.model, question.trace.tokens
    if model.vision is not None:
        left_out, what = [token.special for token in tokens], "the mean colour"
    else:
        put = stand_in(question)
        left_out, what = [token.id == put for token in tokens], model.tokenizer.convert_ids_to_tokens(put)
    replaced = np.flatnonzero(~np.array(left_out))
    keep = np.vstack([np.ones((1, n_tokens), bool), ~np.eye(n_tokens, dtype=bool)[replaced]])  # [run, token]
    whole, *without = values_of_subsets(question, keep, "replace", report, f"Replacing each of {len(replaced)} tokens")
    scores = np.full(n_tokens, np.nan, np.float32)
    scores[replaced] = whole - np.array(without)
    return Scored(scores, notes=(f"What stands in: {what}.",))


METHODS.add(
    "replacement",
    Method(
        name="replacement",
        title="Replace one",
        family="causal",
        kind="causal",
        formula=r"f_y(x) - f_y(x_{i \to \mathrm{mask}})",
        meaning="How much the target loses when the mask or padding token stands in this token's place, or the mean "
        "colour in an image's patch.",
        caveat="Measured, but the stand-in is a token with a meaning of its own: a decoder that was never trained "
        "with it reacts to the odd text, not only to what is gone.",
        source="Zeiler & Fergus 2014 (occlusion); Feng et al. 2018 (what odd inputs do)",
        unit="value",
        signed=True,
        cost=lambda trace, options: forward_passes(trace, len(trace.tokens) + 1),
        run=run,
    ),
)
