"""The rules of the layout, read from the source: who imports whom, how long a file is, what lies where."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = (ROOT / "dashboard", ROOT / "components")
MAX_LINES = 300
SEES_STREAMLIT = (
    "dashboard/app.py",
    "dashboard/state.py",
    "dashboard/runtime/",
    "dashboard/visitors.py",
    "dashboard/pages/",
    "dashboard/panels/",
)
ROOT_FILES = {
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "pyproject.toml",
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-train.txt",
    ".gitignore",
    ".gitattributes",
    ".dockerignore",
    "Dockerfile",
}

# (whose files, what they must not import, why)
RULES = [
    ("dashboard/engine/", ("streamlit", "plotly", "components"), "the engine knows models, not pages"),
    (
        "dashboard/engine/",
        ("dashboard.app", "dashboard.pages", "dashboard.runtime", "dashboard.state"),
        "layers point downwards",
    ),
    ("components/", ("torch", "transformers", "dashboard"), "a component draws arrays and strings"),
    ("dashboard/pages/", ("torch", "transformers"), "pages paint before torch is imported"),
    ("dashboard/panels/", ("torch", "transformers"), "pages paint before torch is imported"),
    ("dashboard/app.py", ("torch", "transformers"), "pages paint before torch is imported"),
    ("dashboard/state.py", ("torch", "transformers"), "pages paint before torch is imported"),
]


def sources(*suffixes: str) -> list[Path]:
    return sorted(path for folder in CODE for path in folder.rglob("*") if path.suffix in suffixes)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Full names of all imported modules with their lines; relative imports resolved."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *filter(None, (node.module,))))
            for alias in node.names:  # `from dashboard import runtime` imports dashboard.runtime
                yield f"{base}.{alias.name}", node.lineno


def offences(whose: str, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{name_of(path)}:{line} imports {module}"
        for path in sources(".py")
        if name_of(path).startswith(whose)
        for module, line in imports(path)
        if any(f"{module}.".startswith(f"{name}.") for name in forbidden)
    ]


@pytest.mark.parametrize(("whose", "forbidden", "why"), RULES)
def test_imports_follow_the_layers(whose: str, forbidden: tuple[str, ...], why: str) -> None:
    assert not offences(whose, forbidden), why


def test_only_pages_and_what_serves_them_see_streamlit() -> None:
    found = [line for line in offences("dashboard/", ("streamlit",)) if not line.startswith(SEES_STREAMLIT)]
    # The command line may start Streamlit, but `export` must not load it: so only inside a function.
    top = ast.parse((ROOT / "dashboard/__main__.py").read_text("utf-8")).body
    first = {node.lineno for node in top if isinstance(node, ast.Import | ast.ImportFrom)}
    allowed = [
        line
        for line in found
        if line.startswith("dashboard/__main__.py:") and int(line.split(":")[1].split()[0]) not in first
    ]
    assert found == allowed


def test_the_import_reader_sees_every_way_to_write_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = tmp_path / "dashboard" / "engine" / "x.py"
    file.parent.mkdir(parents=True)
    file.write_text("import a.b\nfrom c import d\nfrom . import e\nfrom .. import runtime\ndef f():\n    import g\n")
    names = {name for name, _ in imports(file)}
    assert names == {"a.b", "c.d", "dashboard.engine.e", "dashboard.runtime", "g"}


@pytest.mark.parametrize("path", sources(".py", ".js", ".css"), ids=name_of)
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


def test_nothing_stray_lies_in_the_root() -> None:
    hidden_by_tools = {".git", ".coverage", ".env", ".DS_Store"}
    files = {path.name for path in ROOT.iterdir() if path.is_file()} - hidden_by_tools
    assert not {name for name in files - ROOT_FILES if not name.endswith((".swp", ".attn"))}


def test_no_page_loads_anything_from_elsewhere() -> None:
    """No CDN, no font server: the dashboard works without a network."""
    found = [
        f"{name_of(path)}: {sign}"
        for path in sources(".js", ".css")
        for sign in ("http://", "https://", "@import", "XMLHttpRequest", "fetch(")
        if sign in path.read_text("utf-8")
    ]
    assert not found
