"""How much memory a database takes where nobody says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from grouper.base import machine


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that says of itself what the test writes."""
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "groups")
    (tmp_path / "groups").mkdir()
    (tmp_path / "meminfo").write_text("MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n")
    return tmp_path


def test_two_databases_take_half_of_what_is_free(system: Path) -> None:
    assert machine.free_mib() == 8192
    assert machine.database_memory() == "2048MiB"


@pytest.mark.parametrize(("limit", "share"), [("max", "2048MiB"), (str(5 << 30), "1024MiB"), ("1", "256MiB")])
def test_a_container_has_what_its_limit_leaves(system: Path, limit: str, share: str) -> None:
    (system / "groups" / "memory.max").write_text(f"{limit}\n")
    (system / "groups" / "memory.current").write_text(f"{1 << 30}\n")
    assert machine.database_memory() == share


@pytest.mark.parametrize("told", [None, "", "MemAvailable: much\n"])
def test_where_the_system_does_not_tell_the_database_decides(system: Path, told: str | None) -> None:
    (system / "meminfo").unlink() if told is None else (system / "meminfo").write_text(told)
    assert machine.free_mib() is None and machine.database_memory() is None


def test_a_run_has_the_limit_that_is_asked_else_the_share(system: Path) -> None:
    from grouper.payment.price.pricing import connect

    for asked, limit in (("1GiB", "1.0 GiB"), (None, "2.0 GiB")):
        with connect(memory=asked) as connection:
            assert connection.sql("SELECT current_setting('memory_limit')").fetchall() == [(limit,)]
