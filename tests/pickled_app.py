"""Starts the dashboard as its command line does, with the runtime's values pickled: `python tests/pickled_app.py …`."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from pickled_runtime import install

    install()
    runpy.run_module("dashboard", run_name="__main__", alter_sys=True)
