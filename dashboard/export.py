"""One head's exact weights as a file: CSV, NPZ or JSON, with the tokens' texts. Needs no Streamlit."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from dashboard.engine import Trace
from dashboard.engine.errors import InvalidInput


def encoded(trace: Trace, layer: int, head: int, file_format: str) -> bytes:
    """The file's content.

    CSV has one row a query and one column a key, named "position text"; NPZ has the arrays `attention` (float32),
    `tokens`, `ids`, `layer` and `head`; JSON has the same fields.
    """
    weights = trace.attention(layer, head)  # [query, key]
    texts = [(" " if token.space else "") + token.text for token in trace.tokens]
    ids = [token.id for token in trace.tokens]
    if file_format == "csv":
        names = [f"{index} {text}" for index, text in enumerate(texts)]
        table = pd.DataFrame(weights, columns=names, index=pd.Index(names, name="query"))
        return table.to_csv().encode()
    if file_format == "json":
        fields = {
            "model": trace.model.name,
            "text": trace.text,
            "layer": layer,
            "head": head,
            "tokens": texts,
            "ids": ids,
            "attention": weights.tolist(),
        }
        return json.dumps(fields, ensure_ascii=False).encode()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, attention=weights, tokens=np.array(texts), ids=np.array(ids), layer=layer, head=head)
    return buffer.getvalue()


def write_file(out: Path, content: bytes) -> None:
    """Writes the file.

    Raises:
        InvalidInput: It cannot be written.
    """
    try:
        out.write_bytes(content)
    except OSError as error:
        raise InvalidInput(
            f"{out} cannot be written ({error.strerror}).", "Choose a file in a folder that exists."
        ) from error


def write(trace: Trace, layer: int, head: int, file_format: str, out: Path | None) -> None:
    """Writes the file, or sends it to standard output.

    Raises:
        InvalidInput: The file cannot be written.
    """
    content = encoded(trace, layer, head, file_format)
    if out is None:
        sys.stdout.buffer.write(content + (b"\n" if file_format == "json" else b""))
        sys.stdout.flush()
    else:
        write_file(out, content)
