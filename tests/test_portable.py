"""Hospitals have Windows: grouping, explaining, pricing and settling need no module that only POSIX has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
    assert (tmp_path / "p.parquet").is_file()


def test_a_month_settles(tmp_path: Path) -> None:
    call(tmp_path, "synth", "-o", "city", "--rows", "240", "--months", "1")
    call(
        tmp_path, "settle", "--area", "lishui", "--month", "2025-01", "--input", "city/2025-01.parquet",
        "--budget", "city/budget.toml", "--hospitals", "city/hospitals.csv", "-o", "lake",
    )  # fmt: skip
    assert "2025-01" in call(tmp_path, "status", "lake")
