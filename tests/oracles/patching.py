"""A twin whose attention reads the very hidden states that entered the traced copy's (activation patching).

Two copies of a model, or two kernels, round differently, and a state-space layer or a router makes more of it: what
enters the third layer differs by 1e-7 on one processor and by 1e-4 on another. What capturing adds is the difference on
the same hidden states. So each attention module of the twin is given those of the traced copy, and hands on what the
traced copy's handed on. Masks, positions and biases stay the twin's own: they are compared.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tests.oracles.sites import OUTPUTS

OUTPUT_TOLERANCE = 1e-4
"""Of what an attention module puts out, relative to its largest number. On the same hidden states, two float32 kernels
that sum in another order differ by less than 1e-6 with every instruction set; values off by 1% move it by 1e-2."""
_NO_HIDDEN_STATES = ("mask", "bias", "alibi", "position")

Hook = Callable[[nn.Module, tuple[Any, ...], dict[str, Any], Any], Any]


@dataclass(frozen=True)
class _Call:
    """What entered an attention module, by argument, and what it handed on."""

    hidden_states: dict[str, Tensor]
    output: Tensor


def _hidden_states(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Tensor]:
    """Arguments that are hidden states [batch, token, dim], by name."""
    named = dict(zip(inspect.signature(module.forward).parameters, args, strict=False)) | kwargs
    return {
        name: value
        for name, value in named.items()
        if isinstance(value, Tensor) and value.dim() == 3 and value.is_floating_point()
        if not any(word in name for word in _NO_HIDDEN_STATES)
    }


def _first(output: Any) -> Tensor:
    """The tensor that a module hands on; some give their weights beside it, or a scale beside each tensor."""
    return output if isinstance(output, Tensor) else _first(output[0])


def _with_first(output: Any, tensor: Tensor) -> Any:
    return tensor if isinstance(output, Tensor) else type(output)([_with_first(output[0], tensor), *output[1:]])


@contextmanager
def _after(model: nn.Module, names: Iterable[str], make: Callable[[str], Hook]) -> Iterator[None]:
    """Within this block, each of these modules runs the hook made for its name when it ends."""
    with ExitStack() as hooks:
        for name in names:
            handle = model.get_submodule(name).register_forward_hook(make(name), with_kwargs=True)
            hooks.callback(handle.remove)
        yield


def attention_modules(model: nn.Module, inputs: dict[str, Any]) -> list[str]:
    """Names of the modules that make the attention weights of the outputs out of hidden states."""
    makers: dict[int, tuple[str, Tensor]] = {}  # the tensor is kept, so that its id stays taken

    def make(name: str) -> Hook:
        def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            for tensor in output if isinstance(output, tuple | list) else ():
                if isinstance(tensor, Tensor) and tensor.dim() == 4 and _hidden_states(module, args, kwargs):
                    makers.setdefault(id(tensor), (name, tensor))  # the innermost module ends first

        return note

    with _after(model, [name for name, _ in model.named_modules()], make):
        outputs = model(**inputs, output_attentions=True)
    weights = [one for name in OUTPUTS.values() for one in outputs.get(name) or () if one is not None]
    return list(dict.fromkeys(makers[id(one)][0] for one in weights))


def _recorded(traced: nn.Module, inputs: dict[str, Any], names: list[str]) -> dict[str, list[_Call]]:
    """Every call of these modules in one pass, without a cache, as `trace` runs it."""
    calls: dict[str, list[_Call]] = {name: [] for name in names}

    def make(name: str) -> Hook:
        def record(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            entered = {key: tensor.clone() for key, tensor in _hidden_states(module, args, kwargs).items()}
            calls[name].append(_Call(entered, _first(output).clone()))

        return record

    options = {"use_cache": False} if "use_cache" in inspect.signature(traced.forward).parameters else {}
    with _after(traced, names, make):
        traced(**inputs, **options)
    return calls


@contextmanager
@torch.no_grad()
def patched(twin: nn.Module, traced: nn.Module, inputs: dict[str, Any]) -> Iterator[list[float]]:
    """Within this block, one pass of the twin attends to the traced copy's hidden states.

    What is yielded fills with how far each attention module's own output was from the traced copy's, relative to its
    largest number.

    Args:
        twin: The model loaded by the library alone, with eager attention.
        traced: The network of a `LoadedModel`.
        inputs: What both are run on.
    """
    names = attention_modules(twin, inputs)
    recorded = _recorded(traced, inputs, names)
    calls = {name: iter(several) for name, several in recorded.items()}
    current: dict[str, _Call] = {}
    differences: list[float] = []

    def enter(name: str) -> Any:
        def replace(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            current[name] = next(calls[name])
            own, entered = _hidden_states(module, args, kwargs), current[name].hidden_states
            assert {key: t.shape for key, t in own.items()} == {key: t.shape for key, t in entered.items()}
            order = list(inspect.signature(module.forward).parameters)
            entered = {key: tensor.to(own[key]) for key, tensor in entered.items()}  # the twin may be float64
            return (
                tuple(entered.get(key, value) for key, value in zip(order, args, strict=False)),
                {key: entered.get(key, value) for key, value in kwargs.items()},
            )

        return replace

    def leave(name: str) -> Hook:
        def compare(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
            own = _first(output)
            theirs = current[name].output.to(own)
            differences.append(float((own - theirs).abs().max() / theirs.abs().max()))
            return _with_first(output, theirs)

        return compare

    with ExitStack() as hooks:
        for name in names:
            hook = twin.get_submodule(name).register_forward_pre_hook(enter(name), with_kwargs=True)
            hooks.callback(hook.remove)
        hooks.enter_context(_after(twin, names, leave))
        yield differences
    assert len(differences) == sum(map(len, recorded.values())) > 0, "the copies do not attend equally often"
