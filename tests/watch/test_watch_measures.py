"""Every measure against figures made by hand, and its lines from below, at and above."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.watch import Facts, flagged, watch
from grouper.watch.periods import parse_period

from .watch_support import case, figures, indicators, lake, one, pool

PAID = 'statuses = ["paid"]'
COST_SHARE = (
    f'measure = "paid_share"\nunit = "percent"\nwith = {{ of = "total_cost", methods = ["group"], {PAID} }}\n'
)


def facts(**values: dict[str, object]) -> Facts:
    made = {}
    for name, table in values.items():
        for period, amount in table.items():
            by = amount if isinstance(amount, dict) else {"": amount}
            made[name, parse_period(period)] = {kind: Decimal(str(v)) for kind, v in by.items()}
    return Facts("lishui", "a report", "facts.toml", made)


MIX = [
    case(1, total_cost="700.50", settled_fund=500),
    case(2, total_cost="99.50", method="tcm", settled_fund=100, hospital_code="H2", group="BB1"),
    case(3, total_cost=200, method="per_diem", settled_fund=200, hospital_code="H3", group="CC1"),
    case(4, total_cost=5000, pay_status="held", method="hold", settled_fund=None, hospital_code="H4",
         status="ungrouped"),
    case(5, total_cost=9000, area="yulin"),
    case(6, total_cost=9000, month=7),
]  # fmt: skip


@pytest.mark.parametrize(
    ("measure", "with_", "wanted"),
    [
        ("paid_share", f'of = "total_cost", methods = ["group"], {PAID}', ("700.5", "1000", "70.05")),
        ("paid_share", f'of = "total_cost", methods = ["group", "tcm"], {PAID}', ("800", "1000", "80")),
        ("paid_share", f'of = "cases", methods = ["group"], {PAID}', ("1", "3", "33.33")),
        ("paid_share", f'of = "settled_fund", methods = ["group"], {PAID}', ("500", "800", "62.5")),
        ("paid_distinct", f'of = "hospital_code", methods = ["group", "tcm"], {PAID}', ("2", "3", "66.67")),
        ("paid_distinct", f'of = "group", methods = ["group"], {PAID}', ("1", "3", "33.33")),
        ("grouped_share", 'statuses = ["paid", "held"]', ("3", "4", "75")),
        ("case_mean", f'of = "los_days", {PAID}', ("9", "3", "300")),
    ],
)
def test_shares(tmp_path: Path, measure: str, with_: str, wanted: tuple[str, str, str]) -> None:
    """Held cases, other areas and other months count in nothing that does not ask for them."""
    path = indicators(tmp_path, f'measure = "{measure}"\nunit = "percent"\nwith = {{ {with_} }}\n')
    assert figures(one(lake(MIX), path)) == wanted


RATIO = (
    'measure = "case_ratio"\nunit = "percent"\nwith = { over = ["pool_paid", "serious_illness_paid"], '
    'optional = ["large_amount_paid"], under = ["total_cost", "-own_expense", "-self_pay_first"], '
    'insurance = ["310"], statuses = ["paid"] }\n'
)


def test_in_policy_ratio_by_insurance_and_what_it_leaves_out(tmp_path: Path) -> None:
    rows = [
        case(1, total_cost=1000, own_expense=100, self_pay_first=50, pool_paid=600, serious_illness_paid=85),
        case(2, total_cost=2000, own_expense=0, self_pay_first=0, pool_paid=1700),
        case(3, total_cost=4000, pool_paid=1, insurance_type="390"),
        case(4, total_cost=9000, pool_paid=None),
    ]
    row = one(lake(rows), indicators(tmp_path, RATIO))
    assert figures(row) == ("2385", "2850", "83.68")
    assert "1 cases without" in row["note_en"] and "without paid by large-amount aid" in row["note_en"]
    assert "1 例缺" in row["note_zh"] and "职工大额补助支付" in row["note_zh"]


def test_columns_come_from_the_records_where_the_cases_lack_them(tmp_path: Path) -> None:
    rows = [case(1, pool_paid=500, serious_illness_paid=250), case(2, pool_paid=100, serious_illness_paid=0)]
    connection = lake(rows, without=("serious_illness_paid",))
    path = indicators(tmp_path, RATIO)
    row = one(connection, path)
    assert row["state"] == "not-computed" and "serious_illness_paid" in row["note_en"]
    connection.execute(
        "CREATE TABLE records_current AS SELECT area, year, month, run, record_id, "
        "CAST(CASE record_id WHEN 'r001' THEN 250 ELSE 0 END AS DECIMAL(18,2)) AS serious_illness_paid "
        "FROM cases_current UNION ALL SELECT 'lishui', 2025, 6, '000000', 'r001', 99"
    )
    assert figures(one(connection, path)) == ("850", "2000", "42.5")


def test_effective_cases_are_read_where_the_lake_has_them(tmp_path: Path) -> None:
    connection = lake([case(1), case(2)])
    connection.execute("CREATE VIEW cases_effective AS SELECT * FROM cases_current WHERE record_id <> 'r001'")
    path = indicators(
        tmp_path, f'measure = "case_mean"\nunit = "yuan"\nwith = {{ of = "total_cost", {PAID} }}\n'
    )
    assert figures(one(connection, path)) == ("1000", "1", "1000")


def test_a_case_counts_in_its_own_month_whichever_run_has_it(tmp_path: Path) -> None:
    """January 2026 corrected a case of December and took a late one: dues of December, none of January."""
    person = {"person_id": "p", "admission_date": date(2025, 12, 1)}
    rows = [
        case(1, month=12, settled_fund=500, **person),
        case(2, year=2026, month=1, settled_fund=70, **person),  # by January's run, of December
        case(3, year=2026, month=1, settled_fund=600),
        case(4, year=2024, month=12, settled_fund=500),
        case(5, year=2025, month=1, settled_fund=300),
    ]
    connection = lake(rows)
    connection.execute(
        "CREATE VIEW cases_effective AS SELECT *, CASE record_id WHEN 'r002' THEN DATE '2025-12-31' "
        "ELSE make_date(year, month, 1) END AS pay_date FROM cases_current"
    )
    path = indicators(
        tmp_path,
        f'measure = "fund_growth"\nunit = "percent"\nwith = {{ against = "year_before", {PAID} }}\n',
    )
    assert figures(one(connection, path, "2025-12")) == ("570", "500", "14")
    assert figures(one(connection, path, "2026-01")) == ("600", "300", "100")
    path = indicators(
        tmp_path,
        'measure = "many_stays"\nunit = "per_mille"\n'
        f'with = {{ above = "1", same_hospital = true, {PAID} }}\n',
    )
    assert figures(one(connection, path, "2025-12")) == ("2", "2", "1000")


def test_fund_growth_from_the_lake_and_from_facts(tmp_path: Path) -> None:
    text = f'measure = "fund_growth"\nunit = "percent"\nwith = {{ against = "AGAINST", {PAID} }}\n'
    path = indicators(tmp_path, text.replace("AGAINST", "year_before"))
    now = [case(1, settled_fund=1090), case(2, settled_fund=10)]
    past = [case(3, year=2024, settled_fund=1000)]
    assert figures(one(lake(now + past), path)) == ("1100", "1000", "10")
    row = one(lake(now), path)
    assert row["state"] == "not-computed" and row["value"] is None
    assert "2024-06" in row["note_en"] and "inpatient_fund" in row["note_en"]
    row = one(lake(now), path, facts=facts(inpatient_fund={"2024-06": "880.00"}))
    assert figures(row) == ("1100", "880", "25") and "a report" in row["note_en"]
    path = indicators(tmp_path, text.replace("AGAINST", "period_before"))
    may = [case(4, month=5, settled_fund=1000)]
    assert figures(one(lake(now + may), path)) == ("1100", "1000", "10")


def test_budget_use_and_pace(tmp_path: Path) -> None:
    cases = [case(n, month=n) for n in (4, 5, 6)] + [case(n, month=n) for n in (1, 2, 3)]
    pools = [pool(n, "100", "90.50", "120") for n in range(1, 7)]
    path = indicators(tmp_path, 'measure = "budget_use"\nunit = "percent"\nwith = { amount = "fund_due" }\n')
    assert figures(one(lake(cases, pools), path, "2025Q2")) == ("271.5", "300", "90.5")
    path = indicators(
        tmp_path, 'measure = "budget_use"\nunit = "percent"\nwith = { amount = "fund_by_item" }\n'
    )
    assert figures(one(lake(cases, pools), path)) == ("120", "100", "120")
    path = indicators(
        tmp_path,
        'measure = "budget_pace"\nunit = "points"\n'
        'with = { amount = "fund_due", budget = "annual_budget" }\n',
    )
    row = one(lake(cases, pools), path, "2025Q2", facts(annual_budget={"2025": "1000"}))
    assert figures(row) == ("543", "1000", "4.3")  # 54.3 % of the budget in half of the year
    assert "annual_budget" in one(lake(cases, pools), path)["note_en"]
    row = one(lake([case(1)], pools), path, "2025-06", facts(annual_budget={"2025": "1000"}))
    assert "2025-01" in row["note_en"]  # the months before are not in the lake


def test_reserve_months_and_other_facts(tmp_path: Path) -> None:
    path = indicators(
        tmp_path,
        'measure = "reserve_months"\nunit = "months"\nwith = { balance = "accumulated_balance", '
        'expenditure = "expenditure" }\n',
    )
    known = facts(
        accumulated_balance={"2025-06": 4500}, expenditure={"2025-04": 900, "2025-05": 1000, "2025-06": 1100}
    )
    connection = lake([case(1)])
    assert figures(one(connection, path, "2025Q2", known)) == ("4500", "3000", "4.5")
    assert one(connection, path, "2025-05", known)["note_en"].startswith("lacks the fact accumulated_balance")
    path = indicators(
        tmp_path, 'measure = "facts_ratio"\nunit = "percent"\nwith = { over = ["a"], under = ["b", "-c"], '
        'insurance = ["310"] }\n',
    )  # fmt: skip
    known = facts(
        a={"2025": {"310": 30, "390": 5}}, b={"2025": {"310": 50, "390": 5}}, c={"2025": {"310": 10}}
    )
    assert figures(one(connection, path, "2025", known)) == ("30", "40", "75")
    path = indicators(
        tmp_path,
        'measure = "facts_growth"\nunit = "percent"\nwith = { of = "e", against = "year_before" }\n',
    )
    known = facts(e={"2025": 107, "2024": {"310": 60, "390": 40}})
    assert figures(one(connection, path, "2025", known)) == ("107", "100", "7")
    path = indicators(tmp_path, 'measure = "facts_amount"\nunit = "yuan"\nwith = { of = ["i", "-e"] }\n')
    row = one(connection, path, "2025", facts(i={"2025": 100}, e={"2025": "107.50"}))
    assert figures(row) == ("-7.5", None, "-7.5")


def flags(tmp_path: Path, rows: list[dict[str, object]], measure: str, with_: str) -> list[str]:
    path = indicators(tmp_path, f'measure = "{measure}"\nunit = "per_mille"\nwith = {{ {with_}, {PAID} }}\n')
    connection = lake(rows)
    found = flagged(connection, "lishui", "2025-06", indicators=path).read_all()
    assert set(found["indicator"].to_pylist()) <= {"x"}
    ids = found["record_id"].to_pylist()
    if measure != "top_payments":
        row = one(connection, path)
        assert row["numerator"] == len(ids)
        assert row["value"] == round(Decimal(len(ids)) * 1000 / row["denominator"], 2)
    return ids


def test_large_and_top_payments(tmp_path: Path) -> None:
    rows = [case(n, settled_fund=n) for n in range(1, 1002)] + [case(2000, settled_fund=None)]
    large = flags(tmp_path, rows, "large_payments", 'amount = "settled_fund", above = "998.5"')
    assert large == ["r1000", "r1001", "r999"]
    # 1001 amounts, one per mille: 1.001, so two; the limit itself is not above the limit
    assert flags(tmp_path, rows, "top_payments", 'amount = "settled_fund", per_mille = "1"') == [
        "r1000",
        "r1001",
    ]
    assert flags(tmp_path, rows, "large_payments", 'amount = "settled_fund", above = "1001"') == []
    path = indicators(
        tmp_path,
        'measure = "top_payments"\nunit = "percent"\nwith = { amount = "settled_fund", per_mille = "1", '
        + PAID + " }\n",
    )  # fmt: skip
    row = one(lake(rows), path)
    assert figures(row) == ("2001", "501501", "0.4") and "1 cases without fund due" in row["note_en"]


def test_repeated_payments(tmp_path: Path) -> None:
    rows = [
        case(1, person_id="a"), case(2, person_id="a", total_cost=5),  # same day
        case(3, person_id="b"), case(4, person_id="b", discharge_date=date(2025, 6, 9)),  # same amount
        case(5, person_id="c"), case(6, person_id="c", hospital_code="H2"),  # same day elsewhere
        case(7, person_id=None), case(8, person_id=None),
        case(9, person_id="a", pay_status="held"),
    ]  # fmt: skip
    assert flags(
        tmp_path, rows, "repeated_payments", 'keys = ["person_id", "hospital_code", "discharge_date"]'
    ) == ["r002"]
    assert flags(
        tmp_path, rows, "repeated_payments", 'keys = ["person_id", "hospital_code", "total_cost"]'
    ) == ["r004"]
    assert flags(tmp_path, rows, "repeated_payments", 'keys = ["person_id", "discharge_date"]') == [
        "r002",
        "r006",
    ]


def test_many_stays(tmp_path: Path) -> None:
    rows = [case(n, person_id="a", hospital_code="H1" if n < 3 else "H2") for n in (1, 2, 3)] + [case(4)]
    across = 'above = "{}", same_hospital = false'
    assert flags(tmp_path, rows, "many_stays", across.format(2)) == ["r001", "r002", "r003"]
    assert flags(tmp_path, rows, "many_stays", across.format(3)) == []
    assert flags(tmp_path, rows, "many_stays", 'above = "1", same_hospital = true') == ["r001", "r002"]


def test_many_stays_are_counted_by_month(tmp_path: Path) -> None:
    rows = [case(n, person_id="a", month=4 + n % 3) for n in range(6)]  # two in each month of the quarter
    path = indicators(
        tmp_path,
        'measure = "many_stays"\nunit = "per_mille"\n'
        f'with = {{ above = "2", same_hospital = true, {PAID} }}\n',
    )
    assert one(lake(rows), path, "2025Q2")["numerator"] == 0


def stay(number: int, first: int, last: int, **given: object) -> dict[str, object]:
    days = {"admission_date": date(2025, 6, first), "discharge_date": date(2025, 6, last)}
    return case(number, **{"person_id": "a", **days, **given})


def test_overlapping_stays(tmp_path: Path) -> None:
    same, across = "same_hospital = true", "same_hospital = false"
    rows = [stay(1, 1, 5), stay(2, 5, 9), stay(3, 8, 8), stay(4, 7, 20, hospital_code="H2"), stay(5, 9, 12)]
    assert flags(tmp_path, rows, "overlapping_stays", same) == ["r003"]  # a day within another stay
    assert flags(tmp_path, rows, "overlapping_stays", across) == ["r003", "r004", "r005"]
    rows = [stay(1, 1, 5), stay(2, 1, 5), stay(3, 2, 3, person_id="b"), stay(4, 3, 4, admission_date=None)]
    assert flags(tmp_path, rows, "overlapping_stays", same) == ["r002"]  # of two alike, the later record


LINES = 'lines = { watch = ["< 70", "> 90"], alarm = ["< 60", "> 95"], source = "s", verified = false }\n'


@pytest.mark.parametrize(
    ("paid", "state", "line"),
    [
        (59_99, "alarm", "< 60"), (60_00, "watch", "< 70"), (69_99, "watch", "< 70"), (70_00, "ok", None),
        (90_00, "ok", None), (90_01, "watch", "> 90"), (95_00, "watch", "> 90"), (95_01, "alarm", "> 95"),
    ],
)  # fmt: skip
def test_lines_below_at_and_above(tmp_path: Path, paid: int, state: str, line: str | None) -> None:
    rows = [
        case(1, total_cost=Decimal(paid) / 100),
        case(2, total_cost=100 - Decimal(paid) / 100, method="by_item"),
    ]
    path = indicators(
        tmp_path,
        COST_SHARE + LINES,
    )
    row = one(lake(rows), path)
    assert (row["state"], row["line"]) == (state, line)
    assert row["unverified"] == "lines" and row["verified"] is False


def test_states_are_found_on_the_exact_quotient(tmp_path: Path) -> None:
    """69.9999 % shows as 70.00 and is still below 70."""
    rows = [case(1, total_cost="699999"), case(2, total_cost="300001", method="by_item")]
    path = indicators(
        tmp_path,
        COST_SHARE
        + LINES
        + 'target = { value = ">= 70", kind = "binding", by = "2025", source = "s", verified = true }\n',
    )
    row = one(lake(rows), path)
    assert (row["value"], row["state"], row["target_met"]) == (Decimal("70"), "watch", False)
    assert (row["target"], row["kind"]) == (">= 70 (2025)", "binding")


def test_no_line_no_verdict_and_no_cases_no_value(tmp_path: Path) -> None:
    text = f'measure = "grouped_share"\nunit = "percent"\nwith = {{ {PAID} }}\n'
    assert one(lake([case(1)]), indicators(tmp_path, text))["state"] == "no-line"
    row = one(lake([case(1, pay_status="outside")]), indicators(tmp_path, text))
    assert (row["state"], row["value"], row["note_en"]) == ("not-computed", None, "the denominator is 0")


AMOUNTS = st.lists(
    st.tuples(st.integers(4, 6), st.integers(0, 10**9), st.sampled_from(["group", "by_item"])),
    min_size=3, max_size=12,
)  # fmt: skip


@pytest.mark.slow
@settings(deadline=None)
@given(AMOUNTS)
def test_a_quarter_is_the_sum_of_its_months(rows: list[tuple[int, int, str]]) -> None:
    """Numerators and denominators of sums and counts add up, for the shipped indicators."""
    made = [
        case(n, month=m, total_cost=Decimal(fen + 1) / 100, settled_fund=Decimal(fen) / 100, method=method)
        for n, (m, fen, method) in enumerate(rows)
    ]
    made += [case(90 + m, month=m) for m in (4, 5, 6)]
    connection = lake(made, [pool(m, "5000", f"{m}.01", "7") for m in (4, 5, 6)])
    found = watch(connection, "lishui", ["2025-04", "2025-05", "2025-06", "2025Q2"]).to_pylist()
    for name in ("drg_cost_share", "drg_case_share", "drg_fund_share", "grouped_share", "budget_use",
                 "in_policy_employees", "patient_share", "large_payments"):  # fmt: skip
        months = [row for row in found if row["indicator"] == name and "Q" not in row["period"]]
        (quarter,) = (row for row in found if row["indicator"] == name and "Q" in row["period"])
        for side in ("numerator", "denominator"):
            assert sum(row[side] for row in months if row[side] is not None) == quarter[side]
