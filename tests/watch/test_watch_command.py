"""``grouper watch`` over a lake as runs leave it: committed, superseded and uncommitted ones."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from grouper.base.errors import UsageError
from grouper.commands import cli
from grouper.lake import commit, ledger
from grouper.lake.layout import Lake
from grouper.payment.policy.clauses import deadline

from .watch_support import CASES, POOLS, case, pool

FOLDER_COLUMNS = ["area", "year", "month", "run"]


def settle(lake: Lake, month: int, cases: list[dict[str, object]], due: str, year: int = 2025) -> None:
    """A run of a month, with the library's own steps."""
    period = f"{year}-{month:02}"
    with commit.new_run(lake) as (run, staging):
        for name, schema, rows in (("cases", CASES, cases), ("pools", POOLS, [pool(month, "1000", due)])):
            table = pa.Table.from_pylist(rows, schema=schema).drop_columns(FOLDER_COLUMNS)
            pq.write_table(table, staging / f"{name}.parquet")
        outputs = commit.place_tables(lake, staging, "lishui", period, run)
        head = {"run": run, "kind": "settle", "area": "lishui", "period": period, "voids": ""}
        commit.commit(lake, ledger.Record(head, {"outputs": [{"run": run, **row} for row in outputs]}))


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    made = Lake(tmp_path / "lake")
    made.root.mkdir()
    settle(made, 4, [case(1)], "990")
    settle(made, 5, [case(2, total_cost=9)], "1")  # superseded below
    settle(made, 5, [case(3, method="by_item"), case(4)], "1080")
    settle(made, 6, [case(5, settled_fund=200_000, person_paid=0)], "1200")
    return made.root


