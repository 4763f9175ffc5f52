"""Across the end of the year: closed months of earlier years are adjusted in the open month as well."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import DataError, UsageError
from grouper.commands.text.ledger import month_summary
from grouper.lake import Lake
from grouper.payment.policy.assumed import in_words
from grouper.settlement.audit import audit
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.replay import replay
from grouper.settlement.year import clear_year

from . import settle_support as support
from .year_end_told import (
    page_of,
    the_commands_tell_it,
    the_fund_watch_counts_dues,
    the_page_explains_what_is_paid,
    the_statements_of_hospitals_explain_it,
    total,
)

AREA = "lishui"  # readmission within 15 days halves the stay before
YEAR = dt.timedelta(days=365)
DATES = ("birth_date", "admission_date", "discharge_date", "settlement_date")


@dataclass
class Files:
    """Rows of December 2025 and of January 2026, of different persons, and the files made of them."""

    folder: Path
    december: list[dict[str, Any]]
    january: list[dict[str, Any]]
    late: dict[str, Any]
    again: dict[str, Any]  # the stay whose patient comes again in January
    like: Path

    def write(self, name: str, rows: list[dict[str, Any]]) -> Path:
        return support.write(self.folder / f"{name}.parquet", rows, self.like)

    def settle(self, lake: Lake, month: str, *inputs: Path, area: str = AREA, **other: Any) -> Any:
        budget = self.folder / f"{month[:4]}.toml"
        budget.write_text(support.BUDGET.format("9000000").replace("2025", month[:4]), encoding="utf-8")
        place = self.like.parent
        return support.settle(lake, place, month, *inputs, area=area, budget=str(budget), **other)

    def clear(self, lake: Lake, year: str, area: str = AREA, policy: str = "", **other: Any) -> Any:
        codes = support.rows(lake, "SELECT DISTINCT hospital_code AS code FROM hospitals_current ORDER BY 1")
        scores = support.corrections(
            self.folder / f"scores-{lake.root.name}-{year}.csv",
            [{"kind": "quality", "hospital_code": row["code"], "pool": "*", "score": "88"} for row in codes],
        )
        budget = str(self.folder / f"{year}.toml")
        job = YearJob(
            year, budget, area, policy, corrections=(str(scores),), partial=True, threads=1, **other
        )
        return clear_year(lake, job, reports=False)


def _moved(row: dict[str, Any], by: dt.timedelta) -> dict[str, Any]:
    return row | {name: row[name] + by for name in DATES if row.get(name)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    place = support.city(3600, 0.03, (1, 12))
    december = support.take(place, "2025-12", 300)
    persons = {row["person_id"] for row in december}
    january = [row for row in support.take(place, "2025-01", 60) if row["person_id"] not in persons]
    kept = december[::10]
    again = next(
        row for row in reversed(kept)
        if row["discharge_date"] >= dt.date(2025, 12, 24) and not row["diagnoses"][0].startswith("Z51")
    )  # fmt: skip
    return Files(
        tmp_path_factory.mktemp("rows"), kept, [_moved(row, YEAR) for row in january[:25]], december[1],
        again, place / "2025-12.parquet",
    )  # fmt: skip


@dataclass
class World:
    """Lakes: December alone; then January with its corrections, before and after the clearing of 2025."""

    december: Lake
    before: Lake
    after: Lake
    gone: dict[str, Any]
    refunded: dict[str, Any]
    raised: dict[str, Any]
    settled: Any  # January, as it came out
    cleared: Any  # 2025 after it


@pytest.fixture(scope="module")
def world(files: Files, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One of everything: a withdrawal, a refund, a corrected and a late list, a readmission, and a row of a
    month that the lake does not have."""
    root = tmp_path_factory.mktemp("lakes")
    lakes = [Lake(root / name) for name in ("december", "before", "after")]
    others = [row for row in files.december if row is not files.again]
    gone, refunded, wrong = others[3], others[5], others[7]
    files.settle(lakes[0], "2025-12", files.write("december", files.december))
    came = files.again["discharge_date"] + dt.timedelta(days=8)
    again = files.again | {
        "record_id": "again", "settlement_id": "again-s", "visit_id": "again-v", "admission_date": came,
        "discharge_date": came + dt.timedelta(days=5),
    }  # fmt: skip
    refund = refunded | {
        "record_id": "rf", "settlement_id": "rf-s", "refund_flag": True,
        "total_cost": -refunded["total_cost"],
    }  # fmt: skip
    unknown = files.late | {
        "record_id": "old", "settlement_id": "old-s", "visit_id": "old-v",
        "admission_date": dt.date(2025, 11, 1), "discharge_date": dt.date(2025, 11, 4),
    }  # fmt: skip
    raised = wrong | {"total_cost": wrong["total_cost"] * 3, "pool_paid": wrong["pool_paid"] * 3}
    january = files.write("january", [*files.january, again, refund, unknown, files.late])
    lists = files.write("lists", [raised])
    told = support.corrections(
        files.folder / "c.csv",
        [{"kind": "withdrawal", "settlement_id": gone["settlement_id"], "reason": "twice", "clause": "8"}],
    )
    for lake in lakes[1:]:
        shutil.copytree(lakes[0].root, lake.root)
    files.clear(lakes[2], "2025")
    done = [files.settle(lake, "2026-01", january, corrections=(str(told), str(lists))) for lake in lakes[1:]]
    return World(*lakes, gone, refunded, raised, done[0], files.clear(lakes[1], "2025"))


