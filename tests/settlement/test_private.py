"""Lakes and outputs with data of persons are their owner's, unless it is asked otherwise; spills always."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from grouper.base import scratch
from grouper.base.output import Output
from grouper.base.scratch import spill_folder
from grouper.commands import cli
from grouper.lake import Lake
from grouper.payment.price.pricing import connect

from . import settle_support as support

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX systems")


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("shared", [False, True])
def test_a_new_lake(tmp_path: Path, shared: bool) -> None:
    lake = Lake(tmp_path / "lake")
    support.settle(lake, support.city(900, 0.03, (5,)), "2025-05", shared=shared)
    assert _mode(lake.root) == (0o755 if shared else 0o700)
    files = [path for path in lake.root.rglob("*") if path.is_file() and path.name != ".lock"]
    assert len(files) == 10 and {_mode(path) for path in files} == {0o644 if shared else 0o600}


@pytest.mark.slow
def test_grouped_and_priced_cases(tmp_path: Path) -> None:
    city = support.city(900, 0.03, (5,))
    grouped, paid = tmp_path / "grouped.parquet", tmp_path / "paid.parquet"
    calls = (
        ["group", str(city / "2025-05.parquet"), "-o", str(grouped), "--scheme", "zhejiang-2022"],
        ["pay", str(grouped), "-o", str(paid), "--policy", "lishui", "--hospitals",
         str(city / "hospitals.csv")],
    )  # fmt: skip
    for more, mode in (([], 0o600), (["--shared"], 0o644)):
        for call in calls:
            done = CliRunner().invoke(cli, [*call, *more])
            assert done.exit_code == 0, done.output
        assert {_mode(grouped), _mode(paid)} == {mode}
        grouped.unlink(), paid.unlink()


def test_a_file_that_is_written_again_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("")
    path.chmod(0o640)
    with Output(str(path), "csv", private=True):
        pass
    assert _mode(path) == 0o640


def test_spills_go_to_private_folders(tmp_path: Path) -> None:
    with connect() as connection:
        row = connection.execute("SELECT current_setting('temp_directory')").fetchone()
    assert row and row[0] == spill_folder() and _mode(Path(row[0])) == 0o700
    own = tmp_path / "own"
    own.mkdir(mode=0o700)
    assert spill_folder(own / "x.parquet") == str(own / "spill")
    own.chmod(0o755)
    assert spill_folder(own / "x.parquet") == spill_folder()


@pytest.mark.slow
def test_every_database_says_where_it_spills() -> None:
    """But those that are files, which spill beside themselves."""
    source = Path(scratch.__file__).parents[1]
    calls = [
        (path.name, ast.unparse(node))
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "duckdb.connect"
    ]
    assert len(calls) > 8
    bare = {name for name, call in calls if "temp_directory" not in call}
    assert bare == {"ledger.py"} and all("str(" in c for n, c in calls if n in bare and "temp_" not in c)


FORK = """
import atexit, os
from pathlib import Path
from grouper.base.scratch import spill_folder

folder = Path(spill_folder())
child = os.fork()
if child == 0:
    atexit._run_exitfuncs()
    os._exit(0 if folder.is_dir() and spill_folder() != str(folder) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_a_fork_leaves_the_folder_of_its_parent() -> None:
    """In a process of its own: a fork of this one would close the databases of other tests."""
    subprocess.run([sys.executable, "-P", "-c", FORK], check=True)
