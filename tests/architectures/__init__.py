"""What the dashboard does with every architecture that can be built tiny, for the table of docs/architectures.md."""

import sys
from pathlib import Path

# As a command it runs from the root, and its neighbours are found where the tests find them.
sys.path.insert(0, str(Path(__file__).parents[1]))