@pytest.mark.slow
def test_the_end_of_a_year(files: Files, world: World) -> None:
    """One test: with several processes, no lake is made twice."""
    for check in (
        _what_reaches_december_enters_january, _the_january_stay_halves_that_of_december,
        _a_late_case_of_december_is_paid_as_in_december, _the_statement_of_january_lists_it_apart,
        _the_order_of_clearing_and_january_changes_no_adjustment,
        _a_clearing_after_january_has_december_as_it_is_now, _a_clearing_before_january_no_longer_changes,
        _every_run_is_computed_again_to_the_byte, the_page_explains_what_is_paid,
        the_statements_of_hospitals_explain_it, the_commands_tell_it, the_fund_watch_counts_dues,
    ):  # fmt: skip
        check(files, world)


def _adjustments(lake: Lake) -> dict[str, dict[str, Any]]:
    rows = support.rows(lake, "SELECT * FROM adjustments_current WHERE year = 2026")
    assert len({row["kind"] for row in rows}) == len(rows)
    return {row["kind"]: row for row in rows}


def _what_reaches_december_enters_january(files: Files, world: World) -> None:
    found = _adjustments(world.before)
    assert set(found) == {"withdrawal", "refund", "correction", "late", "readmission"}
    assert {row["original_period"] for row in found.values()} == {"2025-12"}
    originals = {kind: row["original_run"] for kind, row in found.items()}
    assert originals.pop("late") is None and set(originals.values()) == {"000001"}
    assert found["withdrawal"]["record_id"] == world.gone["record_id"]
    assert (found["withdrawal"]["reason"], found["withdrawal"]["clause"]) == ("twice", "8")
    assert found["refund"]["record_id"] == world.refunded["record_id"]
    assert found["correction"]["record_id"] == world.raised["record_id"]
    assert found["late"]["record_id"] == files.late["record_id"]
    paid = {
        row["record_id"]: row["settled_fund"]
        for row in support.rows(
            world.before, "SELECT record_id, settled_fund FROM cases_all WHERE run = '000001'"
        )
    }
    for kind in ("withdrawal", "refund"):
        assert found[kind]["difference"] == -paid[found[kind]["record_id"]] < 0
    back = support.rows(world.before, "SELECT reason, input_row FROM rejected_current WHERE year = 2026")
    assert [row["reason"] for row in back] == ["closed-year"]


def _the_january_stay_halves_that_of_december(files: Files, world: World) -> None:
    sql = f"SELECT * FROM cases_all WHERE record_id = '{files.again['record_id']}' ORDER BY run"
    old, new = support.rows(world.before, sql)[:2]
    assert new["readmission_factor"] == Decimal("0.5") and new["row_kind"] == "corrected"
    assert abs(new["case_value"] - old["case_value"] / 2) < Decimal("0.0001")
    row = _adjustments(world.before)["readmission"]
    assert row["difference"] == new["settled_fund"] - old["settled_fund"] < 0


def _a_late_case_of_december_is_paid_as_in_december(files: Files, world: World) -> None:
    lake = Lake(files.folder / "whole")
    files.settle(lake, "2025-12", files.write("whole", [*files.december, files.late]))
    sql = f"SELECT settled_fund, case_value FROM cases_current WHERE record_id = '{files.late['record_id']}'"
    (then,), (now,) = support.rows(lake, sql), support.rows(world.before, sql)
    assert then["case_value"] == now["case_value"]
    assert abs(then["settled_fund"] - now["settled_fund"]) <= Decimal("0.01")


def _the_statement_of_january_lists_it_apart(files: Files, world: World) -> None:
    for lake in (world.before, world.after):
        _listed_apart(lake)


