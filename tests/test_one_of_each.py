"""One reader, one writer, one hash, one atomic write, one rounding: the module of each is named here.

Whoever needs another adds it with its reason. The source is read, not run, so that no import within a
function hides.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from grouper.records.schema import CANONICAL

from .source import DYNAMIC, aliases, imported_by_call, opens_to_write

ROOT = Path(__file__).parent.parent / "grouper"
WRITING, SCANNING = "open(…, 'w')", "a scan in SQL"
_SCAN = re.compile(r"\b(?:read_(?:csv|parquet|json|text|blob|ndjson)\w*|parquet_scan)\s*\(")

# What may be imported or called, and the modules that may: module -> why.
ONLY: dict[str, dict[str, str]] = {
    "csv": {
        "base.tables_in": "the one reader of small tables",
        "base.tables_out": "the one writer of small tables",
    },
    "tomllib": {"base.toml_in": "the one reader of TOML"},
    "tomli_w": {"base.toml_out": "the one writer of TOML"},
    "openpyxl": {},
    "fastexcel": {
        "base.tables_in": "the one reader of small tables",
        "records.excel": "records in a workbook: a large file, read by columns with their types",
    },
    "hashlib": {
        "base.digests": "the one hash",
        "base.certified": "of an open file, between two looks at its marks",
    },
    "os.replace": {
        "base.whole": "the one atomic write",
        "lake.chain": "the record of a run, by way of its staging folder",
        "lake.guide": "a text that goes with a lake, by way of a staging folder",
        "lake.intent": "moves the files of a run to their places, and the intent that names them",
        "lake.ledger": "puts a ledger in its place, under its own protocol",
    },
    "os.remove": {},
    "os.unlink": {},
    "os.removedirs": {},
    "os.open": {
        "base.whole": "a folder, to bring its names to the disk",
        "base.plain": "a device or a pipe that takes a whole result",
        "commands.options.shared": "the null device, in place of a pipe that is closed",
        "lake.sign": "a new file that only its owner may read, from its first byte",
    },
    "shutil.move": {},
    "pandas": {},
    "pyarrow.csv": {
        "base.output": "results as CSV, in batches",
        "records.readers": "records in CSV: a large file, read in batches",
    },
    DYNAMIC: {
        "base.lazy": "names of a package, imported when they are asked for",
        "commands.__init__": "a command, imported when it is called",
        "grouping.family": "a family, by the table of families",
    },
    WRITING: {
        "base.output": "its own part, which then takes the place of the result",
        "lake.lock": "the lock, under the lock",
        "lake.repair": "the list of what was set aside, in a folder of its own",
        "report.feeds": "a part, which then takes the place of the feed",
    },
    SCANNING: {
        "base.sql": "the one place of scans in SQL",
        "research.readme": "what a reader of a snapshot may type",
        "research.standalone": "views.sql, which goes into a lake and has no Python beside it",
        "research.views": "views.sql, which goes out with a snapshot and has no Python beside it",
    },
    "os.rename": {"lake.repair": "files that no run owns are set aside, in the same lake"},
    "os.fsync": {"base.whole": "brings a file to the disk, where the system can"},
    "shutil.rmtree": {
        "base.whole": "its own folder beside the one that appears",
        "base.scratch": "its own folder for spills",
        "base.leftovers": "folders of dead processes, provably of this machine and user",
        "lake.intent": "the staging folder of a run that is over",
    },
    "filelock": {"lake.lock": "one writer at a time", "commands.demo": "one demo at a time in a folder"},
    "decimal.ROUND_HALF_UP": {"base.exact": "the one rounding"},
    "decimal.ROUND_HALF_EVEN": {},
    "decimal.ROUND_HALF_DOWN": {},
    "decimal.ROUND_DOWN": {},
    "decimal.ROUND_UP": {},
    "decimal.ROUND_FLOOR": {},
    "decimal.ROUND_CEILING": {},
    "decimal.InvalidOperation": {"base.exact": "the one reader of numbers that somebody wrote"},
    "decimal.Context": {"base.exact": "the one precision"},
    "decimal.getcontext": {},
    "decimal.localcontext": {"base.exact": "the one precision"},
    "resource": {"base.machine": "peak memory, where the system tells it"},
    "fcntl": {},
}
# Methods of any object, by name: where they may be called, and why.
CALLS: dict[str, dict[str, str]] = {
    "quantize": {"base.exact": "the one rounding"},
    "write_text": {
        "base.whole": "the one atomic write",
        "lake.chain": "into the staging folder, then to the disk and to its place",
        "lake.guide": "likewise",
        "lake.intent": "into the staging folder, then to the disk and to its place",
    },
    "write_bytes": {},
    "rename": {
        "base.whole": "a folder that appears whole",
        "lake.repair": "files that no run owns are set aside, in the same lake",
    },
    "unlink": {
        "commands.demo": "its own lock",
        "base.whole": "its own part, and files that a mark proves to be the program's",
        "base.output": "its own part",
        "base.leftovers": "parts of dead processes, provably of this machine and user",
        "lake.chain": "the record of a run that did not come to an end",
        "lake.intent": "files that the intent of a broken run names, with the content it names",
        "records.source": "the spool of standard input",
        "grouping.drg.tables.store": "a file of a scheme that the scheme no longer has, by its fixed name",
    },
    "rmdir": {
        "base.whole": "folders that have become empty",
        "lake.disk": "folders that have become empty",
        "lake.ledger": "folders that have become empty",
    },
}


@cache
def modules() -> dict[str, ast.Module]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(ROOT.rglob("*.py"))
    }


def uses(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported, every ``module.name`` that is imported or read, methods called, files
    opened to write and scans in texts of SQL."""
    known = aliases(tree)
    for node in ast.walk(tree):
        if name := imported_by_call(node):
            yield name
        if opens_to_write(node):
            yield WRITING
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SCAN.search(node.value):
            yield SCANNING
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{known.get(node.value.id, node.value.id)}.{node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield f".{node.func.attr}"


@cache
def used() -> dict[str, frozenset[str]]:
    return {module: frozenset(uses(tree)) for module, tree in modules().items()}


def users(name: str) -> set[str]:
    return {module for module, names in used().items() if name in names}


@pytest.mark.parametrize("name", ONLY)
def test_it_is_imported_and_used_only_where_it_is_named(name: str) -> None:
    assert users(name) == ONLY[name].keys()


@pytest.mark.parametrize("name", CALLS)
def test_it_is_called_only_where_it_is_named(name: str) -> None:
    assert users(f".{name}") == CALLS[name].keys()


def test_every_exception_has_its_reason() -> None:
    assert all(reason for table in (ONLY, CALLS) for named in table.values() for reason in named.values())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import csv", "csv"),
        ("def f():\n    from hashlib import sha256", "hashlib"),
        ("import os\nos.replace(a, b)", "os.replace"),
        ("from os import replace", "os.replace"),
        ("from decimal import ROUND_HALF_UP as h", "decimal.ROUND_HALF_UP"),
        ("import os as o\no.replace(a, b)", "os.replace"),
        ("import importlib\nimportlib.import_module('csv')", "csv"),
        ("__import__('openpyxl').Workbook()", "openpyxl"),
        ("from importlib import import_module as load\nload(name)", "importlib.import_module"),
        ("import importlib\nimportlib.import_module(name)", DYNAMIC),
        ("import os\nos.remove(path)", "os.remove"),
        ("path.rename(other)", ".rename"),
        ("open(path, 'w')", WRITING),
        ("open(path, mode='ab')", WRITING),
        ("open(path, mode)", WRITING),
        ("path.open('r+b')", WRITING),
        ("import pandas as pd\npd.read_csv(path)", "pandas"),
        ("from pyarrow import csv", "pyarrow.csv"),
        ("sql = f\"SELECT * FROM read_csv('{path}')\"", SCANNING),
        ("sql = 'FROM read_parquet([' + names + '])'", SCANNING),
        ("path.with_suffix('').unlink()", ".unlink"),
        ("if True:\n    value.quantize(one)", ".quantize"),
    ],
)
def test_a_second_one_is_found_wherever_it_stands(text: str, found: str) -> None:
    assert found in set(uses(ast.parse(text)))


