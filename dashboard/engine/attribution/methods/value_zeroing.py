"""How far each layer's outputs turn when one token's values are missing in that layer."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dashboard.engine.attention.hooks import AttentionHooks
from dashboard.engine.attention.layers import RebuiltLayer, row_blocks
from dashboard.engine.attention.layout import Layout
from dashboard.engine.attention.recording import ModuleHook, Recording, recording
from dashboard.engine.attribution.method import METHODS, Cost, Method, Scored, forward_passes
from dashboard.engine.attribution.propagation import notes_on_the_way, reading_passes, resting, start
from dashboard.engine.attribution.question import Question
from dashboard.engine.attribution.result import Options
from dashboard.engine.internals.module_calls import tensors
from dashboard.engine.internals.residual_stream import rebuilt_layers
from dashboard.engine.internals.wiring import Wiring, wiring
from dashboard.engine.progress import Progress, part_of
from dashboard.engine.tracing.trace import Trace

_TOKENS_AT_ONCE = 512
_LARGEST_BATCH = 32


@dataclass(frozen=True, eq=False)
class _BlockCall:
    """How a block was called, so that it can be called again, and what it gave."""

    layer: int
    block: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Float[Tensor, "token hidden"]

    def again(self, batch: int) -> Float[Tensor, "batch token hidden"]:
        """The block on copies of the same states; all else it was given is the same for each text of a batch."""
        states = next(tensors((self.args, self.kwargs)))
        copies = states.expand(batch, *states.shape[1:])
        args = tuple(copies if value is states else value for value in self.args)
        kwargs = {name: copies if value is states else value for name, value in self.kwargs.items()}
        return next(tensors(self.block(*args, **kwargs)))


def _keeping_calls(wired: Wiring, into: Recording) -> list[_BlockCall]:
    kept: list[_BlockCall] = []

    def keep(block: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        index = wired.present[len(kept)].index
        kept.append(_BlockCall(index, block, args, kwargs, next(tensors(output))[0].detach()))

    for block in {layer.block for layer in wired.present}:
        into.hook(block, ModuleHook(after=keep))
    return kept


def _cosine_distance(
    changed: Float[Tensor, "batch token hidden"], original: Float[Tensor, "token hidden"]
) -> Float[Tensor, "batch token"]:
    """1 − cos, as half the squared distance of the directions: exact where it is tiny."""
    directions = [v.float() / v.float().norm(dim=-1, keepdim=True).clamp_min(1e-30) for v in (changed, original)]
    return (directions[0] - directions[1]).square().sum(-1) / 2


def _silencing(hooks: AttentionHooks, tokens: list[int], layer: int) -> Recording:
    """A run of one layer on a batch: in each row another token's values are zero, beside what the trace changed."""
    (own,) = hooks.of_rows(1)
    silenced = (replace(own, silenced_values=own.silenced_values | {token}) for token in tokens)
    return Recording(AttentionHooks(tuple(silenced)), Layout((("self", layer),), {"self": layer + 1}))


@torch.no_grad()
def _moved(
    question: Question, call: _BlockCall, layer: RebuiltLayer, relevance: Float[Tensor, "token"], report: Progress
) -> Float[Tensor, "token"]:
    """Relevance · C for one layer; C[i, j] says how far the output at i turns without token j's values."""
    n_tokens, model = question.n_tokens, question.trace.model
    batch = min(_LARGEST_BATCH, max(1, _TOKENS_AT_ONCE // n_tokens))
    asked = relevance.nonzero()[:, 0].tolist() or [0]
    rows = slice(asked[0], asked[-1] + 1)  # outside of it nothing is asked for
    found = torch.zeros(rows.stop - rows.start, n_tokens, device=relevance.device)  # [row, key]
    for tokens in torch.arange(n_tokens, device=relevance.device).split(batch):
        report(f"Running each layer without each of {n_tokens} tokens' values", float(tokens[0]) / n_tokens)
        with model.running(), recording(_silencing(question.trace.hooks, tokens.tolist(), call.layer)):
            found[:, tokens] = _cosine_distance(call.again(len(tokens))[:, rows], call.output[rows]).T
    for block in row_blocks(len(found), n_tokens):
        # A row that does not see the token cannot turn: the rest is rounding.
        found[block] *= layer.visible(slice(rows.start + block.start, rows.start + block.stop))
    sums = found.sum(1)
    moved = torch.where(sums > 0, relevance[rows] / sums.clamp_min(1e-30), 0) @ found
    moved[rows] += torch.where(sums > 0, 0, relevance[rows])  # rows that nothing turns keep to themselves
    return moved


def run(question: Question, options: Options, report: Progress) -> Scored:
    """The reading row of C_L ⋯ C_1, each row-normalised; no identity is added, the residual stream is in it already."""
    trace, model = question.trace, question.trace.model
    wired = wiring(model)
    relevance = start(question, part_of(report, 0.0, 0.1))
    there = part_of(report, 0.1, 0.15)
    into = trace.recording(lambda n: there("Keeping how each layer is called", n / len(wired.present)))
    calls = _keeping_calls(wired, into)
    with model.running(), torch.no_grad():
        question.whole(into)
    layers = list(zip(rebuilt_layers(trace), calls, strict=True))
    for n_done, (layer, call) in enumerate(reversed(layers)):
        step = part_of(report, 0.15 + 0.85 * n_done / len(layers), 0.15 + 0.85 * (n_done + 1) / len(layers))
        relevance = _moved(question, call, layer, relevance, step)
    scores = relevance.cpu().numpy()
    return Scored(scores, resting(scores), notes_on_the_way(question))


def _cost(trace: Trace, options: Options) -> Cost:
    """Every layer runs once for each token; one T×T matrix is held at a time."""
    base = forward_passes(trace, len(trace.tokens) + 1 + reading_passes(trace))
    config = trace.model.config
    kept = len(trace.tokens) * config.hidden_size * trace.model.facts.n_layers * trace.model.network.dtype.itemsize
    return Cost(base.passes, base.bytes + kept + 4 * len(trace.tokens) ** 2)


METHODS.add(
    "value_zeroing",
    Method(
        name="value_zeroing",
        title="Value zeroing",
        family="attention",
        kind="decomposition",
        formula=r"\left(C_L \cdots C_1\right)_{p,i},\quad c_{ij} \propto "
        r"1 - \cos\left(\tilde x_i,\; \tilde x_i^{\,\setminus v_j}\right)",
        meaning="The share of this token, rolled out through the layers, by how far each layer's outputs turn when a "
        "token's value vectors are zero in that layer only.",
        caveat="Each layer is measured alone and the layers are then multiplied, which nothing measures; it does not "
        "know what is predicted.",
        source="Mohebbi et al. 2023",
        unit="share of change",
        signed=False,
        cost=_cost,
        run=run,
        one_stack=True,
        captured=True,
        for_target=False,
    ),
)
