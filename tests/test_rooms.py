"""The order of the rooms: a module imports from its own room and from rooms below, nowhere in a circle.

Imports within functions and for types count too, and those by a call that names a module; modules whose name
is made up as they run may be imported where tests/test_one_of_each.py says. An exception stands here with its
reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import grouper

from .source import imported_by_call

ROOT = Path(__file__).parent.parent / "grouper"
ORDER = (
    "_fast", "base", "codes", "records", "grouping", "coefficients", "fitting", "indices", "payment", "lake",
    "report", "watch", "settlement", "synth", "research", "compare", "checks", "workbench", "spark", "web",
    "commands",
)  # fmt: skip
ALLOWED: dict[tuple[str, str], str] = {}  # (module, module above it): why


def modules() -> dict[str, Path]:
    """Every module of the package by its name."""
    return {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, known: set[str]) -> Iterator[str]:
    """The modules of the package that a module imports, wherever and however it does."""
    yield from imports_of(path.read_text(encoding="utf-8"), known, str(path))


def imports_of(text: str, known: set[str], path: str = "") -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        called = imported_by_call(node)
        if called and called.partition(".")[0] == "grouper":
            yield called
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "grouper")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports name their package in full"
            if (node.module or "").partition(".")[0] == "grouper":
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    yield full if full in known else str(node.module)


def graph() -> dict[str, set[str]]:
    found = modules()
    known = set(found)
    return {name: {to for to in imports(path, known) if to != name} for name, path in found.items()}


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def circles(arrows: dict[str, set[str]]) -> list[str]:
    """The modules that stay when all are taken away, again and again, that import or are imported by none."""
    left = {name: {to for to in targets if to in arrows} for name, targets in arrows.items()}
    while True:
        imported = set().union(*left.values()) if left else set()
        free = {name for name, targets in left.items() if not targets or name not in imported}
        if not free:
            return sorted(left)
        left = {name: targets - free for name, targets in left.items() if name not in free}


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").is_file()}
    assert rooms == set(ORDER)


def test_modules_import_from_their_own_room_and_from_rooms_below() -> None:
    against = [
        f"{name} imports {to}"
        for name, targets in graph().items()
        for to in sorted(targets)
        if room(name) in ORDER and room(to) in ORDER and ORDER.index(room(to)) > ORDER.index(room(name))
        if (name, to) not in ALLOWED
    ]
    assert not against


def test_no_module_imports_itself_through_others() -> None:
    assert circles(graph()) == []


@pytest.mark.parametrize("arrows", [{"a": {"b"}, "b": {"a"}}, {"a": {"b"}, "b": {"c"}, "c": {"b"}}])
def test_a_circle_is_found(arrows: dict[str, set[str]]) -> None:
    assert "b" in circles(arrows)


@pytest.mark.parametrize(
    "text",
    [
        "import grouper.lake.lock",
        "from grouper.lake import lock",
        "def f():\n    from grouper.lake.lock import hold",
        "import importlib\nimportlib.import_module('grouper.lake.lock')",
        "from importlib import import_module\nimport_module(name='grouper.lake.lock')",
        "__import__('grouper.lake.lock')",
    ],
)
def test_an_import_is_found_in_whatever_form(text: str) -> None:
    assert list(imports_of(text, {"grouper.lake", "grouper.lake.lock"})) == ["grouper.lake.lock"]


def test_the_source_tree_is_the_package_that_runs() -> None:
    assert {path.name for path in Path(grouper.__file__).parent.iterdir() if path.is_dir()} >= set(ORDER)
