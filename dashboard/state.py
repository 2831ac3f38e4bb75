"""What a link holds: one typed View <-> the URL's query parameters.

The URL is the only truth. Every run reads the View from it; every control writes to it, before the next run, and
is set from it when it is drawn. So a copied link, the back button and a click on a picture all work the same way.
"""

import base64
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args
from urllib.parse import quote

import streamlit as st

from dashboard.engine.catalog import DEFAULT_MODEL

Over = Literal["head", "mean", "max"]
Hide = Literal["nothing", "first", "special"]
Scale = Literal["linear", "log", "row"]
Palette = Literal["viridis", "cividis", "magma"]
Unit = Literal["tokens", "words", "sentences"]
Form = Literal["strip", "table"]
Pooling = Literal["max", "mean"]
Section = Literal["compare", "similarity", "layers", "table", "profiles", "probe"]
Drawing = Literal["lines", "head", "model", "query_key"]
Numbers = Literal["raw", "share"]
Removal = Literal["mask", "replace", "delete"]
Evidence = Literal["leaderboard", "agreement", "sensitivity", "flip", "many"]

# Longer texts are packed; past the last limit browsers and servers refuse the link, and the text stays in the session.
_PLAIN_LIMIT = 2_000
_LINK_LIMIT = 40_000
_UNPACKED_LIMIT = 1_000_000
_PACKED, _KEPT = "packed", "kept"
_TEXTS = {"text": "", "pair": "pair_"}
"""Fields that hold texts, and what stands before the names of their packed forms."""


@dataclass(frozen=True)
class View:
    """Everything that a link to the dashboard says; None means "choose for me"."""

    model: str = DEFAULT_MODEL
    text: str | None = None
    pair: str | None = None
    generate: int | None = None
    step: int | None = None
    at: int | None = None
    target: int | None = None
    against: int | None = None
    method: str | None = None
    methods: tuple[tuple[str], ...] = ()
    options: tuple[tuple[str, str, str], ...] = ()
    numbers: Numbers = "raw"
    without: Hide = "nothing"
    removal: Removal = "mask"
    evidence: Evidence = "leaderboard"
    unit: Unit = "tokens"
    form: Form = "strip"
    score: str = "entropy"
    layer: int | None = None
    head: int | None = None
    over: Over = "head"
    pin: int | None = None
    hide: Hide = "nothing"
    words: bool = False
    scale: Scale = "linear"
    palette: Palette = "viridis"
    zoom: tuple[int, int, int, int] | None = None
    pooling: Pooling = "max"
    order: str = "layer"
    pattern: str = ""
    filters: tuple[tuple[str, float, float], ...] = ()
    thresholds: tuple[tuple[str, float], ...] = ()
    compare: tuple[tuple[int, int], ...] = ()
    section: Section = "compare"
    drawing: Drawing = "lines"


_CHOICES = {
    "over": Over,
    "hide": Hide,
    "scale": Scale,
    "palette": Palette,
    "unit": Unit,
    "form": Form,
    "pooling": Pooling,
    "section": Section,
    "drawing": Drawing,
    "numbers": Numbers,
    "without": Hide,
    "removal": Removal,
    "evidence": Evidence,
}
# Lists in a link: items between "~", their parts between ":", each read by its function.
_LISTS: dict[str, tuple[Callable[[str], Any], ...]] = {
    "filters": (str, float, float),
    "thresholds": (str, float),
    "compare": (int, int),
    "methods": (str,),
    "options": (str, str, str),
}
MAX_COMPARED = 8
_MOST_ITEMS = 20
_NUMBERS = {"target", "against", "layer", "head", "pin", "generate", "step", "at"}
_DEFAULTS = View()


def _read(name: str, value: str) -> Any:
    """A field's value from the URL; its default where the URL makes no sense."""
    default = getattr(_DEFAULTS, name)
    if name in _NUMBERS:
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else default
    if name in _CHOICES:
        return value if value in get_args(_CHOICES[name]) else default
    if name == "words":
        return value == "1"
    if name in _LISTS:
        return _read_list(value, _LISTS[name])
    if name == "zoom":
        parts = value.split("-")
        if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
            return default
        return tuple(int(part) for part in parts)
    return value


def _read_list(value: str, readers: tuple[Callable[[str], Any], ...]) -> tuple[Any, ...]:
    items = []
    for item in value.split("~")[:_MOST_ITEMS]:
        try:
            parts = [read(part) for read, part in zip(readers, item.split(":"), strict=True)]
        except ValueError:
            continue
        if all(isinstance(part, str) or (math.isfinite(part) and abs(part) < 1e9) for part in parts):
            items.append(tuple(parts))
    return tuple(items)


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, tuple) and (not value or isinstance(value[0], tuple)):
        return "~".join(":".join(str(part) for part in item) for item in value)
    if isinstance(value, tuple):
        return "-".join(str(part) for part in value)
    return str(value)