def _listed_apart(lake: Lake) -> None:
    apart = total(lake, "(SELECT sum(difference) FROM adjustments_current WHERE year = 2026)")
    rows = support.rows(lake, "SELECT * FROM hospitals_current WHERE year = 2026 AND deposit IS NOT NULL")
    assert sum(row["earlier_years"] for row in rows) == apart != 0
    for row in rows:
        assert row["adjustments"] == 0 and row["due_total"] == row["fund_due"]
        assert row["deposit"] + row["prepaid"] + row["deferred"] == row["due_total"]
        paid = row["advance"] + row["audit"] + row["payable"] + row["carried"]
        assert paid == row["prepaid"] + row["earlier_years"]


def _the_order_of_clearing_and_january_changes_no_adjustment(files: Files, world: World) -> None:
    tables = {
        name: {
            row["table_name"]: row["sha256"]
            for row in support.rows(lake, f"SELECT * FROM outputs WHERE run = '{run}'")
        }
        for name, lake, run in (("before", world.before, "000002"), ("after", world.after, "000003"))
    }
    assert tables["before"] == tables["after"]


def _adds_up(lake: Lake, year: str) -> list[dict[str, Any]]:
    rows = support.rows(lake, f"SELECT * FROM hospitals_cleared WHERE year = {year} AND balance IS NOT NULL")
    for row in rows:
        assert row["prepaid"] + row["deposit"] + row["balance"] == row["fund_due"]
        assert row["final"] == row["balance"] + row["returned"] - row["advance"] - row["audit"]
    sums = {name: sum(row[name] for row in rows) for name in ("prepaid", "deposit", "paid_later", "fund_due")}
    months = f"FROM hospitals_current WHERE year = {year})"
    assert sums["prepaid"] - sums["paid_later"] == total(lake, f"(SELECT sum(prepaid) {months}")
    assert sums["deposit"] == total(lake, f"(SELECT sum(deposit) {months}")
    cases = f"(SELECT sum(settled_fund) FROM cases_cleared WHERE year = {year} AND pay_status = 'paid')"
    assert sums["fund_due"] == total(lake, cases)
    return rows


def _a_clearing_after_january_has_december_as_it_is_now(files: Files, world: World) -> None:
    rows = _adds_up(world.before, "2025")
    apart = total(world.before, "(SELECT sum(difference) FROM adjustments_current WHERE year = 2026)")
    assert sum(row["paid_later"] for row in rows) == apart
    cases = {row["record_id"]: row for row in support.rows(world.before, "SELECT * FROM cases_cleared")}
    gone = {world.gone["record_id"], world.refunded["record_id"]}
    expected = {row["record_id"] for row in files.december} - gone | {files.late["record_id"]}
    assert set(cases) == expected
    assert cases[world.raised["record_id"]]["total_cost"] == world.raised["total_cost"]
    assert cases[files.again["record_id"]]["original_run"] == "000002"


def _a_clearing_before_january_no_longer_changes(files: Files, world: World) -> None:
    rows = _adds_up(world.after, "2025")
    assert {row["paid_later"] for row in rows} == {0}
    cases = {row["record_id"] for row in support.rows(world.after, "SELECT record_id FROM cases_cleared")}
    assert cases == {row["record_id"] for row in files.december}


def _every_run_is_computed_again_to_the_byte(files: Files, world: World) -> None:
    for lake, runs in ((world.before, ("000002", "000003")), (world.after, ("000003",))):
        assert audit(lake).findings == []
        for run in runs:
            assert set(replay(lake, run).tables.values()) == {"bytes"}


@pytest.mark.parametrize(
    ("name", "value", "zh", "en"),
    [
        (
            "policy 2025-12", "tianmen/own, changed since run 000001",
            ("2025-12 的支付政策", "tianmen/own，运行 000001 之后有改动，按现在的内容"),
            ("policy of 2025-12", "tianmen/own, changed since run 000001; taken as it is now"),
        ),
        (
            "scheme 2024-11", "chs-drg, changed since run 000012",
            ("2024-11 的分组方案", "chs-drg，运行 000012 之后有改动，按现在的内容"),
            ("scheme of 2024-11", "chs-drg, changed since run 000012; taken as it is now"),
        ),
        ("payment_method", "NULL", None, None),
        ("policy 2025-12", "NULL", None, None),
    ],
)  # fmt: skip
def test_what_was_changed_since_is_told(name: str, value: str, zh: Any, en: Any) -> None:
    assert (in_words(name, value, "zh"), in_words(name, value, "en")) == (zh, en)


