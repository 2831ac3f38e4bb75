"""What the predicting place attends to: the simplest thing one can read off.

Where a model writes a target from a source, that is the cross-attention of the token as it is written.
"""

import torch

from dashboard.engine.attribution.method import METHODS, Cost, Method, Option, Scored
from dashboard.engine.attribution.propagation import layer_choices, notes_on_the_way, reading_passes, start, times
from dashboard.engine.attribution.question import Question
from dashboard.engine.attribution.result import Options
from dashboard.engine.progress import Progress, part_of
from dashboard.engine.tracing.trace import Trace

_OF_CROSS = (
    "The cross-attention from which “{text}” is written: how the decoder's last position before it looks at the "
    "source, as the encoder has mixed it. What the decoder takes from the target's beginning is not in it."
)


def _head_choices(trace: Trace) -> tuple[str, ...]:
    return ("mean", *(str(head) for head in range(trace.site().n_heads)))


def run(question: Question, options: Options, report: Progress) -> Scored:
    """Mean over the chosen layers and heads of Σ_q reading[q] · A[q, k]."""
    trace, step = question.trace, question.trace.prediction.step
    site = trace.site().name
    chosen = [
        (index, layer)
        for index, layer in enumerate(trace.layers[site])
        if layer is not None
        and options["layer"] in ("mean", str(index))
        # Layers need not have equally many heads: the mean is over those that have this one.
        and (options["head"] == "mean" or options["layer"] != "mean" or int(options["head"]) < layer.n_heads)
    ]
    if step is None:
        reading, notes = start(question, part_of(report, 0.0, 0.5)), notes_on_the_way(question)
    else:
        written = trace.site().query_tokens
        reading = torch.eye(len(written), device=chosen[0][1].device)[step]
        notes = (_OF_CROSS.format(text=written[step].text),)
    total = torch.zeros(question.n_tokens, device=reading.device)
    for n_done, (index, layer) in enumerate(chosen):
        report("Reading the attention", 0.5 + 0.5 * n_done / len(chosen))
        heads = slice(None)
        if options["head"] != "mean":
            head = int(options["head"])
            trace.layer(index, head, site)
            heads = slice(head, head + 1)
        n_heads = len(range(*heads.indices(layer.n_heads)))
        total += times(reading, lambda rows: layer.weights(heads, rows).mean(0), n_heads * layer.n_keys)  # noqa: B023
    return Scored((total / len(chosen)).cpu().numpy(), notes=notes)


METHODS.add(
    "raw_attention",
    Method(
        name="raw_attention",
        title="Raw attention",
        family="attention",
        kind="descriptive",
        formula=r"\frac{1}{|L||H|}\sum_{l,h} A^{l,h}_{p,i}",
        meaning="The share of its attention that the predicting place gives to this token's position.",
        caveat="Where a head looks is not what the model uses, and after the first layer a position holds more than "
        "its own token.",
        source="Bahdanau et al. 2015; on its limits Jain & Wallace 2019, Wiegreffe & Pinter 2019",
        unit="share of attention",
        signed=False,
        cost=lambda trace, options: Cost(0.1 + reading_passes(trace), 16 * 2**20),
        run=run,
        for_target=False,
        options=(
            Option("layer", "Layer", layer_choices, "mean", "One layer, or the mean over all of them."),
            Option("head", "Head", _head_choices, "mean", "One head, or the mean over all heads of a layer."),
        ),
    ),
)
