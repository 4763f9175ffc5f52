"""README.md and views.sql in a lake: true in plain DuckDB, put by every run, and nobody's text is touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from grouper.base.paths import tables_dir
from grouper.lake import Lake, guide
from grouper.research.columns import SOURCES
from grouper.research.open import OpenLake
from grouper.research.standalone import script
from grouper.settlement.audit import audit
from grouper.settlement.states import set_options

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs


def test_the_script_is_made_from_the_declarations() -> None:
    shipped = (tables_dir() / "lake" / "views.sql").read_text(encoding="utf-8")
    assert shipped == script(), "run: python -P -m grouper.research.standalone tables/lake/views.sql"


@pytest.mark.parametrize("name", ["old", "month"])
def test_it_gives_the_same_tables_without_this_package(name: str, request: pytest.FixtureRequest) -> None:
    lake: Path = request.getfixturevalue(name)
    with duckdb.connect() as plain, OpenLake(lake) as opened:
        plain.execute(f"SET VARIABLE lake = '{lake}'")
        plain.execute(script())
        for query in (
            *(f"SELECT * FROM {table}" for table in (*SOURCES, "periods", "hospital_names", "point_values")),
            "SELECT unit, cases, weight_sum, total_cost FROM measures(hospital_code)",
        ):
            mine, theirs = (
                each.sql(f"{query} ORDER BY ALL").to_arrow_table() for each in (plain, opened.connection)
            )
            assert mine.equals(theirs), query
        # the ledger is not held
        duckdb.connect(str(lake / "ledger.duckdb")).close()


@pytest.fixture
def lake(month: Path, tmp_path: Path) -> Lake:
    shutil.copytree(month, tmp_path / "lake")
    return Lake(tmp_path / "lake")


def test_a_run_puts_them_and_an_audit_knows_them(lake: Lake) -> None:
    assert guide.own(lake) == set(guide.NAMES) and not audit(lake).findings
    for name in guide.NAMES:
        (lake.root / name).unlink()
    assert not audit(lake).findings
    set_options(lake, who="Li", two_persons=True)
    assert guide.own(lake) == set(guide.NAMES) and not audit(lake).findings


def test_an_older_text_is_replaced_and_one_of_somebody_stays(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme, views = (lake.root / name for name in guide.NAMES)
    readme.write_text("mine\n", encoding="utf-8")
    newer = dict.fromkeys(guide.NAMES, "-- grouper 0\n")
    monkeypatch.setattr(guide, "texts", lambda: newer)
    set_options(lake, who="Li", two_persons=True)
    assert readme.read_text(encoding="utf-8") == "mine\n"
    assert views.read_text(encoding="utf-8") == newer["views.sql"]
    assert {finding.en.split()[-1] for finding in audit(lake).findings} >= {"aside"}
    assert any("README.md" in finding.en for finding in audit(lake).findings)


def test_they_are_as_private_as_the_lake(lake: Lake) -> None:
    lake.root.chmod(0o700)
    (lake.root / "views.sql").unlink()
    set_options(lake, who="Li", two_persons=True)
    assert (lake.root / "views.sql").stat().st_mode & 0o077 == 0
