"""What the predicting place attends to: the simplest thing one can read off."""

import torch

from dashboard.engine.attribution import METHODS, Cost, Method, Option, Options, Question, Scored
from dashboard.engine.following import layer_choices, notes_on_the_way, present_layers, reading_passes, start, times
from dashboard.engine.progress import Progress, part_of
from dashboard.engine.tracing import Trace


def _head_choices(trace: Trace) -> tuple[str, ...]:
    return ("mean", *(str(head) for head in range(trace.site().n_heads)))


def run(question: Question, options: Options, report: Progress) -> Scored:
    """Mean over the chosen layers and heads of Σ_q reading[q] · A[q, k]."""
    trace = question.trace
    chosen = [
        (index, layer)
        for index, layer in present_layers(trace)
        if options["layer"] in ("mean", str(index))
        # Layers need not have equally many heads: the mean is over those that have this one.
        and (options["head"] == "mean" or options["layer"] != "mean" or int(options["head"]) < layer.n_heads)
    ]
    reading = start(question, part_of(report, 0.0, 0.5))
    total = torch.zeros_like(reading)
    for n_done, (index, layer) in enumerate(chosen):
        report("Reading the attention", 0.5 + 0.5 * n_done / len(chosen))
        heads = slice(None)
        if options["head"] != "mean":
            head = int(options["head"])
            trace.layer(index, head)
            heads = slice(head, head + 1)
        n_heads = len(range(*heads.indices(layer.n_heads)))
        total += times(reading, lambda rows: layer.weights(heads, rows).mean(0), n_heads * layer.n_keys)  # noqa: B023
    return Scored((total / len(chosen)).cpu().numpy(), notes=notes_on_the_way(question))


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
