"""Fixtures for all tests: the device, the bundled models, and annotated shapes checked while tests run."""

import os

import pytest
from jaxtyping import install_import_hook

if "PYTEST_XDIST_WORKER" in os.environ:
    # Two processes that each take both cores wait for each other; what tests start inherits it.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Before anything imports the engine: from here on every annotated shape is checked at every call.
install_import_hook("dashboard.engine", "beartype.beartype")

from dashboard.engine import LoadedModel, load_model  # noqa: E402

pytest_plugins = ["browser"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="where models run: cpu (default), cuda or mps")


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--device"))


@pytest.fixture(scope="session")
def smollm2(device: str) -> LoadedModel:
    """SmolLM2-135M in float32, the format in which equality is tested."""
    return load_model("smollm2", device=device, dtype="float32")


@pytest.fixture(scope="session")
def minilm(device: str) -> LoadedModel:
    return load_model("minilm", device=device, dtype="float32")
