"""AttnLRP by explicit rules, layer by layer, with the weights of a twin in float64: no automatic gradients anywhere.

Relevance R of a step's output becomes relevance of its inputs (Achtibat et al. 2024, section 3 and appendix):
linear layers by the ε-rule (ε → 0), products by halves, softmax by R_i = x_i (R_i − s_i Σ_j R_j), activations by the
identity, norms as linear layers with a constant denominator.
"""

import math
from typing import Any

import numpy as np
import torch

T = torch.Tensor


def linear(x: T, weight: T, bias: T | None, relevance: T) -> T:
    """R_i = x_i Σ_j w_ji R_j / z_j, for x [token, in], weight [out, in] and relevance [token, out]."""
    z = x @ weight.T + (0 if bias is None else bias)
    return x * ((relevance / z) @ weight)


def layer_norm(x: T, module: Any, relevance: T) -> T:
    """(x − mean) · c + b is linear in x: a matrix of centring and scaling for each token."""
    n = x.shape[-1]
    centre = torch.eye(n, dtype=x.dtype) - 1 / n
    found = []
    for row, share in zip(x, relevance, strict=True):
        scale = module.weight / (row.var(correction=0) + module.eps).sqrt()
        found.append(linear(row[None], scale[:, None] * centre, module.bias, share[None])[0])
    return torch.stack(found)


def split(parts: tuple[T, T], relevance: T) -> tuple[T, T]:
    """A sum hands on in proportion."""
    whole = parts[0] + parts[1]
    return parts[0] / whole * relevance, parts[1] / whole * relevance


def attend(q: T, k: T, v: T, hidden: T, scaling: float, relevance: T) -> tuple[T, T, T]:
    """One head, [token, dim] each: relevance of q, k and v from that of weights × v."""
    scores = q @ k.T * scaling
    s = scores.masked_fill(hidden, -math.inf).softmax(-1)
    out = s @ v
    r_v, r_s = torch.zeros_like(v), torch.zeros_like(s)
    for i in range(len(q)):
        for j in range(len(k)):
            shares = s[i, j] * v[j] / out[i] * relevance[i] / 2  # half to the weight, half to the value
            r_s[i, j] += shares.sum()
            r_v[j] += shares
    r_x = scores * (r_s - s * r_s.sum(-1, keepdim=True))
    r_q, r_k = torch.zeros_like(q), torch.zeros_like(k)
    for i in range(len(q)):
        for j in range(len(k)):
            if not hidden[i, j]:
                shares = q[i] * k[j] * scaling / scores[i, j] * r_x[i, j] / 2
                r_q[i] += shares
                r_k[j] += shares
    return r_q, r_k, r_v


