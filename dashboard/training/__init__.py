"""How the models that this repository brings are trained.

Import-light: nothing here is imported when the app starts, and torch only when a training does.
"""

from collections.abc import Mapping

TRAINED: Mapping[str, str] = {
    "dates-en-fr": "dashboard.training.dates",
    "digits": "dashboard.training.digits",
}
"""Bundled models that `python -m dashboard train` makes, with the module whose `train(out, progress)` makes it.

It is given the folder to write (None: where the repository keeps the model) and a progress callback, and gives back
what is printed at the end.
"""