@pytest.mark.slow
def test_the_new_year_is_cleared_without_the_old(files: Files, world: World, tmp_path: Path) -> None:
    """February corrects a correction of January; then 2026 is cleared, which leaves December out."""
    lake = Lake(tmp_path / "lake")
    shutil.copytree(world.after.root, lake.root)
    more = world.raised | {
        "total_cost": world.raised["total_cost"] * 2,
        "pool_paid": world.raised["pool_paid"],
    }
    february = [_moved(row, dt.timedelta(days=31)) for row in files.january[:8]]
    for number, row in enumerate(february):
        row |= {"record_id": f"f{number}", "settlement_id": f"fs{number}", "visit_id": f"fv{number}"}
        row |= {"person_id": f"fp{number}"}
    done = files.settle(
        lake, "2026-02", files.write("february", february), corrections=(str(files.write("more", [more])),)
    )
    (row,) = support.rows(lake, "SELECT * FROM adjustments_current WHERE year = 2026 AND month = 2")
    assert (row["kind"], row["original_run"], row["original_period"]) == ("correction", "000003", "2025-12")
    cleared = files.clear(lake, "2026")
    rows = _adds_up(lake, "2026")
    cases = support.rows(lake, "SELECT min(discharge_date) AS first FROM cases_cleared WHERE year = 2026")
    assert cases[0]["first"] >= dt.date(2026, 1, 1)
    apart = total(lake, "(SELECT sum(earlier_years) FROM hospitals_current WHERE year = 2026)")
    assert sum(row["earlier_years"] for row in rows) == apart != 0
    for run in (done.run, cleared.run):
        assert set(replay(lake, run).tables.values()) == {"bytes"}
    assert audit(lake).findings == []


@pytest.mark.slow
def test_what_stands_on_a_month_goes_with_it(files: Files, world: World, tmp_path: Path) -> None:
    """The clearing of 2025 took what January adjusted, and January knew December."""
    lake = Lake(tmp_path / "lake")
    shutil.copytree(world.before.root, lake.root)
    january = files.write("plain", files.january)
    with pytest.raises(UsageError, match=r"2026-01 is closed \(2025 came after it\).*--reopen"):
        files.settle(lake, "2026-01", january)
    files.settle(lake, "2026-01", january, reopen=True)
    assert [row["run"] for row in support.rows(lake, "SELECT run FROM runs_current ORDER BY 1")] == [
        "000001", "000004",
    ]  # fmt: skip
    assert support.rows(lake, "SELECT * FROM cases_effective WHERE row_kind <> 'case'") == []
    december = files.folder / "december.parquet"
    with pytest.raises(UsageError, match=r"2025-12 is closed \(2026-01 came after it\)"):
        files.settle(lake, "2025-12", december)
    files.settle(lake, "2025-12", december, reopen=True)
    assert support.rows(lake, "SELECT run FROM runs_current") == [{"run": "000005"}]


@pytest.mark.slow
def test_known_settlements_of_an_earlier_year(files: Files, world: World, tmp_path: Path) -> None:
    """Sent again without --corrections, or to be withdrawn though nobody knows it."""
    lake = Lake(tmp_path / "lake")
    shutil.copytree(world.december.root, lake.root)
    path = files.write("twice", [*files.january, files.december[0]])
    files.settle(lake, "2026-01", path)
    (row,) = support.rows(lake, "SELECT * FROM rejected_current WHERE year = 2026")
    assert (row["reason"], row["record_id"]) == ("already-settled", files.december[0]["record_id"])
    told = support.corrections(tmp_path / "c.csv", [{"kind": "withdrawal", "settlement_id": "nobody"}])
    with pytest.raises(DataError, match="nobody is to be withdrawn"):
        files.settle(lake, "2026-01", path, corrections=(str(told),))


@pytest.mark.slow
def test_another_policy_and_scheme_since_the_new_year(files: Files, tmp_path: Path) -> None:
    """Liaocheng groups and pays by other editions from 2025 on: a late case of December 2024 goes by those of
    its month, as if it had come in time."""
    december = [_moved(row, -YEAR) for row in files.december[:12]]
    january = [_moved(row, -YEAR) for row in files.january[:12]]
    late = _moved(files.late, -YEAR)
    whole = files.write("whole-2024", [*december, late])
    one, other = Lake(tmp_path / "one"), Lake(tmp_path / "other")
    own = {"area": "liaocheng", "allow_missing": ("payment_method",)}
    files.settle(one, "2024-12", whole, **own)
    files.settle(other, "2024-12", files.write("december-2024", december), **own)
    done = files.settle(other, "2025-01", files.write("january-2025", [*january, late]), **own)
    names = "drg, case_value, settled_fund, pay_status" if _has(one, "drg") else "case_value, settled_fund"
    sql = f"SELECT {names} FROM cases_effective WHERE record_id = '{late['record_id']}'"
    (then,), (now,) = support.rows(one, sql), support.rows(other, sql)
    assert abs(then.pop("settled_fund") - now.pop("settled_fund")) <= Decimal("0.01") and then == now
    roles = {row["role"]: row["path"] for row in done.record.rows["inputs"]}
    assert roles["policy"] == "2024-12 liaocheng/2022" and roles["scheme"].startswith("2024-12 ")
    assert set(replay(other, done.run).tables.values()) == {"bytes"}


