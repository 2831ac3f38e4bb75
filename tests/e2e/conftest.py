"""A running app, a browser, and visitors: nothing may go wrong in any window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser import App
from e2e.attribution import AttributionPage
from e2e.explore import Explore
from e2e.served import fresh_app
from e2e.visits import Visit, visiting
from playwright.sync_api import Browser

from dashboard.engine import LoadedModel, load_model
from dashboard.engine.models import store


@pytest.fixture(scope="session")
def models() -> None:
    """Both models of the catalogue on this machine, so that no test waits for a download."""
    store.fetch("smollm2")
    store.fetch("minilm")


@pytest.fixture(scope="session")
def app(chromium: str, models: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app that most tests share."""
    with fresh_app(tmp_path_factory.mktemp("app")) as started:
        yield started


@pytest.fixture(scope="session")
def engine_model(models: None) -> Callable[[str], LoadedModel]:
    """The engine's own models, loaded as the app loads them: what the page shows is compared with their numbers."""
    loaded: dict[str, LoadedModel] = {}

    def get(name: str) -> LoadedModel:
        if name not in loaded:
            loaded[name] = load_model(name)
        return loaded[name]

    return get


@pytest.fixture
def visit(app: App, browser: Browser) -> Iterator[Visit]:
    """Opens a window: `visit(color_scheme="dark", viewport=…)`, with the options of a Playwright context."""
    with visiting(app, browser) as opener:
        yield opener


@pytest.fixture
def explore(visit: Visit) -> Explore:
    """One visitor at a desk."""
    return visit()


@pytest.fixture
def page(visit: Visit) -> AttributionPage:
    """One visitor of the Attribution page."""
    window = visit()
    return AttributionPage(window.watched, window.url)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """The app's log beside a failed test."""
    report = yield
    started = getattr(item, "funcargs", {}).get("app")
    if report.failed and isinstance(started, App):
        report.sections.append(("app log", started.end_of_log()))
    return report
