"""Methods that follow attention, by whole matrices and loops over tokens, from a twin's eager attention and weights.

A `Network` says by name where a twin keeps its parts, which the engine must find without names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

Array = np.ndarray


@dataclass(frozen=True)
class Network:
    """Where one architecture keeps its parts, by their own names.

    Attributes:
        blocks: The layers.
        value: Of a block, the module whose output holds the values, and how many of its last columns they are (0: all).
        output: Of a block, the output projection.
        joins: From a block, what came in and what attention added, to the linear maps of a token's parts and of the
            stream itself, and the state after attention: (i, part) → part, (i, x) → x, states.
        scale: Of a block, what each dimension of attention's output is multiplied by.
    """

    blocks: Callable[[Any], Any]
    value: Callable[[Any], tuple[Any, int]]
    output: Callable[[Any], Any]
    joins: Callable[[Any, Array, Array], tuple[Any, Any, Array]]
    scale: Callable[[Any], torch.Tensor] | None = None


def _pre(block: Any, x: Array, o: Array) -> tuple[Any, Any, Array]:
    return (lambda i, part: part), (lambda i, own: own), x + o


def _array(tensor: torch.Tensor) -> Array:
    return tensor.detach().double().cpu().numpy()


def _post_layer_norm(norm: Callable[[Any], Any]) -> Callable[[Any, Array, Array], tuple[Any, Any, Array]]:
    def joins(block: Any, x: Array, o: Array) -> tuple[Any, Any, Array]:
        module, z = norm(block), x + o
        weight, bias = _array(module.weight), _array(module.bias)

        def through(i: int, part: Array) -> Array:
            deviation = np.sqrt(((z[i] - z[i].mean()) ** 2).mean() + module.eps)
            return weight * (part - part.mean()) / deviation

        return through, through, np.stack([through(i, row) + bias for i, row in enumerate(z)])

    return joins


def _sandwich(block: Any, x: Array, o: Array) -> tuple[Any, Any, Array]:
    module = block.post_attention_layernorm
    weight = 1 + _array(module.weight)

    def through(i: int, part: Array) -> Array:
        return weight * part / np.sqrt((o[i] ** 2).mean() + module.eps)

    return through, (lambda i, own: own), np.stack([x[i] + through(i, o[i]) for i in range(len(x))])


def pre_norm(
    blocks: Callable[[Any], Any], value: str, output: str, scale: Callable[[Any], torch.Tensor] | None = None
) -> Network:
    """A network whose layers add attention to the stream, each dimension scaled where there is a scale."""

    def joins(block: Any, x: Array, o: Array) -> tuple[Any, Any, Array]:
        return _pre(block, x, o if scale is None else o * _array(scale(block)))

    return Network(
        blocks, lambda block: (block.get_submodule(value), 0), lambda block: block.get_submodule(output), joins, scale
    )


def _llama_like(joins: Any) -> Network:
    return Network(
        lambda twin: twin.model.layers,
        lambda block: (block.self_attn.v_proj, 0),
        lambda block: block.self_attn.o_proj,
        joins,
    )


def _bert_like(blocks: Callable[[Any], Any]) -> Network:
    return Network(
        blocks,
        lambda block: (block.attention.self.value, 0),
        lambda block: block.attention.output.dense,
        _post_layer_norm(lambda block: block.attention.output.LayerNorm),
    )


NETWORKS: dict[str, Network] = {
    "llama": _llama_like(_pre),
    "qwen3": _llama_like(_pre),
    "mistral (sliding window)": _llama_like(_pre),
    "gpt_oss (sinks)": _llama_like(_pre),
    "gpt2": Network(
        lambda twin: twin.transformer.h, lambda block: (block.attn.c_attn, 32), lambda block: block.attn.c_proj, _pre
    ),
    "gemma2 (soft cap)": _llama_like(_sandwich),
    "gemma3 (sliding window)": _llama_like(_sandwich),
    "bert for masked tokens": _bert_like(lambda twin: twin.bert.encoder.layer),
    "bert for classes": _bert_like(lambda twin: twin.bert.encoder.layer),
    "distilbert": Network(
        lambda twin: twin.transformer.layer,
        lambda block: (block.attention.v_lin, 0),
        lambda block: block.attention.out_lin,
        _post_layer_norm(lambda block: block.sa_layer_norm),
    ),
}


@dataclass(frozen=True)
class Inside:
    """One layer of a twin, as numbers.

    Attributes:
        x: What the block was given [token, hidden].
        o: What its output projection gave [token, hidden].
        weights: [head, query, key].
        parts: Σ_h A[h, q, k] v_k W_O^h [head, query, key, hidden].
        end: What the block gave [token, hidden].
    """

    x: Array
    o: Array
    weights: Array
    parts: Array
    end: Array


@torch.no_grad()
def look_inside(twin: Any, network: Network, inputs: dict[str, torch.Tensor]) -> list[Inside]:
    """All layers of one run."""
    seen: dict[tuple[int, str], Array] = {}
    hooks = []

    def first(value: Any) -> Array:
        return _array((value[0] if isinstance(value, tuple) else value)[0])

    for n, block in enumerate(network.blocks(twin)):

        def given(module: Any, args: Any, kwargs: Any, n: int = n) -> None:
            seen[n, "x"] = first(args[0] if args else kwargs["hidden_states"])

        def gave(module: Any, args: Any, result: Any, n: int = n) -> None:
            seen[n, "end"] = first(result)

        def value(module: Any, args: Any, result: Any, n: int = n) -> None:
            seen[n, "v"] = first(result)

        def added(module: Any, args: Any, result: Any, n: int = n) -> None:
            seen[n, "o"] = first(result)

        hooks += [
            block.register_forward_pre_hook(given, with_kwargs=True),
            block.register_forward_hook(gave),
            network.value(block)[0].register_forward_hook(value),
            network.output(block).register_forward_hook(added),
        ]
    attentions = twin(**inputs, output_attentions=True).attentions
    for hook in hooks:
        hook.remove()
    found = []
    for n, block in enumerate(network.blocks(twin)):
        weights = _array(attentions[n][0])
        n_heads, n_tokens, _ = weights.shape
        v = seen[n, "v"][:, -network.value(block)[1] :]
        output = network.output(block)
        w_o = _array(output.weight if hasattr(output, "nf") else output.weight.T)  # [head·dim, hidden]
        if network.scale is not None:
            w_o = w_o * _array(network.scale(block))
        dim = len(w_o) // n_heads
        group = n_heads // (v.shape[1] // dim)
        parts = np.zeros((n_heads, n_tokens, n_tokens, w_o.shape[1]))
        for h in range(n_heads):
            for k in range(n_tokens):
                head_value = v[k, (h // group) * dim : (h // group + 1) * dim]
                moved = head_value @ w_o[h * dim : (h + 1) * dim]
                for q in range(n_tokens):
                    parts[h, q, k] = weights[h, q, k] * moved
        found.append(Inside(seen[n, "x"], seen[n, "o"], weights, parts, seen[n, "end"]))
    return found


def rollout(weights: Array) -> Array:
    """R = Ã_L ⋯ Ã_1 for weights [layer, head, query, key], as whole matrices."""
    n_tokens = weights.shape[-1]
    result = np.eye(n_tokens)
    for layer in weights.astype(np.float64):
        result = (0.5 * layer.mean(0) + 0.5 * np.eye(n_tokens)) @ result
    return result


def chefer(twin: Any, inputs: dict[str, torch.Tensor], objective: Callable[[Any], torch.Tensor]) -> Array:
    """R − I with R ← R + Ā R from the bottom layer up, from the gradients of the twin's own returned attention."""
    embeddings = twin.get_input_embeddings()(inputs["input_ids"]).detach().requires_grad_()
    rest = {name: tensor for name, tensor in inputs.items() if name != "input_ids"}
    with torch.enable_grad():
        outputs = twin(**rest, inputs_embeds=embeddings, output_attentions=True)
        gradients = torch.autograd.grad(objective(outputs), outputs.attentions)
    n_tokens = embeddings.shape[1]
    result = np.eye(n_tokens)
    for weights, gradient in zip(outputs.attentions, gradients, strict=True):
        product = _array(weights[0]) * _array(gradient[0])
        result = result + np.maximum(product, 0).mean(0) @ result
    return result - np.eye(n_tokens)