def run(*arguments: object, lang: str = "en") -> tuple[str, str]:
    done = CliRunner().invoke(cli, ["watch", *map(str, arguments), "--lang", lang], catch_exceptions=True)
    if isinstance(done.exception, UsageError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


def line(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if f" {name} " in line)


def test_a_month_and_a_quarter_on_the_terminal(lake: Path) -> None:
    out, _ = run(lake, "--area", "lishui", "--period", "2025-05", "--period", "2025Q2")
    month, quarter = out.split("lishui 2025Q2\n")
    assert month.startswith("lishui 2025-05\n")
    assert line(month, "share of cases paid by DRG/DIP").split()[-6:-3] == ["50.00", "%", "—"]
    assert "75.00" in line(quarter, "share of cases paid by DRG/DIP")
    assert line(month, "use of the period's budget").split()[0] == "watch"  # 108 %
    assert line(quarter, "use of the period's budget").split()[0] == "watch"  # 109 %
    assert line(quarter, "large payments").split()[0] == "alarm"
    assert "lacks the fact accumulated_balance for 2025Q2" in quarter
    assert "> 85 (2025) binding" in month and "watch <= 87%; alarm <= 85%" in month


def test_chinese_lines_up_and_says_the_same(lake: Path) -> None:
    out, _ = run(lake, "--area", "lishui", "--period", "2025-06", lang="zh")
    assert "预警" in line(out, "大额支付") and "1,000.00" in line(out, "大额支付")
    assert "缺外部数据：基金累计结余（2025-06）；请基金财务部门提供" in out
    assert "未核实：定义、警戒线" in line(out, "大额支付")


def test_all_whole_periods_by_default(lake: Path) -> None:
    out, _ = run(lake, "--area", "lishui", "-o", "-")
    rows = json.loads(out)
    assert list(dict.fromkeys(row["period"] for row in rows)) == ["2025-04", "2025-05", "2025-06", "2025Q2"]
    assert all(row["area"] == "lishui" for row in rows)


def test_files_and_flags(lake: Path, tmp_path: Path) -> None:
    facts = tmp_path / "facts.toml"
    facts.write_text(
        'area = "lishui"\nsource = "s"\n[accumulated_balance]\n"2025-06" = "4500"\n'
        '[expenditure]\n"2025-06" = "1000"\n',
        encoding="utf-8",
    )
    table, flags, copy = tmp_path / "w.csv", tmp_path / "f.csv", tmp_path / "w.json"
    wanted = ("--area", "lishui", "--period", "2025-06", "--facts", facts)
    _, err = run(lake, *wanted, "-o", table, "--flagged", flags)
    run(lake, *wanted, "-o", copy)
    with table.open(encoding="utf-8-sig") as file:
        rows = {row["indicator"]: row for row in csv.DictReader(file)}
    assert (rows["reserve_months"]["value"], rows["reserve_months"]["state"]) == ("4.5000", "watch")
    same = {row["indicator"]: row for row in json.loads(copy.read_text(encoding="utf-8-sig"))}
    assert {name: row["state"] for name, row in same.items()} == {n: r["state"] for n, r in rows.items()}
    with flags.open(encoding="utf-8-sig") as file:
        found = list(csv.DictReader(file))
    assert found[0] == {
        "area": "lishui",
        "period": "2025-06",
        "indicator": "large_payments",
        "record_id": "r005",
    }
    assert "2 flags" in err and len(found) == 2  # large, and the dearest of one


def test_flagged_records_are_no_formulas(tmp_path: Path) -> None:
    made, flags = Lake(tmp_path / "lake"), tmp_path / "f.csv"
    made.root.mkdir()
    settle(made, 6, [case(1, record_id="=HYPERLINK(1)", settled_fund=200_000), case(2)], "1200")
    run(made.root, "--area", "lishui", "--period", "2025-06", "--flagged", flags)
    with flags.open(encoding="utf-8-sig") as file:
        assert {row["record_id"] for row in csv.DictReader(file)} == {"'=HYPERLINK(1)"}


def test_a_file_of_ones_own_and_an_area_that_is_not_there(lake: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('id = "o"\nname = "o"\nname_en = "o"\nextends = "common"\n', encoding="utf-8-sig")
    _, err = run(lake, "--area", "lishui", "--indicators", own)
    assert "common" not in err
    with pytest.raises(UsageError) as caught:
        run(lake, "--area", "nowhere")
    assert "lishui" in caught.value.en


def test_no_lake_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        run(tmp_path / "none", "--area", "lishui")
    assert "none" in caught.value.en and "none" in caught.value.zh


def clear(lake: Lake, year: int) -> None:
    with commit.new_run(lake) as (run, _):
        head = {"run": run, "kind": "clear", "area": "lishui", "period": str(year), "voids": ""}
        commit.commit(lake, ledger.Record(head, {"outputs": []}))


@pytest.mark.parametrize(
    ("day", "told"),
    [
        ("2026-12-31", None),  # the year is not over
        ("2027-01-04", "ok: the year 2026 is not cleared: last day 2027-04-30, 116 days left"),
        ("2027-01-30", "watch: the year 2026 is not cleared: last day 2027-04-30, 90 days left"),
        ("2027-03-31", "alarm: the year 2026 is not cleared: last day 2027-04-30, 30 days left"),
        ("2027-05-02", "alarm: the year 2026 is not cleared: last day 2027-04-30, 2 days overdue"),
    ],
)
def test_a_year_to_be_cleared_is_warned_of_by_the_national_deadline(
    tmp_path: Path, day: str, told: str | None
) -> None:
    made = Lake(tmp_path / "lake")
    made.root.mkdir()
    settle(made, 12, [case(1, year=2026, month=12)], "990", year=2026)
    _, err = run(made.root, "--area", "lishui", "--as-of", day)
    assert ("2026 is not cleared" in err) == (told is not None)
    assert told is None or (told in err and "清算提质增效三年行动计划" in err)
    clear(made, 2026)
    _, err = run(made.root, "--area", "lishui", "--as-of", day)
    assert "not cleared" not in err


@pytest.mark.parametrize(
    ("year", "last"), [(2024, None), (2025, "2026-05-31"), (2027, "2028-03-31"), (2030, "2031-03-31")]
)
def test_years_that_the_plan_does_not_name_end_as_its_last(year: int, last: str | None) -> None:
    found = deadline(year)
    assert (found and str(found[0])) == last
