"""Of the models that visitors open, so many stay in memory as the setting says; the others are really gone."""

import gc
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
import torch
from tiny import TEXT, make_folder

from dashboard import runtime
from dashboard.engine import errors, settings
from dashboard.engine.hardware import devices


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    monkeypatch.setenv(settings.FOLDERS_VARIABLE, str(tmp_path))
    monkeypatch.setenv(settings.MODELS_VARIABLE, "1")
    monkeypatch.setenv(settings.DEVICE_VARIABLE, "cpu")
    st.cache_resource.clear()
    yield [str(make_folder("llama", tmp_path / name)) for name in ("a", "b")]
    st.cache_resource.clear()


def test_a_dropped_model_is_collected_with_its_traces(folders: list[str]) -> None:
    first = runtime.model_job(folders[0])
    assert first.wait(120)
    assert first.result is not None, first.error
    traced = runtime.trace_job(first.result, runtime.Given(TEXT))
    assert traced.wait(120)
    assert traced.result is not None, traced.error
    network = weakref.ref(first.result.network)
    del first, traced
    gc.collect()
    assert network() is not None, "it stays while there is room"
    assert runtime.model_job(folders[1]).wait(120)
    for _ in range(100):  # a thread that has set its result may take a moment to end
        gc.collect()
        if network() is None:
            break
        time.sleep(0.1)
    assert network() is None
    assert runtime.model_job(folders[1]).result is not None


def test_visitors_get_the_policy(folders: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(settings.FOLDERS_VARIABLE)
    job = runtime.model_job(folders[0])
    assert job.wait(120)
    assert isinstance(job.error, errors.NotAllowed)


def test_freeing_gives_back_what_the_gpu_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: called.append("empty_cache"))
    devices.release_memory()
    assert called == ["empty_cache"]
