"""What the README says is run as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from grouper.lake import Lake
from grouper.lake.views import connect

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "README.zh-CN.md"]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
def test_the_commands_and_the_program_run_in_order(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "GROUPER_LANG"} | {"PYTHONIOENCODING": "utf-8"}
    commands = [
        line
        for block in blocks("README.md", "sh")
        for line in block.splitlines()
        if line.startswith("grouper ")
    ]
    assert len(commands) >= 8
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-P", "-m", *command.split()],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert done.stdout or "-o" in command, command
    _the_demo_settled_its_city(tmp_path / "grouper-demo", rows=3000)
    (program,) = blocks("README.md", "python")
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "GE19" in done.stdout


def _the_demo_settled_its_city(folder: Path, rows: int) -> None:
    """Twelve months and a clearing, every generated row in some run, reports of June and of the year."""
    with connect(Lake(folder / "lake")) as lake:
        runs = lake.sql("SELECT kind, rows_in FROM runs ORDER BY run").fetchall()
    assert [kind for kind, _ in runs] == ["settle"] * 12 + ["clear"]
    made = sum(pq.read_metadata(path).num_rows for path in (folder / "city").glob("*.parquet"))
    assert made == rows == sum(read for kind, read in runs if kind == "settle")
    assert {path.name for path in (folder / "lake" / "reports").iterdir()} == {"000006", "000013"}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


def test_both_languages_show_the_same_commands() -> None:
    english, chinese = (
        [re.sub(r" --lang en\b", "", line) for block in blocks(page, "sh") for line in block.splitlines()]
        for page in PAGES
    )
    assert english == chinese
    programs = [re.sub(r"#.*|\"en\"", "", blocks(page, "python")[0]) for page in PAGES]
    assert programs[0] == programs[1]


def test_the_set_up_commands_are_those_that_ci_runs() -> None:
    run, test = (b.strip() for b in blocks("README.md", "sh")[:2])
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert test in script
    assert "\n.venv/bin/pytest -m slow\n" in script
    assert run.startswith("python3 -m venv .venv && ") and run.endswith("grouper demo")


def test_an_uncompiled_source_tree_says_what_to_do(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "grouper", tmp_path / "grouper", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    done = subprocess.run(
        [sys.executable, "-c", "import grouper; grouper.load_scheme"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "build_ext --inplace" in done.stderr