def from_query(query: Mapping[str, str], kept: Mapping[str, str | None] | None = None) -> View:
    """The View that a link says; what it says wrongly is left at its default.

    Args:
        query: The URL's parameters.
        kept: This session's texts by field, for those that were too long for a link.
    """
    known = {f.name for f in fields(View)}
    values = {name: _read(name, value) for name, value in query.items() if name in known}
    for name, prefix in _TEXTS.items():
        if prefix + _PACKED in query:
            values[name] = _unpack(query[prefix + _PACKED])
        elif prefix + _KEPT in query:
            values[name] = (kept or {}).get(name)
    return View(**values)


def to_query(view: View) -> dict[str, str]:
    """The shortest link that says the View: only what is not at its default."""
    query = {
        name: _write(value)
        for name, value in asdict(view).items()
        if value is not None and value != getattr(_DEFAULTS, name)
    }
    for name, prefix in _TEXTS.items():
        if len(quote(query.get(name, ""))) > _PLAIN_LIMIT:
            packed = base64.urlsafe_b64encode(zlib.compress(query.pop(name).encode(), 9)).decode()
            short = len(packed) <= _LINK_LIMIT // len(_TEXTS)
            query.update({prefix + _PACKED: packed} if short else {prefix + _KEPT: "1"})
    return query


def fits_link(view: View) -> bool:
    """False when the text is too long for a link, so only this session has it."""
    return not any(prefix + _KEPT in to_query(view) for prefix in _TEXTS.values())


def _unpack(packed: str) -> str | None:
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(base64.b64decode(packed, altchars=b"-_", validate=True), _UNPACKED_LIMIT)
        return text.decode() if unpacking.eof else None
    except (ValueError, zlib.error):
        return None


def current() -> View:
    """The View of this run."""
    return from_query(st.query_params.to_dict(), st.session_state.get("kept_texts"))


def update(**changes: Any) -> None:
    """Changes fields of the View, and so the URL, for the next run."""
    view = replace(current(), **changes)
    query = to_query(view)
    st.session_state["kept_texts"] = {name: getattr(view, name) for name in _TEXTS}
    st.session_state["query"] = query
    st.query_params.from_dict(query)


def restore(view: View) -> None:
    """Shows again what was shown before."""
    update(**{f.name: getattr(view, f.name) for f in fields(View)})


_OF_THE_TEXT: dict[str, None] = dict.fromkeys(("target", "against", "pin", "zoom", "generate", "step", "at"))


def new_text(text: str, pair: str | None = None) -> None:
    """Shows another text, or pair of texts; what belonged to the old one's tokens is forgotten."""
    update(text=text, pair=pair, **_OF_THE_TEXT)


def options_of(view: View, method: str) -> tuple[tuple[str, str], ...]:
    """What the link chooses for a method's options, by name."""
    return tuple((name, value) for owner, name, value in view.options if owner == method)


def choose_option(method: str, name: str, value: str, default: str) -> None:
    """Chooses a method's option; the default is not written into the link."""
    others = tuple(option for option in current().options if option[:2] != (method, name))
    update(options=others if value == default else (*others, (method, name, value)))


def toggle_compared(head: tuple[int, int]) -> None:
    """Adds a head to the comparison, or takes it out; the oldest leaves when there are too many."""
    chosen = list(current().compare)
    if head in chosen:
        chosen.remove(head)
    else:
        chosen.append(head)
    update(compare=tuple(chosen[-MAX_COMPARED:]))


def remember_across_pages(page: str) -> None:
    """Puts the View back into the URL after a change of page, which clears it."""
    arrived = st.session_state.get("page") not in (None, page)
    if arrived and not st.query_params.to_dict():
        st.query_params.from_dict(st.session_state.get("query", {}))
    st.session_state["page"] = page
    st.session_state["query"] = st.query_params.to_dict()


def bind(name: str, shown: Any = None, **resets: Any) -> dict[str, Any]:
    """Arguments that tie a widget to one field: `st.toggle("Words", **bind("words"))`.

    Args:
        name: The field.
        shown: What the widget shows, where that is not the field itself: a choice made for the visitor, or the nearest
            thing there is to what a link asks for.
        resets: Other fields that a change of this one sets.
    """
    key = f"control_{name}"
    st.session_state[key] = getattr(current(), name) if shown is None else shown

    def take() -> None:
        chosen = st.session_state[key]
        if chosen is not None:  # a segmented control that was clicked off
            update(**{name: chosen}, **resets)

    return {"key": key, "on_change": take}