def value_weighted(layer: Inside, head: int | None) -> Array:
    """‖Σ_h A[h, q, k] v_k W_O^h‖ [query, key], of all heads together or of one."""
    vectors = layer.parts.sum(0) if head is None else layer.parts[head]
    n_tokens = len(vectors)
    return np.array([[float(np.sqrt((vectors[q, k] ** 2).sum())) for k in range(n_tokens)] for q in range(n_tokens)])


def alti(network: Network, block: Any, layer: Inside) -> Array:
    """c[i, j] of one layer, by its definition, one pair of tokens at a time."""
    through, own, states = network.joins(block, layer.x, layer.o)
    n_tokens = len(states)
    found = np.zeros((n_tokens, n_tokens))
    for i in range(n_tokens):
        for j in range(n_tokens):
            part = through(i, layer.parts[:, i, j].sum(0))
            if i == j:
                part = part + own(i, layer.x[i])
            found[i, j] = max(0.0, np.abs(states[i]).sum() - np.abs(states[i] - part).sum())
        found[i] /= found[i].sum()
    return found


def alti_logit(network: Network, blocks: Any, layers: list[Inside], direction: Array) -> Array:
    """Σ_l Σ_j Δ^l_j M^{l−1}_j + x_p · u at p, the last token, with every M as a whole matrix."""
    n_tokens, p = len(layers[0].x), len(layers[0].x) - 1
    mixed = np.eye(n_tokens)
    found = np.zeros(n_tokens)
    for block, layer in zip(blocks, layers, strict=True):
        through, _, _ = network.joins(block, layer.x, layer.o)
        for j in range(n_tokens):
            found += float(through(p, layer.parts[:, p, j].sum(0)) @ direction) * mixed[j]
        mixed = alti(network, block, layer) @ mixed
    found[p] += float(layers[0].x[p] @ direction)
    return found


