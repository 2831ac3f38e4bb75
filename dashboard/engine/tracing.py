"""One input through one model: tokens, prediction, and any attention weight of any head."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dashboard.engine.attention import Layer
from dashboard.engine.devices import memory_messages
from dashboard.engine.encoding import Encoded, encode
from dashboard.engine.errors import InvalidInput, Unsupported
from dashboard.engine.head_scores import HEAD_SCORES, compute_head_scores
from dashboard.engine.heat_maps import HeadReduction, HeatMap, Hidden, Pooling, heat_map, thumbnails
from dashboard.engine.loading import LoadedModel
from dashboard.engine.passes import run_layers
from dashboard.engine.preflight import check_view, guarded
from dashboard.engine.progress import Progress, silent
from dashboard.engine.sites import Site, reading_head, self_attention
from dashboard.engine.tasks import Choice, Input, Prediction, Readout, make_choice, predict
from dashboard.engine.tokens import Token

OUTPUT_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""How far rebuilt weights times values may be from the kernel's own output; see attention.output_error."""


@dataclass(frozen=True, eq=False)
class Trace:
    """One input through one model. Holds queries and keys, never a T×T tensor (unless the model allows nothing else).

    Attributes:
        text: What was put in; the two texts of a pair are joined by a line break, a continuation follows its prompt.
        tokens: The input's tokens.
        prediction: What the model says.
        sites: Where there is attention to look at.
        seconds: How long the forward pass took.
        output_error: Largest relative error of rebuilt attention's output over all layers; None when read by eager.
        model: The model, for methods that run it again.
        encoded: The input as tensors.
        readout: From outputs to the explained logits.
    """

    text: str
    tokens: tuple[Token, ...]
    prediction: Prediction
    sites: tuple[Site, ...]
    seconds: float
    output_error: float | None
    model: LoadedModel = field(repr=False)
    encoded: Encoded = field(repr=False)
    readout: Readout = field(repr=False)
    logits: Float[Tensor, "choice"] = field(repr=False)
    layers: dict[str, tuple[Layer | None, ...]] = field(repr=False)

    @property
    def key(self) -> tuple[Any, ...]:
        """Names the model and the input exactly, to key results by.

        The model's serial number, what was given, what was appended, and `at` in the fourth place if one was asked for.
        """
        encoded = self.encoded
        return (self.model.serial, encoded.given, encoded.continued, *(() if encoded.at is None else (encoded.at,)))

    @property
    def given(self) -> Input:
        """What the model's task may know of the input."""
        return Input(self.text, self.tokens, self.encoded.at, self.model.tokenizer, self.model.network.config)

    @property
    def nbytes(self) -> int:
        """Memory that the attention needs while the trace is kept."""
        return sum(layer.nbytes for layers in self.layers.values() for layer in layers if layer is not None)

    def choice(self, target: int | None = None) -> Choice:
        """The most probable choice, or any other by its `id`.

        Raises:
            InvalidInput: The model has no such choice, or not on this input.
        """
        if target is None:
            return self.prediction.choices[0]
        if not 0 <= target < len(self.logits):
            raise InvalidInput(
                f"The model has no choice number {target}.", f"It has {len(self.logits):,}, counted from 0."
            )
        self.model.task.check_choice(self.given, target)
        return make_choice(self.model.task, self.logits, target, self.given)

    def site(self, name: str = "self") -> Site:
        """The site of that name.

        Raises:
            InvalidInput: The trace has no such site.
        """
        for site in self.sites:
            if site.name == name:
                return site
        raise InvalidInput(
            f"There is no “{name}” attention in this trace.",
            f"Choose one of: {', '.join(site.name for site in self.sites)}.",
        )

    def layer(self, layer: int, head: int | None = None, site: str = "self") -> Layer:
        """One layer's attention, after checking that layer and head exist.

        Raises:
            InvalidInput: They do not.
            Unsupported: The layer mixes tokens without softmax attention.
        """
        self.site(site)
        layers = self.layers[site]
        if not 0 <= layer < len(layers):
            raise InvalidInput(
                f"There is no layer {layer}.", f"Layers are numbered 0 to {len(layers) - 1} in this model."
            )
        chosen = layers[layer]
        if chosen is None:
            raise Unsupported(f"Layer {layer} has no softmax attention.", "Choose another layer.")
        if head is not None and not 0 <= head < chosen.n_heads:
            raise InvalidInput(
                f"There is no head {head}.", f"Heads are numbered 0 to {chosen.n_heads - 1} in this model."
            )
        return chosen

    def attention(
        self, layer: int, head: int | None = None, *, rows: slice = slice(None), site: str = "self"
    ) -> Float[np.ndarray, "*head query key"]:
        """Exact weights of one head, or of all heads of the layer; each row sums to 1 (less where there is a sink).

        Args:
            layer: Counted from 0.
            head: Counted from 0; None gives all heads, with a leading head axis.
            rows: Which queries.
            site: Which attention.
        """
        chosen = self.layer(layer, head, site)
        rows = slice(*rows.indices(chosen.n_queries))
        if rows.step != 1 or rows.start >= rows.stop:
            raise InvalidInput(f"The rows {rows.start}:{rows.stop}:{rows.step} are not a run of queries.", "Name some.")
        if head is None:
            return chosen.weights(slice(None), rows).cpu().numpy()
        return chosen.weights(slice(head, head + 1), rows)[0].cpu().numpy()

    def heat_map(
        self,
        layer: int,
        head: int,
        *,
        site: str = "self",
        over: HeadReduction = "head",
        hide: Hidden = "nothing",
        words: bool = False,
        window: tuple[int, int, int, int] | None = None,
        max_pixels: int = 256,
        pooling: Pooling = "max",
    ) -> HeatMap:
        """One head's attention for the screen; see heat_maps.heat_map."""
        where = self.site(site)
        chosen = self.layer(layer, head, site)
        with memory_messages(f"drawing layer {layer}", chosen.device):
            return heat_map(
                chosen,
                where.query_tokens,
                where.key_tokens,
                head=head,
                over=over,
                hide=hide,
                words=words,
                window=window,
                max_pixels=max_pixels,
                pooling=pooling,
            )

    def thumbnails(
        self, max_pixels: int = 64, site: str = "self", pooling: Pooling = "max"
    ) -> UInt8[np.ndarray, "layer head query_pixel key_pixel"]:
        """Every head's pattern, small; see heat_maps.thumbnails."""
        self.site(site)
        check_view(self, "thumbnails", max_pixels=max_pixels, site=site)
        with memory_messages("drawing all heads", self.model.device):
            return thumbnails(self.layers[site], max_pixels, pooling)

    def reading_head(self, query: int, site: str = "self") -> tuple[int, int]:
        """The layer and head that look hardest from this query at one other ordinary token.

        The first token and special tokens are left out: heads rest on them. It gives the page something to start with.
        """
        where = self.site(site)
        return reading_head(self.layers[site], where.key_tokens, query)

    def head_scores(self, name: str, site: str = "self") -> Float[np.ndarray, "layer head"]:
        """One score for every head.

        Raises:
            InvalidInput: There is no score of that name.
        """
        return self.all_head_scores([name], site)[name]

    def all_head_scores(
        self, names: Sequence[str] | None = None, site: str = "self", progress: Progress = silent
    ) -> dict[str, Float[np.ndarray, "layer head"]]:
        """Several scores (all, by default) for every head, in one pass over the weights."""
        where = self.site(site)
        names = list(HEAD_SCORES) if names is None else names
        for name in names:
            if name not in HEAD_SCORES:
                raise InvalidInput(f"There is no head score “{name}”.", f"Choose one of: {', '.join(HEAD_SCORES)}.")
        with memory_messages("scoring the heads", self.model.device):
            return compute_head_scores(self.layers[site], where.query_tokens, where.key_tokens, names, progress)


