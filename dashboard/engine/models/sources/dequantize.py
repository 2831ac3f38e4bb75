"""GGUF weights to safetensors, once, in a process of its own.

Reading a GGUF file keeps Python busy for some twenty seconds: in the dashboard's own process that would
freeze every open page, and could not be stopped halfway.
"""

import logging
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from dashboard.engine import errors
from dashboard.engine.models.sources import child
from dashboard.engine.progress import Progress

_ROOT = Path(__file__).resolve().parents[4]
_STEP = "step "
_UNKNOWN = re.compile(
    r"GGUF model with architecture \S+ is not supported|(?:\S+ )?quantization type \S+ is not supported"
)
_log = logging.getLogger(__name__)


def dequantize(gguf: Path, folder: Path, title: str, progress: Progress) -> None:
    """Write the model and the tokenizer of a GGUF file into `folder`, as transformers keeps them.

    Raises:
        BrokenModel: The file is damaged.
        Unsupported: transformers cannot open this kind of GGUF file.
    """
    log, started = gguf.with_suffix(".log"), time.monotonic()

    def report() -> None:
        seconds = time.monotonic() - started
        progress(f"Unpacking {title}, once, about half a minute: {seconds:.0f} s", _last_step(log))

    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    command = [sys.executable, "-P", "-m", "dashboard.engine.models.sources.dequantize", str(gguf), str(folder)]
    code, output = child.run(command, env, log, report)
    if code != 0:
        _log.warning("%s could not be dequantised:\n%s", gguf.name, output[-2000:])
        raise _failure(title, output)


def _failure(title: str, output: str) -> errors.EngineError:
    last = (output.strip().splitlines() or [""])[-1]  # above it, the traceback quotes code
    if unknown := _UNKNOWN.search(last):
        return errors.Unsupported(
            f"{title} holds a model that transformers cannot open from a GGUF file ({unknown[0]}).",
            "Choose the same model as safetensors.",
        )
    if "MemoryError" in output or "can't allocate memory" in output:
        return errors.OutOfMemory(f"Memory ran out while unpacking {title}.", "Free some, or choose a smaller model.")
    if "No space left" in output:
        return errors.DownloadFailed(
            f"There is no room on the disk to unpack {title}.", "Free some space and try again."
        )
    return errors.BrokenModel(
        f"The weights of {title} could not be unpacked: the file is damaged or not a whole model.",
        "Get it again; the log of the dashboard has the details.",
    )


def _last_step(log: Path) -> float:
    steps = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith(_STEP)]
    return float(steps[-1].removeprefix(_STEP)) if steps else 0.0


def _convert(gguf: Path, folder: Path) -> None:
    """The work of the child process; prints how far it is after each stage."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    print(f"{_STEP}0.2", flush=True)
    # `dequantize=True` gives a plain dense model. Without it the weights stay packed and `save_pretrained`
    # refuses them.
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=_format(gguf),
        quantization_config=GgufConfig(dequantize=True),
        local_files_only=True,
    )
    print(f"{_STEP}0.75", flush=True)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
    print(f"{_STEP}0.9", flush=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    print(f"{_STEP}1", flush=True)


def _format(gguf: Path) -> Any:
    """The format that loses nothing of the matrices: their own, and bfloat16 for what was quantised."""
    import torch
    from gguf import GGMLQuantizationType, GGUFReader

    kinds = {tensor.tensor_type for tensor in GGUFReader(gguf).tensors if len(tensor.shape) > 1}
    if GGMLQuantizationType.F32 in kinds and len(kinds) == 1:
        return torch.float32
    return torch.float16 if kinds == {GGMLQuantizationType.F16} else torch.bfloat16


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))
