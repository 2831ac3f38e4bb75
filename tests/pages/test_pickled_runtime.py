"""The pickling of the runtime's values is really on, for every function, whoever imports it how."""

import ast
import importlib
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from pickled_runtime import install, pickling

from dashboard import runtime
from dashboard.runtime import heads, jobs, traces

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*(ROOT / "dashboard" / "pages").rglob("*.py"), *(ROOT / "dashboard" / "panels").rglob("*.py")]


def test_every_public_function_is_wrapped() -> None:
    names = install()
    assert {"dashboard.runtime.heads.heat_map", "dashboard.runtime.images.thumbnail"} <= set(names)
    for name in names:
        module, function = name.rsplit(".", 1)
        assert getattr(importlib.import_module(module), function).is_pickled, name
    assert not [name for name in names if ".backend." in name]
    assert all(hasattr(function, "is_pickled") for function in (heads.weights, jobs.look, traces.trace_job))


@pytest.mark.parametrize("value", [threading.Lock(), torch.zeros(1), torch.device("cpu"), {"a": [torch.float32]}])
def test_what_is_no_value_fails(value: Any) -> None:
    def gives() -> Any:
        return value

    with pytest.raises(TypeError, match="gives returned what is no value"):
        pickling(gives)()


def test_a_copy_arrives() -> None:
    given = {"a": (1, 2)}
    taken = pickling(lambda: given)()
    assert taken == given
    assert taken is not given


def test_pages_import_no_function_by_name_and_nothing_of_the_backend() -> None:
    """A name that was bound before the wrapping would go round it."""
    install()
    found = []
    for path in PAGES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(f"{runtime.__name__}."):
                continue
            module = importlib.import_module(str(node.module))
            found += [
                f"{path.name}: {alias.name}"
                for alias in node.names
                if ".backend" in str(node.module) or hasattr(getattr(module, alias.name), "is_pickled")
            ]
    assert not found
