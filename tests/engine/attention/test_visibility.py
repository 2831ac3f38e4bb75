"""Masks as runs of visible keys, and as they are where runs cannot say it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dashboard.engine.attention.visibility import from_additive_mask, unmasked

MIN = torch.finfo(torch.float32).min


def additive(allowed: torch.Tensor) -> torch.Tensor:
    return torch.zeros(allowed.shape).masked_fill(~allowed, MIN)


def causal(n: int) -> torch.Tensor:
    return torch.ones(n, n).tril().bool()


CASES = {
    "causal": causal(7),
    "everything": torch.ones(7, 7).bool(),
    "window": causal(7) & ~causal(7).tril(-3),
    "left padding": causal(7) & (torch.arange(7) >= 2),
    "right padding": causal(7) & (torch.arange(7) < 5),
    "padding in an encoder": (torch.arange(7) < 5).expand(7, 7),
    "cross": torch.ones(3, 9).bool(),
}


@pytest.mark.parametrize("name", CASES)
def test_usual_masks_are_kept_as_runs(name: str) -> None:
    allowed = CASES[name]
    found = from_additive_mask(additive(allowed))
    assert found.dense is None
    assert torch.equal(found.rows(slice(0, len(allowed))), allowed)
    assert torch.equal(found.additive(slice(0, len(allowed))), additive(allowed))


def test_a_mask_that_runs_cannot_say_is_kept() -> None:
    allowed = causal(6)
    allowed[5, 2] = False
    found = from_additive_mask(additive(allowed))
    assert found.dense is not None
    assert torch.equal(found.rows(slice(2, 6)), allowed[2:6])


def test_a_bias_is_kept_with_its_values() -> None:
    bias = additive(causal(5)) + torch.randn(5, 5, generator=torch.Generator().manual_seed(0)).tril()
    found = from_additive_mask(bias)
    assert torch.equal(found.additive(slice(None)), bias)
    assert torch.equal(found.rows(slice(None)), causal(5))


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_any_mask_comes_back(n_queries: int, n_keys: int, seed: int) -> None:
    allowed = torch.rand(n_queries, n_keys, generator=torch.Generator().manual_seed(seed)) < 0.6
    found = from_additive_mask(additive(allowed))
    assert torch.equal(found.rows(slice(0, n_queries)), allowed)


def test_memory_is_linear() -> None:
    sizes = [unmasked(n, n, causal=True, device=torch.device("cpu")).nbytes for n in (1000, 2000)]
    assert sizes[1] == 2 * sizes[0]
    assert from_additive_mask(additive(causal(1000))).nbytes == sizes[0]


def test_spans_cover_what_rows_see() -> None:
    window = from_additive_mask(additive(CASES["window"]))
    assert window.span(slice(4, 6)) == slice(2, 6)
    padded = from_additive_mask(additive(CASES["left padding"]))
    assert padded.span(slice(0, 3)) == slice(0, 7), "rows that see nothing attend evenly to every key, as in eager"
