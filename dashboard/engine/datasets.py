"""Many texts at once: those that come with the dashboard, or a table that somebody brings."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from dashboard.engine.errors import InvalidInput

BUNDLED = ("prompts", "reviews")
MAX_ROWS = 2_000

_DATA = Path(__file__).resolve().parents[1] / "data"
_TABLES = (".csv", ".tsv")
_LINES = (".jsonl", ".ndjson", ".json")
# What a column may be called, the first one that is there counts.
_COLUMNS = {"text": ("text",), "pair": ("pair", "text_b"), "target": ("target", "label")}
_REMEDY = "Correct that line and try again."


@dataclass(frozen=True)
class Row:
    """One text of a data set.

    Attributes:
        text: The text, as written.
        pair: The second text of a pair.
        target: What the model should answer: a token with its space, or a class name.
    """

    text: str
    pair: str | None = None
    target: str | None = None


def read_texts(source: str | Path | bytes, name: str = "the file") -> tuple[Row, ...]:
    """The rows of a data set, in order.

    A table is CSV with a header (commas, semicolons or tabs), or one JSON object a line; UTF-8 either way. It has a
    column `text`, and may have `pair` (or `text_b`) and `target` (or `label`).

    Args:
        source: A bundled data set's name ("prompts", "reviews"), the path of a file, or a file's content.
        name: What messages call the content, and whose ending tells its format; for paths the file's own name.

    Raises:
        InvalidInput: There is no such file, it is not such a table, or it has more than 2,000 rows; names the line.
    """
    if isinstance(source, str):
        source = _DATA / f"{source}.jsonl" if source in BUNDLED else Path(source)
    if isinstance(source, Path):
        name = source.name
        try:
            source = source.read_bytes()
        except (OSError, ValueError) as error:
            raise InvalidInput(
                f"The file {name} cannot be read ({getattr(error, 'strerror', None) or error}).",
                f"Name a file that is there, or one of: {', '.join(BUNDLED)}.",
            ) from error
    text = _decoded(source, name)
    ending = Path(name).suffix.lower()
    as_lines = ending in _LINES or (ending not in _TABLES and text.lstrip()[:1] in ("{", "["))
    rows: list[Row] = []
    for line, fields in (_json_lines if as_lines else _table)(text, name):
        if len(rows) == MAX_ROWS:
            _bad(name, line, f"there are more than {MAX_ROWS:,} rows", "Split the file into several.")
        rows.append(_row(fields, name, line))
    if not rows:
        raise InvalidInput(f"{name} has no rows.", "Write one text a line, under a column named text.")
    return tuple(rows)


def _bad(name: str, line: int, cause: str, remedy: str = _REMEDY) -> NoReturn:
    raise InvalidInput(f"{name}, line {line:,}: {cause}.", remedy)


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")  # spreadsheets put a mark in front
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        _bad(name, line, f"byte {content[error.start]:#04x} is not UTF-8", "Save the file as UTF-8.")


def _json_lines(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and fields of each object."""
    for line, written in enumerate(text.split("\n"), 1):  # other line breaks may stand inside JSON strings
        if not written.strip():
            continue
        try:
            fields = json.loads(written)
        except (ValueError, RecursionError) as error:
            _bad(
                name, line, f"this is not JSON ({getattr(error, 'msg', error)})", "Write one JSON object on each line."
            )
        if not isinstance(fields, dict):
            _bad(name, line, "this is not a JSON object", 'Write one object on each line, like {"text": "…"}.')
        yield line, fields


def _table(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The last line and the cells of each row, by the header's names."""
    separator = max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                if header is not None and len(cells) > 1:
                    _bad(name, reader.line_num, "the text is empty")
                continue
            if header is None:
                header = [cell.strip().lower() for cell in cells]
                continue
            if len(cells) > len(header):
                cause = f"{len(cells)} cells, and the header names {len(header)}"
                _bad(name, reader.line_num, cause, f"Put texts with “{separator}” in them between double quotes.")
            yield reader.line_num, dict(zip(header, cells, strict=False))
    except csv.Error as error:
        _bad(
            name,
            reader.line_num,
            f"this is not CSV ({error})",
            "Close every double quote; write one inside a text twice.",
        )


def _row(fields: Mapping[str, Any], name: str, line: int) -> Row:
    values: dict[str, str | None] = {}
    for wanted, columns in _COLUMNS.items():
        column = next((column for column in columns if column in fields), None)
        value = None if column is None else fields[column]
        if isinstance(value, int | float) and wanted == "target":
            value = str(value)  # classes are often numbered
        if value is not None and not isinstance(value, str):
            _bad(name, line, f"“{column}” is not a text", f"Put “{column}” between double quotes.")
        if value is not None and not value.isprintable():
            try:
                value.encode()
            except UnicodeEncodeError:
                _bad(name, line, f"“{column}” has half a character in it")
        values[wanted] = value if value and value.strip() else None
    text = values["text"]
    if text is None and "text" not in fields:
        there = ", ".join(map(str, fields)) or "none"
        _bad(name, line, f"there is no column “text” (there is: {there})", "Name the column of texts “text”.")
    if text is None:
        _bad(name, line, "the text is empty")
    return Row(text, values["pair"], values["target"])