@pytest.mark.parametrize("text", ["open(path)", "open(path, 'rb')", "path.open()", "out.open(schema)"])
def test_a_file_that_is_read_is_no_writer(text: str) -> None:
    assert WRITING not in set(uses(ast.parse(text)))


def rounds(tree: ast.Module) -> list[str]:
    """What a module gives to the builtin ``round``, whose halves go to the even digit."""
    return [
        ast.unparse(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "round"
    ]


def test_payment_rounds_nothing_by_itself() -> None:
    """Money and factors are rounded by name in base.exact."""
    found = {module: rounds(tree) for module, tree in modules().items() if module.startswith("payment.")}
    assert not {module: told for module, told in found.items() if told}
    assert rounds(ast.parse("x = round(yuan, 2)")) == ["yuan"]


def test_parts_beside_a_file_are_named_in_one_place() -> None:
    """``.name.pid.part`` is what the atomic write leaves when it is killed: one form of the name."""
    texts = {
        module
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".part")
    }
    assert texts == {
        "base.whole",
        "base.leftovers",
        "lake.chain",
        "lake.guide",
        "lake.intent",
    }  # the latter inside their staging folder


def test_the_key_of_provenance_is_written_in_one_place() -> None:
    texts = {
        module
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value == "grouper.provenance"
    }
    assert texts == {"base.provenance"}


def test_no_test_types_the_record_schema_again() -> None:
    """A test takes it from ``support.canonical``, which takes it from the package."""
    again = {
        path.name
        for path in Path(__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Tuple) and len(node.elts) == 2
        if isinstance(node.elts[0], ast.Constant) and node.elts[0].value in CANONICAL
        if ast.unparse(node.elts[1]).startswith("pa.")
    }
    assert again == set()
