"""How long the vectors are that attention fetches from each token, instead of how much it attends."""

import torch
from jaxtyping import Float
from torch import Tensor

from dashboard.engine.attribution.method import METHODS, Cost, Method, Option, Scored
from dashboard.engine.attribution.propagation import layer_choices, notes_on_the_way, reading_passes, start, times
from dashboard.engine.attribution.question import Question
from dashboard.engine.attribution.result import Options
from dashboard.engine.internals.residual_stream import SplitAttention, rebuilt_layers
from dashboard.engine.internals.wiring import wiring
from dashboard.engine.progress import Progress, part_of
from dashboard.engine.tracing.trace import Trace


def _head_choices(trace: Trace) -> tuple[str, ...]:
    return ("all", *(str(head) for head in range(trace.site().n_heads)))


def _lengths(split: SplitAttention, heads: slice, rows: slice) -> Float[Tensor, "row key"]:
    found = torch.zeros(len(range(*rows.indices(split.layer.n_queries))), split.layer.n_keys, device=split.layer.device)
    for keys, parts in split.blocks(rows, heads):
        found[:, keys] = parts.norm(dim=-1).T
    return found


def run(question: Question, options: Options, report: Progress) -> Scored:
    """Mean over the chosen layers of Σ_q reading[q] · ‖Σ_h A[h, q, k] v_k W_O^h‖ over the chosen heads."""
    trace = question.trace
    present = wiring(trace.model).present
    reading = start(question, part_of(report, 0.0, 0.5))
    one_head = None if options["head"] == "all" else int(options["head"])
    splits = []
    for layer, wired in zip(rebuilt_layers(trace), present, strict=True):
        if options["layer"] == str(wired.index):
            trace.layer(wired.index, one_head)
        elif options["layer"] != "mean" or (one_head is not None and one_head >= layer.n_heads):
            continue
        splits.append((layer, wired))
    heads = slice(None) if one_head is None else slice(one_head, one_head + 1)
    total = torch.zeros_like(reading)
    for n_done, (layer, wired) in enumerate(splits):

        def told(fraction: float, n_done: int = n_done) -> None:
            report("Measuring what attention fetches", 0.5 + 0.5 * (n_done + fraction) / len(splits))

        split = SplitAttention(layer, wired)
        total += times(reading, lambda rows: _lengths(split, heads, rows), split.numbers_per_row, told)  # noqa: B023
    return Scored((total / len(splits)).cpu().numpy(), notes=notes_on_the_way(question))


METHODS.add(
    "value_weighted",
    Method(
        name="value_weighted",
        title="Value-weighted attention",
        family="attention",
        kind="descriptive",
        formula=r"\frac{1}{|L|}\sum_l\left\lVert \sum_h A^{l,h}_{p,i}\, v^{l,h}_i W_O^{l,h} \right\rVert_2",
        meaning="How long the vector is that the predicting place fetches from this token's position.",
        caveat="Attention to a token with a tiny value vector is no longer counted, but length says nothing about "
        "direction: the vectors need not point to the target.",
        source="Kobayashi et al. 2020, equation 5",
        unit="norm",
        signed=False,
        cost=lambda trace, options: Cost(0.5 + reading_passes(trace), 64 * 2**20),
        run=run,
        one_stack=True,
        captured=True,
        for_target=False,
        options=(
            Option("layer", "Layer", layer_choices, "mean", "One layer, or the mean over all of them."),
            Option("head", "Head", _head_choices, "all", "One head, or the sum of all heads' vectors (the paper's)."),
        ),
    ),
)
