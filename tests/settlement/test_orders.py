"""Payment orders: their sums are the ledger's to the fen; what is paid otherwise comes back next month."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import fastexcel
import pytest
from click.testing import CliRunner

from grouper.base.capitals import capitals
from grouper.base.errors import DataError, ReconciliationError, UsageError
from grouper.base.money import yuan_of
from grouper.commands import cli
from grouper.lake import Lake
from grouper.report.order import MONTH, Order
from grouper.settlement import states
from grouper.settlement.accounts import read_accounts
from grouper.settlement.audit import audit
from grouper.settlement.funds import FUNDS
from grouper.settlement.orders import Ordered, pay_order
from grouper.settlement.paid import record_paid
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.replay import replay
from grouper.settlement.year import clear_year

from . import settle_support as support

AREA = {"area": "yulin", "who": "Li"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city whose hospitals have accounts, but for the last."""
    made = tmp_path_factory.mktemp("city") / "city"
    shutil.copytree(support.city(1800, 0.03, (4, 5, 6)), made)
    lines = (made / "hospitals.csv").read_text(encoding="utf-8").splitlines()
    rows = [f"{line},甲行,62020{n:06},户{n}" for n, line in enumerate(lines[1:-1])]
    text = "\n".join([f"{lines[0]},开户行,账号,户名", *rows, f"{lines[-1]},,,"]) + "\n"
    (made / "hospitals.csv").write_text(text, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def settled(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with April, whose deductions take all of a hospital's payment and more."""
    root = tmp_path_factory.mktemp("lake")
    plain = {"kind": "audit_deduction", "pool": "employee", "document": "医监〔2025〕7号"}
    lines = [
        {**plain, "hospital_code": "H33990100001", "amount": "1000.55"},
        {**plain, "hospital_code": "H33990100002", "amount": "900000"},
    ]
    told = str(support.corrections(root / "deductions.csv", lines))
    support.settle(Lake(root / "lake"), place, "2025-04", draft=True, corrections=(told,), **AREA)
    return root / "lake"


@pytest.fixture
def lake(settled: Path, tmp_path: Path) -> Lake:
    shutil.copytree(settled, tmp_path / "lake")
    return Lake(tmp_path / "lake")


@pytest.fixture
def ordered(lake: Lake, tmp_path: Path) -> Ordered:
    states.approve(lake, "2025-04", who="Zhao")
    return pay_order(lake, "2025-04", tmp_path / "orders", who="Li")


def _ledger(lake: Lake, run: str, name: str) -> dict[tuple[str, str], int]:
    sql = f"SELECT * FROM amounts WHERE run = '{run}' AND name = '{name}'"
    return {(row["hospital_code"], row["pool"]): row["fen"] for row in support.rows(lake, sql)}


def _order(done: Ordered, fund: str) -> Order:
    return next(order for order in done.orders if order.fund == fund)


def test_a_draft_is_not_ordered(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it is paid after"):
        pay_order(lake, "2025-04", tmp_path / "orders", who="Li")
    assert not (tmp_path / "orders").exists()


def test_the_sums_are_those_of_the_ledger(lake: Lake, ordered: Ordered) -> None:
    names = {
        "pool": "payable",
        "serious_illness": "serious_illness:payable",
        "medical_aid": "medical_aid:payable",
    }
    assert {order.fund for order in ordered.orders} == names.keys()
    for fund, name in names.items():
        order = _order(ordered, fund)
        own = {(line.hospital, line.pool): line.pays for line in order.lines}
        assert own == _ledger(lake, "000001", name) and order.total == sum(own.values()) > 0
    for line in _order(ordered, "pool").lines:  # what the paper shows leads to what it pays
        signed = sum(sign * line.shown.get(name, 0) for name, (_, sign) in MONTH.items())
        assert line.pays == signed
    assert ordered.state.name == "ordered" and not audit(lake).findings


def test_other_funds_are_those_of_the_records_of_paid_cases(lake: Lake, ordered: Ordered) -> None:
    rows = support.rows(
        lake,
        "SELECT c.hospital_code, c.pool, sum(coalesce(r.medical_aid_paid, 0)) AS aid FROM cases_current AS c "
        "JOIN records_current AS r USING (record_id) WHERE c.pay_status = 'paid' GROUP BY 1, 2 "
        "HAVING aid <> 0",
    )
    told = {(row["hospital_code"], row["pool"]): row["aid"] for row in rows}
    lines = _order(ordered, "medical_aid").lines
    assert {(line.hospital, line.pool): yuan_of(line.pays) for line in lines} == told


def test_more_than_is_due_is_carried_and_shown(ordered: Ordered) -> None:
    lines = {(line.hospital, line.pool): line for line in _order(ordered, "pool").lines}
    over = lines["H33990100002", "employee"]
    assert (over.pays, over.number, over.shown["audit"]) == (0, "", 90_000_000)
    assert over.shown["carried"] == 90_000_000 - over.shown["prepaid"] > 0
    assert lines["H33990100001", "employee"].shown["audit"] == 100_055


def _sheet(path: Path, name: str) -> list[list[object]]:
    table = fastexcel.read_excel(path).load_sheet(name, header_row=None, dtypes="string").to_arrow()
    return [list(row) for row in zip(*(column.to_pylist() for column in table.columns), strict=True)]


def test_workbook_and_page_have_account_words_and_boxes(ordered: Ordered) -> None:
    order = _order(ordered, "pool")
    book, page = (path for path in ordered.files if "统筹基金" in path.name)
    assert {path.suffix for path in (book, page)} == {".xlsx", ".html"}
    texts = {str(cell) for row in _sheet(book, "汇总表") for cell in row if cell}
    html = page.read_text(encoding="utf-8")
    for told in (
        capitals(order.total),
        "制表",
        "复核",
        "审批",
        "财务",
        "户0",
        "62020000000",
        "甲行",
        "稽核扣款",
    ):
        assert told in html and any(told in text for text in texts), told
    line = next(line for line in order.lines if line.pays)
    for told in (capitals(line.pays), line.number, "2025年4月住院医疗费用结算款"):
        assert told in html and any(told in str(cell) for row in _sheet(book, "拨付单") for cell in row)
    assert line.number == "202504-000003-1-001" and "None" not in html
    assert html.count('class="form"') == sum(bool(one.pays) for one in order.lines)


def test_orders_are_the_same_bytes_again_and_say_what_they_replace(
    lake: Lake, ordered: Ordered, tmp_path: Path
) -> None:
    again = pay_order(lake, "2025-04", tmp_path / "again", who="Li")
    assert again.orders[0].instead == "000003" and again.run == "000004"
    assert "取代批号 000003，原单作废" in again.files[1].read_text(encoding="utf-8")
    other = Lake(tmp_path / "other")
    shutil.copytree(lake.root, other.root)
    once, twice = (
        pay_order(one, "2025-04", tmp_path / f"{n}", who="Li") for n, one in enumerate((lake, other))
    )
    assert [path.read_bytes() for path in once.files] == [path.read_bytes() for path in twice.files]


def test_accounts_that_are_not_known_are_blank_boxes(lake: Lake, place: Path, tmp_path: Path) -> None:
    states.approve(lake, "2025-04", who="Zhao")
    kept = (place / "hospitals.csv").read_bytes()
    (place / "hospitals.csv").write_bytes(kept + b"\n")
    try:
        done = pay_order(lake, "2025-04", tmp_path / "orders", who="Li")
    finally:
        (place / "hospitals.csv").write_bytes(kept)
    assert "accounts are left blank" in done.said[1]
    assert {line.account for order in done.orders for line in order.lines} == {("", "", "")}
    table = tmp_path / "accounts.csv"
    table.write_text("医院编码,户名,开户银行,账号\nH33990100001,云一,乙行,0012\n", encoding="gb18030")
    done = pay_order(lake, "2025-04", tmp_path / "more", who="Li", hospitals=str(table))
    own = {line.hospital: line.account for line in _order(done, "pool").lines}
    assert own["H33990100001"] == ("云一", "乙行", "0012") and own["H33990100003"] == ("", "", "")
    table.write_text("医院编码,户名,账户名称\nH1,a,b\n", encoding="utf-8")
    with pytest.raises(DataError, match="mean the same"):
        read_accounts(table)


def test_a_folder_in_the_way_stops_it_before_the_chain_has_it(lake: Lake, tmp_path: Path) -> None:
    states.approve(lake, "2025-04", who="Zhao")
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="exists"):
        pay_order(lake, "2025-04", tmp_path / "orders", who="Li")
    assert states.find(lake, "2025-04").name == "approved"
    pay_order(lake, "2025-04", tmp_path / "other", who="Li")
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o700


def test_amounts_that_are_not_the_ledgers_are_refused(lake: Lake, tmp_path: Path) -> None:
    states.approve(lake, "2025-04", who="Zhao")
    for name in ("payable", "medical_aid:due", "audit"):
        copy = tmp_path / name.replace(":", "-")
        shutil.copytree(lake.root, copy)
        with duckdb.connect(str(copy / "ledger.duckdb")) as connection:
            connection.execute("UPDATE amounts SET fen = fen + 1 WHERE name = ? AND fen > 0", [name])
        with pytest.raises(ReconciliationError, match="not what the ledger says"):
            pay_order(Lake(copy), "2025-04", tmp_path / "orders", who="Li")
    assert not (tmp_path / "orders").exists()


def _receipts(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    return support.corrections(path, rows)


def _row(hospital: str, fen: int, voucher: str = "V1", pool: str = "职工", **more: str) -> dict[str, str]:
    return {"医院编码": hospital, "险种": pool, "基金": "统筹基金", "日期": "2025/5/20", "凭证号": voucher,
            "金额": str(yuan_of(fen)), **more}  # fmt: skip


@pytest.mark.slow
def test_a_difference_is_carried_to_the_next_month(
    lake: Lake, place: Path, ordered: Ordered, tmp_path: Path
) -> None:
    plain = Lake(tmp_path / "plain")
    shutil.copytree(lake.root, plain.root)
    lines = {(line.hospital, line.pool): line.pays for line in _order(ordered, "pool").lines}
    one, two, three = "H33990100001", "H33990100003", "H33990100004"
    file = _receipts(
        tmp_path / "receipts.csv",
        [_row(one, lines[one, "employee"] + 300), _row(two, lines[two, "employee"] - 7000),
         _row(three, 100, "V2"), _row(three, lines[three, "employee"] - 100, "V3")],
    )  # fmt: skip
    done = record_paid(lake, "2025-04", file, who="Zhang")
    assert {row.hospital: row.difference for row in done.rows if row.difference} == {one: 300, two: -7000}
    assert (
        done.state.name == "part-paid"
        and _ledger(lake, done.run, "pool:paid")[three, "employee"] == lines[three, "employee"]
    )
    own, other = (support.settle(place_, place, "2025-05", **AREA) for place_ in (lake, plain))
    carried = _ledger(lake, own.run, "paid_difference")
    assert carried == {(one, "employee"): 300, (two, "employee"): -7000}
    pays, without = _ledger(lake, own.run, "payable"), _ledger(plain, other.run, "payable")
    assert pays[one, "employee"] == without[one, "employee"] - 300
    assert pays[two, "employee"] == without[two, "employee"] + 7000
    assert {k: v for k, v in pays.items() if k not in carried} == {
        k: v for k, v in without.items() if k not in carried
    }
    assert not audit(lake).findings and replay(lake, own.run).same
    # May's paper shows it apart, and June does not take it once more
    may = {
        (x.hospital, x.pool): x
        for x in _order(pay_order(lake, "2025-05", tmp_path / "may", who="Li"), "pool").lines
    }
    assert (
        may[one, "employee"].shown["paid_difference"] == 300 and may[two, "employee"].shown["carried_in"] == 0
    )
    june = support.settle(lake, place, "2025-06", **AREA)
    assert _ledger(lake, june.run, "paid_difference") == {}


@pytest.mark.slow
def test_a_later_payment_is_taken_off_where_the_rest_was_carried(
    lake: Lake, place: Path, ordered: Ordered, tmp_path: Path
) -> None:
    one = "H33990100001"
    due = {(line.hospital, line.pool): line.pays for line in _order(ordered, "pool").lines}[one, "employee"]
    record_paid(lake, "2025-04", _receipts(tmp_path / "a.csv", [_row(one, 1000)]), who="Zhang")
    support.settle(lake, place, "2025-05", **AREA)  # adds the rest
    record_paid(lake, "2025-04", _receipts(tmp_path / "b.csv", [_row(one, 500, "V9")]), who="Zhang")
    june = support.settle(lake, place, "2025-06", **AREA)
    assert _ledger(lake, june.run, "paid_difference") == {(one, "employee"): 500}
    may = support.rows(lake, "SELECT fen FROM amounts WHERE name = 'paid_difference' AND fen < 0")
    assert may == [{"fen": 1000 - due}]


def test_another_fund_carries_its_own_difference(
    lake: Lake, place: Path, ordered: Ordered, tmp_path: Path
) -> None:
    line = _order(ordered, "medical_aid").lines[0]
    row = _row(line.hospital, line.pays - 1, pool="居民", 基金="医疗救助")
    record_paid(lake, "2025-04", _receipts(tmp_path / "a.csv", [row]), who="Zhang")
    may = support.settle(lake, place, "2025-05", **AREA)
    key = line.hospital, line.pool
    assert _ledger(lake, may.run, "medical_aid:paid_difference") == {key: -1}
    due, pays = (_ledger(lake, may.run, f"medical_aid:{part}").get(key, 0) for part in ("due", "payable"))
    assert pays == due + 1


def test_the_clearing_takes_what_the_last_month_was_paid_otherwise(
    lake: Lake, place: Path, ordered: Ordered, tmp_path: Path
) -> None:
    plain = Lake(tmp_path / "plain")
    shutil.copytree(lake.root, plain.root)
    one = "H33990100001"
    due = {(line.hospital, line.pool): line.pays for line in _order(ordered, "pool").lines}[one, "employee"]
    record_paid(lake, "2025-04", _receipts(tmp_path / "a.csv", [_row(one, due + 250)]), who="Zhang")
    scores = support.corrections(
        tmp_path / "scores.csv",
        [{"kind": "quality", "hospital_code": x["hospital_code"], "pool": "*", "score": "95"} for x in
         support.rows(lake, "SELECT DISTINCT hospital_code FROM hospitals_current")],
    )  # fmt: skip
    job = YearJob(
        "2025",
        str(place / "budget.toml"),
        "yulin",
        corrections=(str(scores),),
        partial=True,
        held_remain=True,
    )
    own, other = (clear_year(one_, job, reports=False) for one_ in (lake, plain))
    final, without = (_ledger(place_, run.run, "final") for place_, run in ((lake, own), (plain, other)))
    assert final[one, "employee"] == without[one, "employee"] - 250
    done = pay_order(lake, "2025", tmp_path / "year", who="Li")
    order = _order(done, "pool")
    assert order.total == sum(fen for fen in final.values() if fen > 0)
    recover = {(line.hospital, line.pool): line.shown["recover"] for line in order.lines}
    assert recover == {key: max(-fen, 0) for key, fen in final.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"医院编码": "H33990100009X"}, "is no hospital of the settlement"),
        ({"基金": "公务员医疗补助"}, "nothing of civil servants is due"),
        ({"基金": "大病"}, "is none of pool, serious_illness"),
        ({"险种": ""}, "is none of employee, resident"),
        ({"金额": "-1"}, "should be yuan above 0|is no amount"),
        ({"金额": "1.005"}, "should be yuan above 0|is no amount"),
        ({"金额": "1e9"}, "should be yuan above 0|is no amount"),
        ({"金额": "5000,00"}, "should be yuan above 0|is no amount"),
        ({"金额": "99999999999999999999"}, "should be yuan above 0|is no amount"),
        ({"日期": "2025-13-01"}, "should be a day"),
        ({"凭证号": ""}, "the number of the voucher is missing"),
    ],
)
def test_a_payment_that_nothing_ordered_is_refused(
    lake: Lake, ordered: Ordered, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    file = _receipts(tmp_path / "a.csv", [_row("H33990100001", 100) | change])
    with pytest.raises(DataError, match=message):
        record_paid(lake, "2025-04", file, who="Zhang")
    assert states.find(lake, "2025-04").name == "ordered"


def test_a_voucher_counts_once_and_an_order_comes_first(lake: Lake, tmp_path: Path) -> None:
    states.approve(lake, "2025-04", who="Zhao")
    file = _receipts(tmp_path / "a.csv", [_row("H33990100001", 100)])
    with pytest.raises(UsageError, match="grouper pay-order first"):
        record_paid(lake, "2025-04", file, who="Zhang")
    pay_order(lake, "2025-04", tmp_path / "orders", who="Li")
    record_paid(lake, "2025-04", file, who="Zhang")
    with pytest.raises(
        DataError, match=r"row 2.*voucher V1 of H33990100001 is entered already \(2025-05-20\)"
    ):
        record_paid(lake, "2025-04", file, who="Zhang")
    again = _receipts(tmp_path / "b.csv", [_row("H33990100001", 100, voucher=" ｖ1 ")])
    with pytest.raises(DataError, match="is entered already"):
        record_paid(lake, "2025-04", again, who="Zhang")
    with pytest.raises(UsageError, match="payments of 2025-04 are recorded"):
        pay_order(lake, "2025-04", tmp_path / "again", who="Li")


def test_the_commands_tell_it_in_chinese(lake: Lake, tmp_path: Path) -> None:
    def told(*words: str) -> str:
        done = CliRunner().invoke(cli, [*words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    states.approve(lake, "2025-04", who="Zhao")
    place = str(lake.root)
    out = told("pay-order", place, "--month", "2025-04", "--who", "李明", "-o", str(tmp_path / "单"))
    assert "统筹基金" in out and "已开拨付单" in out and "拨付单-医疗救助-2025-04.xlsx" in out
    rows = []
    for fund in FUNDS:
        name = "payable" if fund == "pool" else f"{fund}:payable"
        for (hospital, pool), fen in _ledger(lake, "000001", name).items():
            if fen:
                more = {"基金": FUNDS[fund][0]}
                rows.append(_row(hospital, fen - (hospital == "H33990100001"), pool=pool, **more))
    file = _receipts(tmp_path / "回单.csv", rows)
    out = told("paid", place, "--month", "2025-04", "--from", str(file), "--who", "张丽")
    assert "差额结转到下一个月" in out and "-0.01" in out and "已拨付" in out and "尚未登记" not in out
    out = told("status", place)
    assert "已拨付" in out and "张丽" in out and "差额 -0.0" in out
