"""docs/zh/month.md, the month in ten steps, is run as it stands there, with the files that it shows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .in_process import call

PAGE = Path(__file__).parent.parent / "docs" / "zh" / "month.md"
_NAMED = re.compile(r"^\*\*`([^`]+)`\*\*[^\n]*\n\n```\w+\n(.*?)```$", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(r"^```(sh|text)\n(.*?)```$", re.DOTALL | re.MULTILINE)


def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def files() -> dict[str, str]:
    """The files of the exercise by name."""
    return dict(_NAMED.findall(page()))


def steps() -> Iterator[tuple[list[str], list[str]]]:
    """The commands of each block, and the lines that the page says they print."""
    blocks: list[tuple[list[str], list[str]]] = []
    for kind, text in _BLOCK.findall(page()):
        if kind == "sh":
            blocks.append((text.splitlines(), []))
        else:
            blocks[-1][1].extend(text.splitlines())
    yield from blocks


def run(command: str, folder: Path) -> str:
    """What a command of the page prints. ``# 退出码 N`` behind it is the exit code that the page names."""
    line, _, comment = command.partition("  # 退出码 ")
    words = line.split()
    if words[:2] == ["cp", "-r"]:
        shutil.copytree(folder / words[2], folder / words[3])
        return ""
    assert words.pop(0) == "grouper", command
    target = words[words.index(">") + 1] if ">" in words else ""
    words = words[: words.index(">")] if target else words
    code, out, err = call(*words, cwd=folder)
    assert code == int(comment or 0), f"{command}\n{err.decode()}"
    if target:
        (folder / target).write_bytes(out)
        return err.decode()
    return out.decode() + err.decode()


@pytest.mark.slow
def test_the_month_is_run_in_its_ten_steps(tmp_path: Path) -> None:
    for name, text in files().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for commands, told in steps():
        printed = [line for command in commands for line in run(command, tmp_path).splitlines()]
        # Figures of a table move with the widest of them: spaces do not count.
        flat = {re.sub(r"\s+", " ", line.strip()) for line in printed}
        for line in told:
            assert re.sub(r"\s+", " ", line.strip()) in flat, f"{line}\n" + "\n".join(printed)
    reports = tmp_path / "结算湖" / "reports" / "000002"
    assert {"report.html", "hospitals", "csv"} <= {path.name for path in reports.iterdir()}
    assert (tmp_path / "试算湖" / "reports" / "000002" / "csv" / "rejected.csv").exists()
    assert (tmp_path / "对账单" / "H001.xlsx").exists()


def test_the_page_shows_every_file_that_its_commands_read() -> None:
    named = set(re.findall(r"[\w.]+\.(?:csv|toml)(?= |$)", " ".join(line for c, _ in steps() for line in c)))
    made = {"草稿.toml", "budget.toml", "assessment.csv"}
    assert named - made == set(files())


def test_it_has_ten_steps() -> None:
    found = re.findall(r"^## 第(.+?)步　", page(), re.MULTILINE)
    assert found == list("一二三四五六七八九十")