def trace(
    model: LoadedModel,
    text: str | tuple[str, str],
    progress: Progress = silent,
    *,
    continued: Sequence[int] = (),
    at: int | None = None,
) -> Trace:
    """Runs the model once on the text and keeps what its attention depends on.

    Args:
        model: Whose network runs.
        text: One text, or the two of a pair.
        progress: Told how many layers are done.
        continued: Tokens to append to the text (`Generation.ids`), so that the token after them is predicted.
        at: Which token's label is explained, or which blank is filled in; by default the first label other than
            "outside", the first blank.

    Raises:
        InvalidInput: A text is empty, too long, or lacks what the task needs (a mask token, a second text); the model
            takes no pairs, does not continue texts, or predicts nothing at `at`.
        Unsupported: The rebuilt attention does not reproduce this pass: nothing is drawn.
        OutOfMemory: The device could not hold it.
    """
    encoded = encode(model, text, continued, at)
    tokens = encoded.tokens(model.tokenizer)
    given = Input(encoded.text, tokens, at, model.tokenizer, model.network.config)
    model.task.check(given)

    def report(n_done: int) -> None:
        progress(f"Running {model.title} on {len(tokens):,} tokens", n_done / model.facts.n_layers)

    with model.running(), torch.no_grad(), guarded(model, len(tokens)):
        started = time.perf_counter()
        ran = run_layers(model, encoded.inputs, report)
        position = model.task.position(given, ran.outputs)
        readout = model.task.readout(given, position, ran.outputs)
        # A copy: a row of all positions' logits would keep them all.
        logits = readout(ran.outputs, torch.ones_like(encoded.inputs["input_ids"]))[0].clone()
        labels = model.task.labels(given, ran.outputs)
        seconds = time.perf_counter() - started
    layers, error = ran.layers, ran.output_error
    if not bool(logits.isfinite().all()):
        raise Unsupported(
            f"{model.title} computed numbers that are not finite on this text (in {model.facts.dtype}).",
            "Load it in float32, or check its weights.",
        )
    tolerance = OUTPUT_TOLERANCE.get(model.network.dtype, 1e-4)
    if error is not None and not error <= tolerance:
        raise Unsupported(
            f"On this text the rebuilt attention of {model.title} misses the model's own output by {error:.1e}.",
            "Nothing is drawn that is not what the model computes: try another text or model.",
        )
    return Trace(
        text=encoded.text,
        tokens=tokens,
        prediction=predict(model.task, logits, position, given, labels),
        sites=(self_attention(layers, tokens),),
        seconds=seconds,
        output_error=error,
        model=model,
        encoded=encoded,
        readout=readout,
        logits=logits,
        layers={"self": layers},
    )
