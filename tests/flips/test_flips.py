"""A damaged file is refused in words, or read: no traceback, no crash, no process that hangs."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .pool import Child, ends
from .sources import FORMATS

NUMBER = int(os.environ.get("GROUPER_FLIPS", "500"))  # of each format, in the slow test


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    made = Child()
    yield made
    made.close()


@pytest.mark.parametrize("format_", FORMATS)
def test_thirty_damaged_files(format_: str, child: Child) -> None:
    found = ends(format_, 30, 0, child)
    assert found.clean, found.odd
    assert found.counts["refused"] > 8


@pytest.mark.slow
@pytest.mark.parametrize("format_", FORMATS)
def test_many_damaged_files(format_: str, child: Child) -> None:
    found = ends(format_, NUMBER, 1, child)
    assert found.clean, found.odd
    assert found.counts["result"]


def test_a_crash_and_a_hang_would_be_seen(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.flips.pool.PATIENCE", 1)
    made = Child()
    (tmp_path / "x.csv").write_text("diagnoses\nI10\n", "utf-8")
    assert made.ended("dies", tmp_path / "x.csv") == ("crash", "SIGSEGV")
    assert made.ended("sleeps", tmp_path / "x.csv")[0] == "hang"
    assert made.ended("raises", tmp_path / "x.csv")[0] == "traceback"
    made.close()
