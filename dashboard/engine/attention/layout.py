"""Which attention of a model each call of a forward pass is: found once, at load, by a probe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dashboard.engine.errors import Unsupported

T = TypeVar("T")


@dataclass(frozen=True)
class SiteKind:
    """A kind of attention that a model can have.

    Attributes:
        title: For people.
        meaning: What attends to what, one sentence.
        outputs: What transformers calls the weights in a model's outputs.
        causal: It never looks ahead, whatever the model is.
    """

    title: str
    meaning: str
    outputs: str
    causal: bool = False


SITES: dict[str, SiteKind] = {
    "self": SiteKind("Self-attention", "The input attends to itself.", "attentions"),
    "encoder": SiteKind("Encoder", "The source attends to itself.", "encoder_attentions"),
    "decoder": SiteKind(
        "Decoder", "What is written so far attends to itself and never ahead.", "decoder_attentions", causal=True
    ),
    "cross": SiteKind(
        "Cross-attention", "Each token of the target, as it is written, attends to the source.", "cross_attentions"
    ),
}


@dataclass(frozen=True)
class Layout:
    """The site and layer of each attention call of a forward pass, in the order of the calls.

    Attributes:
        calls: Site and layer; empty for models whose attention is read by eager.
        n_layers: Layers of each site, those without softmax attention included.
    """

    calls: tuple[tuple[str, int], ...]
    n_layers: Mapping[str, int]

    def arrange(self, found: Sequence[T]) -> dict[str, tuple[T | None, ...]]:
        """What the calls of one pass left behind, by site and layer; None where a layer has no softmax attention.

        Raises:
            Unsupported: There were not as many calls as at load.
        """
        if len(found) != len(self.calls):
            raise Unsupported(
                f"Attention was called {len(found)} times in this pass and {len(self.calls)} times when the model was "
                "checked, so its layers cannot be told apart.",
                "Try another input or model.",
            )
        arranged: dict[str, list[T | None]] = {site: [None] * n for site, n in self.n_layers.items()}
        for (site, layer), one in zip(self.calls, found, strict=True):
            arranged[site][layer] = one
        return {site: tuple(layers) for site, layers in arranged.items()}


def numbered(indices: Sequence[int | None], n_layers: int) -> tuple[list[int], int]:
    """The layer of each call, and how many layers there are: by the modules' own numbers where they have such.

    Args:
        indices: The number that each call's module gives itself.
        n_layers: What the configuration says; 0 where it says nothing.

    Raises:
        Unsupported: Some layers gave nothing, and which ones is not known.
    """
    known = [index for index in indices if index is not None]
    if len(set(known)) == len(indices) and max(known) < max(n_layers, len(indices)):
        return known, max(n_layers, max(known) + 1)
    if len(indices) < n_layers:
        raise Unsupported(
            f"The model does not say to which of its {n_layers} layers the attention of {len(indices)} belongs.",
            "Choose another model; nothing is drawn that is not what the model computes.",
        )
    return list(range(len(indices))), len(indices)
