"""Run a helper process that can be watched and stopped at any moment."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_POLL_SECONDS = 0.1
_STOP_SECONDS = 3.0


def run(command: Sequence[str], env: Mapping[str, str], log: Path, poll: Callable[[], None]) -> tuple[int, str]:
    """The exit code and the output of `command`, with `poll` called about ten times a second meanwhile.

    The output can be read from the file `log` while it grows. Whatever `poll` raises ends the process before
    it goes on to the caller.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command), env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while (code := _wait(process, _POLL_SECONDS)) is None:
                poll()
        finally:
            _stop(process)
    return code, log.read_text(encoding="utf-8", errors="replace")


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    if _wait(process, _STOP_SECONDS) is None:
        process.kill()
        process.wait()
