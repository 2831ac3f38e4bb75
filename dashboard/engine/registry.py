"""One registration point for things of one kind: a module in the package's folder registers itself by its name."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Named things of one kind, found by importing every module of one package; a name is given once.

    Args:
        package: Full name of the package whose modules register.
        kind: What the things are called in messages.
    """

    def __init__(self, package: str, kind: str) -> None:
        self._package, self._kind = package, kind
        self._items: dict[str, T] = {}
        self._complete = False

    def add(self, name: str, item: T) -> None:
        """Registers one thing.

        Raises:
            ValueError: The name is taken.
        """
        if name in self._items:
            raise ValueError(f"There are two {self._kind}s named {name!r}.")
        self._items[name] = item

    def _all(self) -> dict[str, T]:
        if not self._complete:
            package = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self._package}.{module.name}")
            self._complete = True
        return self._items

    def __getitem__(self, name: str) -> T:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