@torch.no_grad()
def value_zeroing(twin: Any, network: Network, inputs: dict[str, torch.Tensor]) -> list[Array]:
    """Each layer's C: the whole model runs again for each layer and token, with that token's values edited there."""
    originals = [layer.end for layer in look_inside(twin, network, inputs)]
    n_tokens, found = len(originals[0]), []
    for n, block in enumerate(network.blocks(twin)):
        module, last = network.value(block)
        distances = np.zeros((n_tokens, n_tokens))
        for j in range(n_tokens):

            def zero(module: Any, args: Any, result: torch.Tensor, j: int = j, last: int = last) -> torch.Tensor:
                changed = result.clone()
                changed[0, j, -last:] = 0
                return changed

            ends: list[Array] = []

            def gave(module: Any, args: Any, result: Any, ends: list[Array] = ends) -> None:
                ends.append(_array((result[0] if isinstance(result, tuple) else result)[0]))

            hooks = [module.register_forward_hook(zero), block.register_forward_hook(gave)]
            twin(**inputs)
            for hook in hooks:
                hook.remove()
            for i in range(n_tokens):
                a, b = originals[n][i], ends[0][i]
                if not np.array_equal(a, b):
                    distances[i, j] = 1 - float(a @ b) / float(np.sqrt(a @ a) * np.sqrt(b @ b))
        found.append(distances / distances.sum(1, keepdims=True))
    return found


def rolled_out(matrices: list[Array]) -> Array:
    """M_L ⋯ M_1 as whole matrices."""
    result = np.eye(len(matrices[0]))
    for matrix in matrices:
        result = matrix @ result
    return result
