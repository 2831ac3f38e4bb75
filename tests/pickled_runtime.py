"""Every value that the runtime returns goes through pickle and back before a page sees it.

So a page that touches a live trace, a tensor or a lock fails in its tests, and a trace may live on another machine.
"""

import functools
import importlib
import io
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from dashboard import runtime

REFUSED = ("torch", "transformers")


class Values(pickle.Pickler):
    """Refuses what can be pickled and is no value: tensors, devices, networks."""

    def persistent_id(self, thing: Any) -> None:
        kind = thing if isinstance(thing, type) else type(thing)
        if kind.__module__.split(".")[0] in REFUSED:
            raise pickle.PicklingError(f"{kind.__module__}.{kind.__qualname__} is no value")


def copied(value: Any) -> Any:
    """The value as it comes out of pickle."""
    written = io.BytesIO()
    Values(written).dump(value)
    return pickle.loads(written.getvalue())


def pickling(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a copy of what it returns."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value = function(*args, **kwargs)
        try:
            return copied(value)
        except Exception as error:
            name = f"{function.__module__}.{function.__name__}"
            raise TypeError(f"{name} returned what is no value: {error}") from error

    return wrapped


def public_functions(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The functions that a module defines for others, those that Streamlit caches included."""
    for name, thing in list(vars(module).items()):
        own = getattr(thing, "__module__", None) == module.__name__
        if own and callable(thing) and not isinstance(thing, type) and not name.startswith("_"):
            yield name, thing


def install() -> list[str]:
    """Wraps every public function of the runtime's modules for pages; to be called before a page imports any.

    Returns:
        Their full names.
    """
    found = []
    for entry in pkgutil.iter_modules(runtime.__path__):
        if entry.ispkg:
            continue  # backend: no page imports it
        module = importlib.import_module(f"{runtime.__name__}.{entry.name}")
        for name, function in public_functions(module):
            if not hasattr(function, "is_pickled"):
                wrapped = pickling(function)
                wrapped.is_pickled = True  # type: ignore[attr-defined]
                setattr(module, name, wrapped)
            found.append(f"{module.__name__}.{name}")
    return found
