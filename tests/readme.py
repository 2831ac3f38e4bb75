"""The README's tables, made from the code: `python -m tests.readme` writes them, a test compares them."""

import json
import re
from pathlib import Path
from typing import Any

import typer

from dashboard.__main__ import app
from dashboard.engine import HEAD_SCORES, METHODS, METRICS, MODELS
from dashboard.engine.models.catalog import CatalogModel

SHOWN = ("abpc", "comprehensiveness", "sufficiency")
README = Path(__file__).resolve().parents[1] / "README.md"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, [":--"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _study() -> str:
    """What `python -m dashboard faithfulness --data prompts --json …` gave."""
    found = json.loads((README.parent / "docs" / "faithfulness-smollm2-prompts.json").read_text())
    intervals = found["intervals"]
    ordered = sorted(intervals, key=lambda name: -intervals[name]["abpc"]["mean"])
    rows = []
    for name in ordered:
        title = f"{METHODS[name].title} ({METHODS[name].kind})" if name in METHODS else "**random orders**"
        better = name in METHODS and "abpc" in found["better than chance"][name]
        cells = [f"{i['mean']:.3f} ({i['low']:.3f} to {i['high']:.3f})" for i in map(intervals[name].get, SHOWN)]
        rows.append([title, *cells, "yes" if better else "" if name not in METHODS else "**no**"])
    titles = [f"{METRICS[name].title} {'↑' if METRICS[name].higher_is_better else '↓'}" for name in SHOWN]
    return _table(["method", *titles, "better than chance"], rows)


KINDS = {
    "causal": "decoders",
    "masked": "encoders for masked tokens",
    "seq2seq": "encoder–decoders",
    "image": "models of images",
}
OUTCOMES = ("exact by capture", "exact by eager", "refused", "cannot be built tiny")


def _architectures() -> str:
    """What `python -m tests.architectures` found: how many, then which ones."""
    found = json.loads((README.parent / "docs" / "architectures.json").read_text())
    groups = {
        (kind, outcome): [row for row in found if (row["kind"], row["outcome"]) == (kind, outcome)]
        for kind in KINDS
        for outcome in OUTCOMES
    }
    counts = [[title, *(str(len(groups[kind, outcome])) for outcome in OUTCOMES)] for kind, title in KINDS.items()]
    totals = [str(sum(row["outcome"] == outcome for row in found)) for outcome in OUTCOMES]
    which = [
        [KINDS[kind], outcome, _named(rows, by_reason=not outcome.startswith("exact"))]
        for (kind, outcome), rows in groups.items()
        if rows
    ]
    return (
        _table(["", *OUTCOMES], [*counts, ["**all**", *totals]])
        + "\n\n<details><summary>Which ones, and why not the others</summary>\n\n"
        + "° some layers have no softmax attention; they are left empty.\n\n"
        + _table(["", "outcome", "architectures"], which)
        + "\n\n</details>"
    )


def _named(rows: list[dict[str, Any]], by_reason: bool) -> str:
    """Architectures by name; where there is a reason, those that share it together."""
    if not by_reason:
        return " ".join(f"`{row['model_type']}`{'°' if row.get('gaps') else ''}" for row in rows)
    sharing: dict[str, list[str]] = {}
    for row in rows:
        reason = (
            row["reason"].replace(f"The architecture {row['architecture']}", "It").replace(row["architecture"], "It")
        )
        reason = reason.removeprefix("The attention of The model cannot be shown exactly: ").replace("|", "/")
        sharing.setdefault(reason, []).append(f"`{row['model_type']}`")
    return "<br>".join(f"{' '.join(names)}: {reason}" for reason, names in sharing.items())


def _where(model: CatalogModel) -> str:
    if model.home is None:
        return f"{model.download_bytes / 1e6:.0f} MB from `{model.requirement}`"
    card = (model.home / "MODEL_CARD.md").relative_to(README.parent)
    other = f"that of `{model.base}`" if model.base else "none"
    return f"{other}: in this repository ([card]({card}))"


def tables() -> dict[str, str]:
    """Each generated table by the name of its place in the README."""
    group = typer.main.get_command(app)
    return {
        "models": _table(
            ["name", "model", "predicts", "licence", "download"],
            [[f"`{m.name}`", m.title, m.task, m.licence, _where(m)] for m in MODELS.values()],
        ),
        "methods": _table(
            ["name", "method", "kind", "what a score says", "source"],
            [[f"`{m.name}`", m.title, m.kind, m.meaning, m.source] for m in METHODS.values()],
        ),
        "metrics": _table(
            ["name", "metric", "formula", "better", "what it says", "source"],
            [
                [f"`{m.name}`", m.title, f"${m.formula}$", "↑" if m.higher_is_better else "↓", m.definition, m.source]
                for m in METRICS.values()
            ],
        ),
        "study": _study(),
        "architectures": _architectures(),
        "scores": _table(
            ["name", "score", "formula", "what it says", "source"],
            [[f"`{s.name}`", s.title, f"${s.formula}$", s.meaning, s.source] for s in HEAD_SCORES.values()],
        ),
        "commands": _table(
            ["command", "what it does"],
            [
                [f"`python -m dashboard {name}`", (command.help or "").replace("\n", " ")]
                for name, command in group.commands.items()  # type: ignore[attr-defined]
            ],
        ),
    }


def filled(text: str) -> str:
    """The README with every generated table in its place."""
    for name, table in tables().items():
        place = re.compile(rf"<!-- {name} -->.*?<!-- /{name} -->", re.DOTALL)
        assert place.search(text), f"the README has no place for the {name} table"
        text = place.sub(lambda _, name=name, table=table: f"<!-- {name} -->\n{table}\n<!-- /{name} -->", text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
