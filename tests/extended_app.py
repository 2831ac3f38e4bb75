"""Starts the dashboard with files added to its folders: `python tests/extended_app.py FOLDER …`.

What lies in FOLDER/methods, FOLDER/head_scores and FOLDER/pages counts as if it lay in the code's own folders.
"""

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    from dashboard import navigation
    from dashboard.engine import head_scores
    from dashboard.engine.attribution import methods

    added = Path(sys.argv.pop(1))
    methods.__path__.append(str(added / "methods"))
    head_scores.__path__.append(str(added / "head_scores"))
    navigation.FOLDERS.append(added / "pages")
    runpy.run_path(str(ROOT / "tests" / "pickled_app.py"), run_name="__main__")