_OWN = """id = "tianmen/own"
area = "tianmen"
extends = "tianmen/2025"
name = "本地规则"
name_en = "rules of its own"
valid_from = 2025-01-01
valid_to = 2025-12-31

[parameters.point_value]
by = ["pool"]
value = {{ employee = "{0}", resident = "7" }}
source = "test"
verified = false
"""
_MERGED = """period = "2026"
regions = ["3399"]
[pools.all]
budget = "18000000"
members = ["employee", "resident"]
point_value = "8.3"
"""


@pytest.mark.slow
def test_other_pools_and_a_policy_that_was_changed_since(files: Files, tmp_path: Path) -> None:
    """December paid two pools by a policy of its own, January pays one: each case keeps its December value.
    Then the policy is changed, which is told, and lost, which is refused."""
    policy, merged = tmp_path / "policy.toml", tmp_path / "merged.toml"
    policy.write_text(_OWN.format("9"), encoding="utf-8")
    merged.write_text(_MERGED, encoding="utf-8")
    late = [files.late | {"record_id": f"l{n}", "settlement_id": f"ls{n}", "visit_id": f"lv{n}",
                          "person_id": f"lp{n}", "insurance_type": kind}
            for n, kind in enumerate(("310", "390"))]  # fmt: skip
    one, other = Lake(tmp_path / "one"), Lake(tmp_path / "other")
    own = {"area": "tianmen", "policy": str(policy)}
    files.settle(one, "2025-12", files.write("own-whole", [*files.december, *late]), **own)
    files.settle(other, "2025-12", files.write("own-december", files.december), **own)
    january = files.write("own-january", [*files.january, *late])
    done = _merged(other, files, january, merged)
    names = "record_id, pool, case_value, settled_fund"
    sql = f"SELECT {names} FROM cases_effective WHERE record_id IN ('l0', 'l1')"
    then, now = (sorted(support.rows(lake, sql), key=lambda row: row["record_id"]) for lake in (one, other))
    for old, new in zip(then, now, strict=True):
        assert abs(old.pop("settled_fund") - new.pop("settled_fund")) <= Decimal("0.01") and old == new
    assert [row["pool"] for row in now] == ["employee", "resident"]
    entered = support.rows(other, "SELECT DISTINCT pool FROM adjustments_current WHERE year = 2026")
    assert entered == [{"pool": "all"}] and "policy 2025-12" not in done.assumed
    cleared = files.clear(other, "2025", held_remain=True, **own)
    paid = {pool: Decimal(0) for pool in ("employee", "resident")}
    for row in _adds_up(other, "2025"):
        paid[row["pool"]] += row["paid_later"]
    funds = support.rows(other, f"SELECT pool, settled_fund FROM cases_all WHERE run = '{done.run}' "
                         "AND row_kind = 'late'")  # fmt: skip
    assert paid == {row["pool"]: row["settled_fund"] for row in funds}
    assert set(replay(other, cleared.run).tables.values()) == {"bytes"}
    policy.write_text(_OWN.format("9.5"), encoding="utf-8")
    with pytest.raises(DataError, match="2025-12 tianmen/own"):
        replay(other, done.run)
    again = _merged(other, files, january, merged, reopen=True)
    assert again.assumed["policy 2025-12"] == "tianmen/own, changed since run 000001"
    assert "  policy of 2025-12: tianmen/own, changed since run 000001; taken as it is now" in list(
        month_summary(again, "en")
    )
    told = page_of(other, again.run, "zh", again.assumed)
    assert "tianmen/own，运行 000001 之后有改动" in told
    policy.unlink()
    with pytest.raises(UsageError, match=r"2025-12 are priced again by its policy tianmen/own"):
        _merged(other, files, january, merged)


def _merged(lake: Lake, files: Files, january: Path, budget: Path, **other: Any) -> Any:
    place = files.like.parent
    return support.settle(lake, place, "2026-01", january, area="tianmen", budget=str(budget), **other)


def _has(lake: Lake, column: str) -> bool:
    return column in support.rows(lake, "SELECT * FROM cases_current LIMIT 1")[0]
