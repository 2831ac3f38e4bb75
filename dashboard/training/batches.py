"""Texts as batches of tokens: texts of about one length together, padded to the longest of their batch only."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

_SORTED_TOGETHER = 50
"""Batches whose texts are sorted by length together: long enough to save padding, short enough to stay random."""


_READ_AT_ONCE = 200


def encode(
    tokenizer: Any, texts: Sequence[str], max_tokens: int, ask: Callable[[float], None] = lambda share: None
) -> tuple[list[dict[str, list[int]]], int]:
    """What the model reads of each text, cut to `max_tokens`; and how many texts were cut.

    Args:
        tokenizer: The model's.
        texts: The texts.
        max_tokens: With special tokens.
        ask: Told the share that is done, now and then; may raise Cancelled.
    """
    rows: list[dict[str, list[int]]] = []
    n_cut = 0
    for start in range(0, len(texts), _READ_AT_ONCE):
        ask(start / len(texts))
        some = list(texts[start : start + _READ_AT_ONCE])
        whole = tokenizer(some, truncation=False, padding=False, verbose=False)["input_ids"]
        cut = tokenizer(some, truncation=True, max_length=max_tokens, padding=False)
        rows += [{key: cut[key][i] for key in cut} for i in range(len(some))]
        n_cut += sum(len(ids) > max_tokens for ids in whole)
    return rows, n_cut


def shuffled(lengths: Sequence[int], size: int, seed: int) -> list[list[int]]:
    """Places of the texts of each batch, in a random order that is the same for the same seed."""
    random_order = random.Random(seed)
    order = list(range(len(lengths)))
    random_order.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), size * _SORTED_TOGETHER):
        part = sorted(order[start : start + size * _SORTED_TOGETHER], key=lengths.__getitem__)
        batches += [part[i : i + size] for i in range(0, len(part), size)]
    random_order.shuffle(batches)
    return batches


def by_length(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Places of the texts of each batch, shortest first: for passes whose order does not matter."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for i in range(0, len(order), size):
        yield order[i : i + size]


def padded(tokenizer: Any, rows: Sequence[dict[str, list[int]]], device: torch.device) -> dict[str, torch.Tensor]:
    """One batch as the model takes it."""
    batch = tokenizer.pad(list(rows), padding=True, return_tensors="pt")
    return {key: tensor.to(device) for key, tensor in batch.items()}
