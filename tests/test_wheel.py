"""The wheel holds the files of the tree and nothing else, whatever was built in the checkout before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NEEDED = (".gitignore", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "NOTICE")
NOT_PACKED = shutil.ignore_patterns("__pycache__", "*.so", "*.c", "*.pyd")
LEFT_OVER = ("grouper/old_room/__init__.py", "grouper/base/old.py", "tables/drg/old-1990/scheme.toml")


def build(tree: Path, target: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(tree)]
    done = subprocess.run(command, cwd=target.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    (wheel,) = target.glob("*.whl")
    return wheel


def packed(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as file:
        return {name for name in file.namelist() if ".dist-info/" not in name}


def git(tree: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", *who, *arguments], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit_in(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as file:
        return file.read("grouper/base/commit.txt").decode().strip()


def expected(tree: Path) -> set[str]:
    """Names in the wheel: the package, the tables inside it, one compiled module for each kernel (bare)."""
    sources = {path.relative_to(tree).as_posix() for path in (tree / "grouper").rglob("*") if path.is_file()}
    tables = {
        f"grouper/{path.relative_to(tree).as_posix()}"
        for path in (tree / "tables").rglob("*")
        if path.is_file()
    }
    kernels = {name.removesuffix(".pyx") for name in sources if name.endswith(".pyx")}
    return sources | tables | kernels


def without_suffix_of_kernels(names: set[str]) -> set[str]:
    return {name.partition(".")[0] if name.endswith((".so", ".pyd")) else name for name in names}


@pytest.mark.slow
def test_a_second_wheel_has_nothing_of_the_first(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for folder in ("grouper", "tables"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=NOT_PACKED)
    for name in NEEDED:
        shutil.copy2(ROOT / name, tree / name)
    of_today = expected(tree) | {"grouper/base/commit.txt"}
    git(tree, "init", "--quiet")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "-m", "all")
    commit = git(tree, "rev-parse", "HEAD")
    for name in LEFT_OVER:
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text("")
    made = build(tree, tmp_path / "first")
    assert commit_in(made) == f"{commit}+changes"
    first = packed(made)
    assert without_suffix_of_kernels(first) == of_today | {
        name if name.startswith("grouper/") else f"grouper/{name}" for name in LEFT_OVER
    }
    for name in LEFT_OVER:
        (tree / name).unlink()
    shutil.rmtree(tree / "grouper" / "old_room")
    second = build(tree, tmp_path / "second")
    assert commit_in(second) == commit
    assert without_suffix_of_kernels(packed(second)) == of_today

    with zipfile.ZipFile(second) as file:
        file.extractall(tmp_path / "installed")
    program = (
        "import grouper; from grouper.base.provenance import stamped; "
        "print(grouper.__file__, grouper.load_scheme('chs-drg-2.0').id, stamped()['software']['commit'])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
    )
    installed = tmp_path / "installed" / "grouper" / "__init__.py"
    assert done.stdout.split() == [str(installed), "chs-drg-2.0", commit], done.stderr
