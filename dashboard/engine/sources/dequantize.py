"""GGUF weights to bfloat16 safetensors, once, in a process of its own.

Reading a GGUF file keeps Python busy for some twenty seconds: in the dashboard's own process that would
freeze every open page, and could not be stopped halfway.
"""

import logging
import os
import sys
import time
from pathlib import Path

from dashboard.engine import errors
from dashboard.engine.progress import Progress
from dashboard.engine.sources import child

_ROOT = Path(__file__).resolve().parents[3]
_STEP = "step "
_log = logging.getLogger(__name__)


def dequantize(gguf: Path, folder: Path, title: str, progress: Progress) -> None:
    """Write the model and the tokenizer of a GGUF file into `folder`, as transformers keeps them.

    Raises:
        BrokenModel: The file is damaged, or transformers cannot open this kind of GGUF file.
    """
    log, started = gguf.with_suffix(".log"), time.monotonic()

    def report() -> None:
        seconds = time.monotonic() - started
        progress(f"Unpacking {title}, once, about half a minute: {seconds:.0f} s", _last_step(log))

    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    command = [sys.executable, "-P", "-m", "dashboard.engine.sources.dequantize", str(gguf), str(folder)]
    code, output = child.run(command, env, log, report)
    if code != 0:
        _log.warning("%s could not be dequantised:\n%s", gguf.name, output[-2000:])
        raise errors.BrokenModel(
            f"{title} was downloaded, but its weights could not be unpacked from {gguf.name}.",
            "Check free memory and disk space and try again; the log of the dashboard has the details.",
        )


def _last_step(log: Path) -> float:
    steps = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith(_STEP)]
    return float(steps[-1].removeprefix(_STEP)) if steps else 0.0


def _convert(gguf: Path, folder: Path) -> None:
    """The work of the child process; prints how far it is after each stage."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    print(f"{_STEP}0.2", flush=True)
    # `dequantize=True` gives a plain dense model. Without it the weights stay packed and `save_pretrained`
    # refuses them.
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
        local_files_only=True,
    )
    print(f"{_STEP}0.75", flush=True)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
    print(f"{_STEP}0.9", flush=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    print(f"{_STEP}1", flush=True)


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))