def _attention(q: T, k: T, v: T, n_heads: int, causal: bool, relevance: T) -> tuple[T, T, T]:
    """All heads side by side [token, head·dim], with fewer key heads than heads where they are shared."""
    n_tokens, dim = len(q), q.shape[1] // n_heads
    hidden = torch.ones(n_tokens, n_tokens, dtype=torch.bool).triu(1) if causal else torch.zeros(n_tokens, n_tokens) > 0
    group = n_heads // (k.shape[1] // dim)
    found = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    for head in range(n_heads):
        mine, shared = slice(head * dim, (head + 1) * dim), slice(head // group * dim, (head // group + 1) * dim)
        parts = attend(q[:, mine], k[:, shared], v[:, shared], hidden, dim**-0.5, relevance[:, mine])
        for whole, part, at in zip(found, parts, (mine, shared, shared), strict=True):
            whole[:, at] += part
    return found


def _weights(q: T, k: T, v: T, n_heads: int, causal: bool) -> T:
    n_tokens, dim = len(q), q.shape[1] // n_heads
    hidden = torch.ones(n_tokens, n_tokens).triu(1) > 0 if causal else torch.zeros(n_tokens, n_tokens) > 0
    group = n_heads // (k.shape[1] // dim)
    out = []
    for head in range(n_heads):
        mine, shared = slice(head * dim, (head + 1) * dim), slice(head // group * dim, (head // group + 1) * dim)
        scores = (q[:, mine] @ k[:, shared].T * dim**-0.5).masked_fill(hidden, -math.inf)
        out.append(scores.softmax(-1) @ v[:, shared])
    return torch.cat(out, 1)


def rotate(x: T, dim: int, theta: float, back: bool = False) -> T:
    """Rotary positions on [token, head·dim]: each pair (d, d + dim/2) turned by position · θ^(−2d/dim)."""
    found = torch.zeros_like(x)
    for position in range(len(x)):
        for start in range(0, x.shape[1], dim):
            for d in range(dim // 2):
                angle = position * theta ** (-2 * d / dim) * (-1 if back else 1)
                a, b = x[position, start + d], x[position, start + d + dim // 2]
                found[position, start + d] = a * math.cos(angle) - b * math.sin(angle)
                found[position, start + d + dim // 2] = b * math.cos(angle) + a * math.sin(angle)
    return found


@torch.no_grad()
def llama(model: Any, ids: T, target: int) -> tuple[np.ndarray, float]:
    """Relevance of each token and the explained logit, for a LlamaForCausalLM in float64."""
    config = model.config
    n_heads, dim, theta = config.num_attention_heads, config.head_dim, config.rope_parameters["rope_theta"]

    def norm(x: T, module: Any) -> T:
        return x / (x.pow(2).mean(-1, keepdim=True) + module.variance_epsilon).sqrt() * module.weight

    x = model.model.embed_tokens(ids)[0]
    kept: list[dict[str, T]] = []
    for layer in model.model.layers:
        a = norm(x, layer.input_layernorm)
        q, k = (rotate(a @ w.weight.T, dim, theta) for w in (layer.self_attn.q_proj, layer.self_attn.k_proj))
        v = a @ layer.self_attn.v_proj.weight.T
        c = _weights(q, k, v, n_heads, causal=True)
        o = c @ layer.self_attn.o_proj.weight.T
        middle = x + o
        b = norm(middle, layer.post_attention_layernorm)
        gate, up = b @ layer.mlp.gate_proj.weight.T, b @ layer.mlp.up_proj.weight.T
        inner = torch.nn.functional.silu(gate) * up
        down = inner @ layer.mlp.down_proj.weight.T
        kept.append(
            {
                "x": x,
                "a": a,
                "q": q,
                "k": k,
                "v": v,
                "c": c,
                "o": o,
                "middle": middle,
                "b": b,
                "in": inner,
                "down": down,
            }
        )
        x = middle + down
    final = norm(x, model.model.norm)
    logit = final[-1] @ model.lm_head.weight[target]
    relevance = torch.zeros_like(final)
    relevance[-1] = final[-1] * model.lm_head.weight[target]  # an RMS norm hands on what it gets, number by number
    for layer, had in zip(reversed(model.model.layers), reversed(kept), strict=True):
        r_middle, r_down = split((had["middle"], had["down"]), relevance)
        r_inner = linear(had["in"], layer.mlp.down_proj.weight, None, r_down)
        r_b = linear(had["b"], layer.mlp.gate_proj.weight, None, r_inner / 2)
        r_b += linear(had["b"], layer.mlp.up_proj.weight, None, r_inner / 2)
        r_x, r_o = split((had["x"], had["o"]), r_middle + r_b)
        r_c = linear(had["c"], layer.self_attn.o_proj.weight, None, r_o)
        r_q, r_k, r_v = _attention(had["q"], had["k"], had["v"], n_heads, True, r_c)
        r_a = linear(had["a"], layer.self_attn.v_proj.weight, None, r_v)
        for r, name, w in ((r_q, "q", layer.self_attn.q_proj), (r_k, "k", layer.self_attn.k_proj)):
            before = rotate(had[name], dim, theta, back=True)  # a rotation is linear: gradient × input on either side
            r_a += linear(had["a"], w.weight, None, before * rotate(r / had[name], dim, theta, back=True))
        relevance = r_x + r_a
    return relevance.sum(-1).numpy(), float(logit)


@torch.no_grad()
def bert(model: Any, ids: T, target: int) -> tuple[np.ndarray, float]:
    """Relevance of each token and the explained logit, for a BertForSequenceClassification in float64."""
    n_heads, base = model.config.num_attention_heads, model.bert

    def run(x: T, module: Any) -> T:
        return x @ module.weight.T + module.bias

    words = base.embeddings.word_embeddings(ids)[0]
    rest = base.embeddings.position_embeddings.weight[: len(words)] + base.embeddings.token_type_embeddings.weight[0]
    x = base.embeddings.LayerNorm(words + rest)
    kept: list[dict[str, T]] = []
    for layer in base.encoder.layer:
        own = layer.attention.self
        q, k, v = run(x, own.query), run(x, own.key), run(x, own.value)
        c = _weights(q, k, v, n_heads, causal=False)
        o = run(c, layer.attention.output.dense)
        middle = layer.attention.output.LayerNorm(o + x)
        inner = torch.nn.functional.gelu(run(middle, layer.intermediate.dense))
        down = run(inner, layer.output.dense)
        kept.append({"x": x, "q": q, "k": k, "v": v, "c": c, "o": o, "middle": middle, "in": inner, "down": down})
        x = layer.output.LayerNorm(down + middle)
    pooled = torch.tanh(run(x[0], base.pooler.dense))
    logit = pooled @ model.classifier.weight[target] + model.classifier.bias[target]
    r_pooled = pooled * model.classifier.weight[target]
    relevance = torch.zeros_like(x)
    relevance[0] = linear(x[:1], base.pooler.dense.weight, base.pooler.dense.bias, r_pooled[None])[0]
    for layer, had in zip(reversed(base.encoder.layer), reversed(kept), strict=True):
        own, out = layer.attention.self, layer.attention.output
        both = layer_norm(had["down"] + had["middle"], layer.output.LayerNorm, relevance)
        r_down, r_middle = split((had["down"], had["middle"]), both)
        r_inner = linear(had["in"], layer.output.dense.weight, layer.output.dense.bias, r_down)
        r_middle += linear(had["middle"], layer.intermediate.dense.weight, layer.intermediate.dense.bias, r_inner)
        r_o, r_x = split((had["o"], had["x"]), layer_norm(had["o"] + had["x"], out.LayerNorm, r_middle))
        r_c = linear(had["c"], out.dense.weight, out.dense.bias, r_o)
        parts = _attention(had["q"], had["k"], had["v"], n_heads, False, r_c)
        for r, module in zip(parts, (own.query, own.key, own.value), strict=True):
            r_x += linear(had["x"], module.weight, module.bias, r)
        relevance = r_x
    r_words, _ = split((words, rest), layer_norm(words + rest, base.embeddings.LayerNorm, relevance))
    return r_words.sum(-1).numpy(), float(logit)


@torch.no_grad()
def vit(model: Any, pixels: T, target: int) -> tuple[np.ndarray, float]:
    """Relevance of each token (positions included) and the explained logit, for a ViTForImageClassification."""
    n_heads, base = model.config.num_attention_heads, model.vit

    def run(x: T, module: Any) -> T:
        return x @ module.weight.T + module.bias

    x = base.embeddings(pixels)[0]
    kept: list[dict[str, T]] = []
    for layer in base.layers:
        own = layer.attention
        normed = layer.layernorm_before(x)
        q, k, v = run(normed, own.q_proj), run(normed, own.k_proj), run(normed, own.v_proj)
        c = _weights(q, k, v, n_heads, causal=False)
        o = run(c, own.o_proj)
        middle = x + o
        above = layer.layernorm_after(middle)
        inner = torch.nn.functional.gelu(run(above, layer.mlp.fc1))
        down = run(inner, layer.mlp.fc2)
        kept.append({"x": x, "n": normed, "q": q, "k": k, "v": v, "c": c, "o": o, "m": middle, "a": above})
        kept[-1] |= {"in": inner, "down": down}
        x = middle + down
    top = base.layernorm(x)
    logit = top[0] @ model.classifier.weight[target] + model.classifier.bias[target]
    relevance = torch.zeros_like(x)
    relevance[0] = top[0] * model.classifier.weight[target]
    relevance = layer_norm(x, base.layernorm, relevance)
    for layer, had in zip(reversed(base.layers), reversed(kept), strict=True):
        own = layer.attention
        r_middle, r_down = split((had["m"], had["down"]), relevance)
        r_inner = linear(had["in"], layer.mlp.fc2.weight, layer.mlp.fc2.bias, r_down)
        r_above = linear(had["a"], layer.mlp.fc1.weight, layer.mlp.fc1.bias, r_inner)
        r_middle = r_middle + layer_norm(had["m"], layer.layernorm_after, r_above)
        r_x, r_o = split((had["x"], had["o"]), r_middle)
        parts = _attention(
            had["q"], had["k"], had["v"], n_heads, False, linear(had["c"], own.o_proj.weight, own.o_proj.bias, r_o)
        )
        r_normed = sum(
            linear(had["n"], module.weight, module.bias, r)
            for r, module in zip(parts, (own.q_proj, own.k_proj, own.v_proj), strict=True)
        )
        relevance = r_x + layer_norm(had["x"], layer.layernorm_before, r_normed)
    return relevance.sum(-1).numpy(), float(logit)
