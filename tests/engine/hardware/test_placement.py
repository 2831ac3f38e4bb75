"""Several GPUs, 8 and 4 bits: what the library is told, and what a machine without them says."""

import importlib.machinery
import sys
from types import ModuleType

import pytest
import torch

from dashboard.engine.errors import InvalidInput, Unsupported
from dashboard.engine.hardware import dtypes
from dashboard.engine.hardware.placement import (
    Placement,
    choose_placement,
    default_device,
    default_format,
    devices_here,
)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)


@pytest.fixture
def bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("bitsandbytes")
    package.__spec__ = importlib.machinery.ModuleSpec("bitsandbytes", None)
    monkeypatch.setitem(sys.modules, "bitsandbytes", package)


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATTENTION_DASHBOARD_DEVICE", raising=False)
    monkeypatch.delenv("ATTENTION_DASHBOARD_DTYPE", raising=False)


def test_one_device_tells_the_library_nothing() -> None:
    assert choose_placement("cpu", "bfloat16") == Placement(torch.device("cpu"), torch.bfloat16)
    assert choose_placement("cpu").arguments() == {}


def test_auto_spreads_over_several_gpus(two_gpus: None) -> None:
    found = choose_placement("auto")
    assert found == Placement(torch.device("cuda"), torch.bfloat16, spread=True)
    assert found.arguments() == {"device_map": "auto"}
    assert choose_placement("cuda").arguments() == {}, "only where it is asked for"


def test_auto_on_one_device_is_that_device(monkeypatch: pytest.MonkeyPatch, two_gpus: None) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_placement("auto") == Placement(torch.device("cuda"), torch.bfloat16)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setenv("ATTENTION_DASHBOARD_DEVICE", "auto")
    assert choose_placement() == Placement(torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(("dtype", "wanted"), [("int8", "load_in_8bit"), ("int4", "load_in_4bit")])
def test_few_bits(two_gpus: None, bitsandbytes: None, dtype: str, wanted: str) -> None:
    found = choose_placement("cuda", dtype)
    assert (found.format, found.dtype, found.weight_bytes) == (dtype, torch.bfloat16, int(dtype[3:]) / 8)
    told = found.arguments()
    assert told["device_map"] == {"": "cuda"}
    assert getattr(told["quantization_config"], wanted) is True
    assert choose_placement("auto", dtype).arguments()["device_map"] == "auto"


def test_four_bits_are_computed_with_in_the_format_of_the_device(two_gpus: None, bitsandbytes: None) -> None:
    config = choose_placement("cuda", "int4").arguments()["quantization_config"]
    assert (config.bnb_4bit_quant_type, config.bnb_4bit_compute_dtype) == ("nf4", torch.bfloat16)


def test_few_bits_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtypes.importlib.util, "find_spec", lambda name: None)
    assert not dtypes.can_quantise()
    for dtype in ("int8", "int4"):
        with pytest.raises(Unsupported, match=f"{dtype} needs the package bitsandbytes.*pip install"):
            choose_placement("cpu", dtype)


def test_few_bits_where_the_package_does_not_run(monkeypatch: pytest.MonkeyPatch, bitsandbytes: None) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(InvalidInput, match="int8 is not available on mps"):
        choose_placement("mps", "int8")


def test_what_can_be_chosen_here_and_what_is_chosen_otherwise(monkeypatch: pytest.MonkeyPatch, two_gpus: None) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices_here() == ("auto", "cuda", "cuda:1", "cpu")
    assert (default_device(), default_format(), default_format("cpu")) == ("cuda", "bfloat16", "float32")
    monkeypatch.setenv("ATTENTION_DASHBOARD_DEVICE", "auto")
    monkeypatch.setenv("ATTENTION_DASHBOARD_DTYPE", "float16")
    assert (default_device(), default_format(), default_format("cpu")) == ("auto", "float16", "float16")
    for device in devices_here():
        assert str(choose_placement(device).device) == ("cuda" if device == "auto" else device)
    monkeypatch.setenv("ATTENTION_DASHBOARD_DEVICE", "cuda:0")
    assert default_device() == "cuda"
    monkeypatch.delenv("ATTENTION_DASHBOARD_DEVICE")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert devices_here() == ("cpu",)


@pytest.mark.parametrize("device", ["tpu", "cuda:7", "cpu:x", "cpu:1", "cuda:"])
def test_formats_and_devices_that_do_not_exist(two_gpus: None, device: str) -> None:
    with pytest.raises(InvalidInput, match=rf"“{device}” is not available.*cpu"):
        choose_placement(device)
    with pytest.raises(InvalidInput, match=r"Unknown number format “int3”.*int8"):
        choose_placement("cpu", "int3")
