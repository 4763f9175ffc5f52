"""Hospitals have Windows: grouping, explaining, pricing and settling need no module that only POSIX has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from grouper.base.machine import peak_rss_mib
from grouper.base.provenance import PROVENANCE_KEY
from grouper.base.whole import sync

BLOCKED = ("fcntl", "resource", "pwd", "grp", "termios", "syslog", "posixshmem")
BLOCK = f"""
import importlib.abc, sys
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {BLOCKED!r}:
            raise ImportError(f"{{name}} is not on every system")
for name in {BLOCKED!r}:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Blocked())
# There, folders cannot be opened, and what was opened to read only cannot be brought to the disk.
import os, shutil
opened, synced, write = os.open, os.fsync, os.O_WRONLY | os.O_RDWR
del os.O_DIRECTORY
shutil._use_fd_functions = False
handles = {{}}
def open_file(path, flags, *more, **named):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", str(path))
    handle = opened(path, flags, *more, **named)
    handles[handle] = flags
    return handle
def fsync(handle):
    if not handles.get(handle, write) & write:
        raise OSError(9, "Bad file descriptor")
    synced(handle)
os.open, os.fsync = open_file, fsync
"""
EVERY_MODULE = """
import importlib, pkgutil, grouper
for module in pkgutil.walk_packages(grouper.__path__, "grouper."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
CALL = "from grouper.commands import main; import sys; sys.argv = ['grouper', *{arguments!r}]; main()"


def run(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", BLOCK + program], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def call(folder: Path, *arguments: str) -> str:
    return run(CALL.format(arguments=list(arguments)), folder)


def test_every_module_imports(tmp_path: Path) -> None:
    run(EVERY_MODULE, tmp_path)


def test_group_explain_and_pay_work(tmp_path: Path) -> None:
    call(tmp_path, "synth", "-o", "city", "--rows", "240", "--months", "1")
    city = "city/2025-01.parquet"
    call(tmp_path, "group", city, "-o", "g.parquet", "--scheme", "zhejiang-2022", "--workers", "2")
    call(
        tmp_path,
        "pay",
        "g.parquet",
        "--policy",
        "lishui",
        "--hospitals",
        "city/hospitals.csv",
        "-o",
        "p.parquet",
    )
    record = ("--dx", "I63.900", "--sex", "1", "--age", "70")
    assert "BR" in call(tmp_path, "explain", "--scheme", "chs-drg-2.0", *record)
    made = json.loads(pq.read_schema(tmp_path / "g.parquet").metadata[PROVENANCE_KEY.encode()])
    assert made["rows"] and "peak_rss_mib" not in made and (tmp_path / "p.parquet").is_file()


def test_folders_and_files_are_brought_to_the_disk_where_the_system_can(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x", encoding="utf-8")
    program = (
        "from pathlib import Path; from grouper.base.whole import sync; [sync(Path(p)) for p in ('f', '.')]"
    )
    run(program, tmp_path)
    sync(tmp_path)
    sync(tmp_path / "f")
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "none")


def test_where_the_system_does_not_say_how_much_memory_was_used_nothing_is_said(tmp_path: Path) -> None:
    assert run("from grouper.base.machine import peak_rss_mib; print(peak_rss_mib())", tmp_path) == "None\n"
    assert (peak_rss_mib() or 0) > 1


@pytest.mark.slow
def test_a_month_settles(tmp_path: Path) -> None:
    call(tmp_path, "synth", "-o", "city", "--rows", "240", "--months", "1")
    call(
        tmp_path, "settle", "--area", "lishui", "--month", "2025-01", "--input", "city/2025-01.parquet",
        "--budget", "city/budget.toml", "--hospitals", "city/hospitals.csv", "-o", "lake",
    )  # fmt: skip
    assert "2025-01" in call(tmp_path, "status", "lake")
