"""What a run tells of itself on a terminal: how much is done, the rate, the time left; elsewhere nothing."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from grouper.commands.text.ledger import STAGES
from grouper.commands.text.progress import Line, Shown, Stages, duration, expected, over, text
from grouper.settlement.intake import _lines
from grouper.settlement.stage import followed, onward

from . import settle_support as support


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_durations() -> None:
    assert [duration(s) for s in (0, 0.2, 59, 61, 3599.5, 7260)] == [
        "0s", "1s", "59s", "1m01s", "1h00m", "2h01m",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shown", "zh", "en"),
    [
        (
            Shown("计价", "行", 9.0, done=250_000, total=1_000_000, counted=2.0),
            "计价  250,000 / 1,000,000 行   25%  125,000/s  剩余 6s",
            "计价  250,000 / 1,000,000 行   25%  125,000/s  6s left",
        ),
        (Shown(done=500, total=None, counted=2.0), "500  250/s", "500  250/s"),
        (
            Shown("检查", "行", 3.0, rows=1000, expected=12.0, percent=40.0, stated=1.0),
            "检查  约25%  约83/s  剩余约 9s  本句 40%",
            "检查  about 25%  about 83/s  about 9s left  statement 40%",
        ),
        (
            Shown("检查", "行", 13.0, rows=1000, expected=12.0, percent=40.0, stated=4.0),
            "检查  13s  本句 40%  剩余约 6s",
            "检查  13s  statement 40%  about 6s left",
        ),
        (
            Shown("读取", "行", 1.0, done=0, total=900, counted=1.0),
            "读取  0 / 900 行  1s",
            "读取  0 / 900 行  1s",
        ),
        (Shown("提交", "行", 1.0, percent=-1.0), "提交  1s", "提交  1s"),
    ],
)
def test_a_line_tells_what_is_known(shown: Shown, zh: str, en: str) -> None:
    assert text(shown, "zh") == zh
    assert text(shown, "en") == en


def test_the_pace_of_earlier_stages_tells_what_a_later_one_takes() -> None:
    assert expected("validate", {}) is None
    assert expected("validate", {"read": 3.0}) == pytest.approx(3.0)
    assert expected("statements", {"read": 3.0, "validate": 3.0}) == pytest.approx(4.5)
    assert expected("commit", {"read": 3.0}) is None


def test_the_rate_counts_from_where_the_counting_begins() -> None:
    """What a stage did before it wrote its first row is not in the rate of the rows."""
    clock = Clock()
    line = Line(Shown("计价", "行"), Terminal(), clock, "zh")
    clock.now += 10
    line(0, 400)
    clock.now += 2
    line(100, 400)
    assert (line.shown.done, line.shown.counted) == (100, 2.0)
    line.draw()
    assert text(line.shown, "zh").endswith("50/s  剩余 6s") and line.shown.elapsed == 12
    line(500, 400)  # the total was an estimate
    assert line.shown.total == 500


def test_a_statement_that_falls_back_is_another() -> None:
    clock = Clock()
    line = Line(Shown(), Terminal(), clock, "en")
    for percent, wait in ((10.0, 1), (60.0, 1), (5.0, 3)):
        line.statement(percent)
        clock.now += wait
    line.statement(25.0)
    assert line.shown.stated == 3 and "about 9s left" in text(line.shown, "en")


def test_stages_remember_their_pace_and_leave_a_line_each() -> None:
    out, clock = Terminal(), Clock()
    stages = Stages(STAGES, "en", out, clock)
    with stages("read") as told:
        assert told is not None
        told(0, 600)
        clock.now += 2
        told(600, 600)
    with stages("validate") as told:
        assert told is not None and told.shown.expected == pytest.approx(2.0)
        clock.now += 1
        told.draw()
    lines = [part for part in re.split(r"[\r\n]|\x1b\[K", out.getvalue()) if part]
    assert lines[-4:] == [
        "read and group  600 / 600 rows  100%  300/s  0s left",
        "  read and group  600 rows  2.0s  300/s",
        "validate  about 50%  about 1s left",
        "  validate  1.0s",
    ]
    assert over(Shown("报告", "份", 10.0, done=5), "zh") == "  报告  5 份  10.0s  0.5/s"


def test_nobody_watches() -> None:
    out = io.StringIO()
    with Stages(STAGES, "zh", out)("read") as told:
        assert told is None
    with duckdb.connect() as connection, followed(told, connection, 7):
        assert onward(told, 0, 7) is None
    assert out.getvalue() == ""


def test_a_statement_is_followed_from_beside() -> None:
    """DuckDB itself says how far a statement is, while another thread waits for it."""
    line = Line(Shown(), Terminal(), Clock(), "en")
    seen: list[float] = []
    line.statement = seen.append  # type: ignore[method-assign]
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        with line.follow(connection, 5):
            sql = "SELECT count(*) FROM (SELECT DISTINCT hash(i) % 3000000 FROM range({}) AS r(i))"
            size = 4_000_000
            while not any(0 < percent < 100 for percent in seen) and size < 200_000_000:
                connection.execute(sql.format(size)).fetchall()
                size *= 2
    assert any(0 < percent < 100 for percent in seen), seen
    assert line.shown.rows == 5


def test_rows_of_a_text_file_are_estimated(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "1234567,xyz\n" * 200_000)
    assert _lines(path) == pytest.approx(200_000, rel=0.01)
    assert _lines(tmp_path / "rows.parquet") is None


@contextmanager
def _terminal() -> Iterator[tuple[int, list[bytes]]]:
    """A pseudo-terminal, and what is written to it."""
    ours, theirs = pty.openpty()
    seen: list[bytes] = []

    def read() -> None:
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:
                return
            if not part:
                return
            seen.append(part)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    yield theirs, seen
    os.close(theirs)
    thread.join(10)
    os.close(ours)


@pytest.mark.slow
def test_a_run_on_a_terminal_and_beside_one(tmp_path: Path) -> None:
    """Every stage is seen on a terminal, with its rate, and what is counted with the time left; in a pipe
    only plan and summary are."""
    place = support.city(3600, 0.03, (5, 6))

    def command(month: str) -> list[str]:
        given = [
            "settle", "--area", "tianmen", "--month", month, "--input", str(place / f"{month}.parquet"),
            "--budget", str(place / "budget.toml"), "--hospitals", str(place / "hospitals.csv"),
            "--max-rejected", "0.3", "--threads", "1", "-o", str(tmp_path / "lake"), "--lang", "zh",
        ]  # fmt: skip
        return [sys.executable, "-P", "-m", "grouper", *given]

    with _terminal() as (terminal, seen):
        assert subprocess.run(command("2025-05"), stderr=terminal).returncode == 0
    shown = b"".join(seen).decode()
    for zh, _ in STAGES.values():
        assert re.search(rf"\x1b\[K  {zh}  .*\d\.\ds", shown), zh
    for name in ("read", "price", "pool", "statements"):
        counted = rf"{STAGES[name][0]}  [\d,]+ / [\d,]+ 行  100%  [\d,.]+/s  剩余 0s"
        assert re.search(counted, shown), name
    assert re.search(r"报告  [\d,]+ / [\d,]+ 份", shown)
    piped = subprocess.run([*command("2025-06"), "--no-report"], capture_output=True, text=True)
    assert piped.returncode == 0
    assert "/s" not in piped.stderr and "\r" not in piped.stderr and "  计价  " not in piped.stderr
    assert "应付基金" in piped.stderr
