"""What the package is built on: the lowest versions allowed are tested, NOTICE names every part with its
licence."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = {
    "ruff",
    "mypy",
    "build",
    "setuptools",
    "cython",
}  # none runs with the package
NOTICE = (ROOT / "NOTICE").read_text("utf-8")


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def lowest(requirements: list[str]) -> dict[str, str]:
    """Name -> lower bound."""
    found = {}
    for text in requirements:
        name, bound = re.match(r"([\w-]+)>=([\d.]+)", text).groups()  # type: ignore[union-attr]
        found[name] = bound
    return found


def runtime() -> dict[str, str]:
    return lowest([*project()["dependencies"], *project()["optional-dependencies"]["sign"]])


def pinned() -> dict[str, str]:
    lines = (ROOT / "tests" / "lowest.txt").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def padded(version: str) -> tuple[int, ...]:
    parts = [int(part) for part in version.split(".")]
    return tuple(parts + [0] * (3 - len(parts)))


def test_the_lowest_versions_are_those_that_are_tested() -> None:
    wanted = runtime() | lowest(project()["optional-dependencies"]["test"])
    wanted = {name: bound for name, bound in wanted.items() if name not in TOOLS}
    assert {name: padded(version) for name, version in pinned().items()} == {
        name: padded(bound) for name, bound in wanted.items()
    }


def test_ci_installs_the_lowest_versions() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "-r tests/lowest.txt" in script and "build/lowest/bin/python" in script


@pytest.mark.parametrize("name", sorted(runtime()))
def test_the_installed_version_is_within_the_bounds(name: str) -> None:
    (text,) = {t for t in [*project()["dependencies"], *project()["optional-dependencies"]["sign"]]
               if re.match(r"[\w-]+", t)[0] == name}  # type: ignore[index]  # fmt: skip
    installed = padded(re.match(r"[\d.]+", metadata.version(name))[0].rstrip("."))  # type: ignore[index]
    assert installed >= padded(runtime()[name])
    if above := re.search(r"<([\d.]+)", text):
        assert installed < padded(above[1])


@pytest.mark.parametrize("name", [*sorted(runtime()), "setuptools", "cython"])
def test_notice_names_every_part_with_its_licence(name: str) -> None:
    line = next(line for line in NOTICE.splitlines() if re.match(rf"\s+{name}\b", line, re.IGNORECASE))
    assert re.search(r"Apache-2\.0|MIT|BSD-[23]-Clause", line)


def test_notice_names_every_source_of_the_tables_that_has_a_licence() -> None:
    """Rows of "Public copies" in tables/SOURCES.md."""
    text = (ROOT / "tables" / "SOURCES.md").read_text("utf-8")
    rows = re.findall(
        r"^\| (.+?) \| (.+?) \| .+ \|$", text.split("## Public copies")[1].split("##")[0], re.MULTILINE
    )
    copies = [(name, licence) for name, licence in rows if set(name) - set("-: ") and name != "copy"]
    assert len(copies) >= 7
    for name, licence in copies:
        for project_name in re.findall(r"[\w.-]+/[\w.-]+|OpenDRG", name):
            assert project_name.split("/")[-1] in NOTICE, project_name
        if licence in ("MIT", "Apache-2.0"):
            assert licence in NOTICE


BY_MODULE = {
    "argon2": "argon2-cffi", "python_multipart": "python-multipart", "tomli_w": "tomli-w",
    "rustpy_xlsxwriter": "rustpy-xlsxwriter", "starlette": "fastapi", "pydantic": "fastapi",
}  # fmt: skip
EXTRAS = {"grouper/web": "web", "grouper/spark": "spark", "grouper/lake/sign.py": "sign",
          "grouper/commands/serve.py": "web",
          "grouper/workbench/pinyin_table.py": "dev"}  # fmt: skip


def imported(tree: ast.AST) -> Iterator[str]:
    """Top names of what a module imports when it runs: not what only its types name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.split(".")[0]
        yield from imported(node)


def test_nothing_is_imported_that_is_not_installed_with_it() -> None:
    """Tests run beside packages of their own: what only they bring is missing in a plain install."""
    own = {re.match(r"[\w-]+", text)[0] for text in project()["dependencies"]}  # type: ignore[index]
    lacking = []
    for path in sorted((ROOT / "grouper").rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        extra = next((name for room, name in EXTRAS.items() if place.startswith(room)), None)
        brought = {re.match(r"[\w-]+", text)[0]  # type: ignore[index]
                   for text in project()["optional-dependencies"].get(extra or "", [])}  # fmt: skip
        for name in set(imported(ast.parse(path.read_text("utf-8")))) - sys.stdlib_module_names - {"grouper"}:
            if BY_MODULE.get(name, name) not in own | brought:
                lacking.append(f"{place}: {name}")
    assert lacking == []
