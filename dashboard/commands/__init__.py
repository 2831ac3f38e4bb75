"""The command line, one file a command.

Every start of the program imports these files, `--help` too: what takes long to import (torch, Streamlit, pandas) they
import inside the function that needs it.
"""
