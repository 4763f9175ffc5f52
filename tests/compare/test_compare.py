"""``grouper compare``: nine cases worked out by hand, and what holds for any."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.base.errors import UsageError
from grouper.compare.compared import Compared, Settings
from grouper.compare.money import PARTS, decompose, make_neutral
from grouper.compare.rows import FEN, UNITS, VALUE, paid_by_units
from grouper.compare.run import compare
from grouper.payment.formula.quotient import MACROS

from ..in_process import call
from ..payment.policy_text import drg_head

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

OLD, NEW = "chs-drg-2.0", "chs-drg-3.0"
CASES = list(csv.DictReader((Path(__file__).parent / "cases.csv").open(encoding="utf-8")))
PARAMETERS = """
[parameters]
base_rate = {{ value = "{rate}", source = "s", verified = true }}
coefficient_rule = {{ value = "none", source = "s", verified = true }}
ratio_denominator = {{ value = "standard", source = "s", verified = true }}
high_threshold = {{ value = "3", source = "s", verified = true }}
high_formula = {{ value = "excess_over_standard", source = "s", verified = true }}
low_threshold = {{ value = "0.3", source = "s", verified = true }}
low_formula = {{ value = "cost", source = "s", verified = true }}
ungrouped_rule = {{ value = "by_item", source = "s", verified = true }}
fund_formula = {{ value = "F1", source = "s", verified = true }}
fund_floor = {{ value = "zero", source = "s", verified = true }}
"""
WEIGHTS = {
    OLD: {"EX29": "0.50", "KS15": "0.80", "EZ15": "0.60", "ES35": "0.70"},
    NEW: {"EX29": "0.40", "EX39": "0.55", "KS39": "0.90", "ES45": "0.65", "OT19": "0.90"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records, the table of hospitals, and a policy of each scheme: rates 10,000 and 11,000."""
    root = tmp_path_factory.mktemp("reform")
    for name, scheme, rate in (("old", OLD, "10000"), ("new", NEW, "11000")):
        folder = root / name
        folder.mkdir()
        text = drg_head(name, "drg_rate", scheme) + PARAMETERS.format(rate=rate)
        (folder / "policy.toml").write_text(text, encoding="utf-8")
        rows = [f"{drg},病组,{weight}" for drg, weight in WEIGHTS[scheme].items()]
        (folder / "weights.csv").write_text("\n".join(["drg,name,weight", *rows, ""]), encoding="utf-8")
    records = [
        {
            "record_id": row["record_id"], "hospital_code": row["hospital_code"], "hospital_level": "3",
            "insurance_type": "310", "sex": int(row["sex"]), "age_years": 60, "los_days": 6,
            "admission_date": None, "discharge_way": 1, "diagnoses": [row["diagnoses"]], "procedures": [],
            "total_cost": Decimal(row["total_cost"]), "refund_flag": bool(row["refund_flag"]),
            "pool_paid": Decimal("0.00"), "fund_paid": Decimal("0.00"),
        }
        for row in CASES
    ]  # fmt: skip
    table = pa.Table.from_pylist(records)
    dates = pa.array(["2025-06-10"] * len(records)).cast(pa.date32())
    table = table.drop_columns("admission_date").append_column("discharge_date", dates)
    pq.write_table(table.append_column("admission_date", dates), root / "records.parquet")
    (root / "hospitals.csv").write_text(
        "hospital_code,hospital_name,hospital_level,county\nA,甲院,3,城区\nB,乙院,3,县里\n", encoding="utf-8"
    )
    return root


def reform(place: Path, folder: str, **more: Any) -> Compared:
    chosen = {
        "policy": str(place / "new" / "policy.toml"), "from_policy": str(place / "old" / "policy.toml"),
        "hospitals": str(place / "hospitals.csv"),
    } | more  # fmt: skip
    return compare([str(place / "records.parquet")], place / folder, Settings(**chosen))


@pytest.fixture(scope="module")
def made(place: Path) -> Compared:
    return reform(place, "made")


def rows(done: Compared, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(done.folder / f"{table}.parquet").to_pylist()
    return found


def test_each_case_is_where_the_file_says_and_its_money_moves_as_worked_out_by_hand(made: Compared) -> None:
    found = {row["record_id"]: row for row in rows(made, "cases")}
    assert list(found) == [row["record_id"] for row in CASES]  # rows in = rows out, in their order
    for expected in CASES:
        row = found[expected["record_id"]]
        for name in ("old_status", "old_group", "new_status", "new_group"):
            assert (row[name] or "") == expected[name], expected["record_id"]
        told = {name: row["by_" + name] for name in PARTS} | {n: row[n] for n in ("before", "after")}
        assert told == {n: Decimal(expected[n]) if expected[n] else None for n in told}, expected["record_id"]
    assert made.counts.rows == len(CASES)
    assert made.counts.left == {"refund-unmatched": 1}


def test_equal_codes_of_two_editions_are_no_successors(made: Compared) -> None:
    """EX29 is a code of both; most of the old one's cases go to EX39, and the new one has one of them."""
    (main,) = (
        r for r in rows(made, "migration") if r["level"] == "group" and r["old"] == "EX29" and r["dominant"]
    )
    assert (main["new"], main["cases"], main["old_cases"]) == ("EX39", 2, 3)
    assert main["share"] == Decimal("0.666667")
    split = {(r["side"], r["code"]): r for r in rows(made, "splits") if r["level"] == "group"}
    assert split["old", "EX29"]["split_index"] == Decimal("0.444444")  # 1 − (2/3)² − (1/3)²
    assert split["new", "ES45"]["split_index"] == Decimal("0.500000")  # of EZ15 and ES35, half each
    assert split["old", "KS15"]["split_index"] == 0


def test_statuses_tell_every_case_once_with_the_reason(made: Compared) -> None:
    found = {(r["old_status"], r["new_status"]): r for r in rows(made, "statuses")}
    assert {key: row["cases"] for key, row in found.items()} == {
        ("grouped", "grouped"): 7, ("ungrouped", "grouped"): 1, ("ungrouped", "ungrouped"): 1,
    }  # fmt: skip
    assert found["ungrouped", "grouped"]["old_reason"] == "no-mdc"
    assert sum(row["cases"] for row in found.values()) == made.counts.cases


def test_money_adds_up_in_every_dimension(made: Compared) -> None:
    total = Counter[str]()
    for row in CASES:
        total.update({name: int(Decimal(row[name] or 0) * 100) for name in (*PARTS, "before", "after")})
    for dimension in ("all", "hospital", "level", "county"):
        found = [row for row in rows(made, "money") if row["dimension"] == dimension]
        for name in (*(f"by_{part}" for part in PARTS), "before", "after"):
            assert sum(row[name] for row in found) * 100 == total[name.removeprefix("by_")], (dimension, name)
        for row in found:
            assert row["difference"] == row["after"] - row["before"] == sum(row[f"by_{p}"] for p in PARTS)
    (county,) = (row for row in rows(made, "money") if row["code"] == "县里")
    assert (county["cases"], county["before"], county["after"]) == (
        4,
        Decimal("22000.00"),
        Decimal("23450.00"),
    )
    assert county["after_per_case"] == Decimal("5862.50")
    assert county["percent"] == Decimal("6.5909")


def test_homogeneity_is_that_of_all_cases(made: Compared) -> None:
    """RIV = 1 − within / whole, worked out from the rows with fractions."""
    for side in ("old", "new"):
        groups: dict[str, list[Fraction]] = {}
        for row in CASES:
            if row[f"{side}_status"] == "grouped" and not row["refund_flag"]:
                groups.setdefault(row[f"{side}_group"], []).append(Fraction(row["total_cost"]))
        costs = [cost for own in groups.values() for cost in own]
        squares = [sum((c - sum(own) / len(own)) ** 2 for c in own) for own in (costs, *groups.values())]
        (told,) = (row for row in rows(made, "schemes") if row["side"] == side)
        assert float(told["riv"]) == pytest.approx(float(1 - sum(squares[1:]) / squares[0]), abs=1e-6)
        assert told["thin"] == told["groups"] == len(groups)


@pytest.mark.slow
def test_the_solved_rate_pays_what_was_paid(place: Path) -> None:
    """By units: all but ``miscoded-sex`` before and ``faint``; what is paid by item stays."""
    done = reform(place, "neutral", neutral=True)
    found = {row["record_id"]: row for row in rows(done, "cases") if row["kind"] == "case"}
    before = sum(row["before"] for row in found.values())
    assert sum(row["after"] for row in found.values()) == before
    after = {row["record_id"]: Decimal(row["after"]) for row in CASES if row["after"]}
    units = {name: amount for name, amount in after.items() if name != "faint"}
    factor = Fraction(before - after["faint"]) / Fraction(sum(units.values()))
    (solved,) = done.neutral
    assert (solved.pool, solved.before, solved.cases) == ("employee", Decimal(11000), 8)
    assert abs(Fraction(solved.solved) - 11000 * factor) < Fraction(1, 10**4)  # units have 8 decimals
    for name, amount in units.items():
        assert abs(Fraction(found[name]["after"]) - Fraction(amount) * factor) < Fraction(1, 100)
    assert found["faint"]["after"] == after["faint"]
    for row in found.values():
        assert row["after"] - row["before"] == sum(row[f"by_{p}"] for p in PARTS)
        assert row["by_other"] == 0


@pytest.mark.slow
def test_without_a_policy_of_the_new_scheme_weights_are_fitted_to_the_same_total(place: Path) -> None:
    done = reform(place, "fitted", policy="", scheme=NEW)
    assert (done.old.weights, done.new.weights) == ("taken", "fitted")
    both = [
        row for row in rows(done, "cases") if row["old_weight"] is not None and row["new_weight"] is not None
    ]
    assert len(both) == 7
    weights = {side: [row[f"{side}_weight"] for row in rows(done, "cases") if row["kind"] == "case"
                      and row[f"{side}_weight"] is not None] for side in ("old", "new")}  # fmt: skip
    means = [sum(own) / len(own) for own in weights.values()]
    assert float(means[0]) == pytest.approx(float(means[1]), abs=1e-4)
    told = json.loads((done.folder / "provenance.json").read_text(encoding="utf-8"))
    assert told["new"]["weights"] == "fitted"
    assert told["new"]["policy"]["id"] == f"test/old + {NEW}"


@pytest.mark.slow
def test_a_file_without_a_policy_has_all_but_money(place: Path) -> None:
    done = compare([str(place / "records.parquet")], place / "plain", Settings(scheme=NEW, from_scheme=OLD))
    assert not (done.folder / "money.parquet").exists()
    assert done.counts.cases == len(CASES) - 1
    assert {row["side"] for row in rows(done, "weights") if row["weight"] is not None} == {"old", "new"}


@pytest.mark.parametrize(
    ("chosen", "flag"),
    [
        ({"scheme": NEW}, "--from-scheme"),
        ({"scheme": NEW, "policy": "national/drg-rate"}, "--from-policy"),
        ({"from_scheme": OLD}, "--scheme"),
        ({"from_scheme": OLD, "scheme": NEW, "period": "2025"}, "--period"),
        ({"from_policy": "national/drg-rate", "scheme": "dip-taian-2025"}, "--policy"),
    ],
)
def test_sides_that_are_not_there_are_refused_with_the_flag(
    place: Path, chosen: dict[str, Any], flag: str
) -> None:
    with pytest.raises(UsageError, match=flag):
        compare([str(place / "records.parquet")], place / "refused", Settings(**chosen))
    assert not (place / "refused").exists()


def test_the_page_is_chinese_and_needs_nothing_from_elsewhere(made: Compared) -> None:
    page = (made.folder / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!#)', page)
    text = re.sub(
        r"<(style|code)\b.*?</\1>|<[^>]*>|\b[\w.-]+\.(?:parquet|csv|toml)\b", " ", page, flags=re.DOTALL
    )
    words = set(re.findall(r"\b[a-z]{4,}\b", text))
    known = {row["record_id"].partition("-")[0] for row in CASES} | {"test", "records"}
    assert not words - known


def test_the_command_says_what_moved(place: Path) -> None:
    code, _, err = call(
        "compare", place / "records.parquet", "--policy", place / "new" / "policy.toml", "--from-policy",
        place / "old" / "policy.toml", "--hospitals", place / "hospitals.csv", "--budget-neutral",
        "-o", place / "said", lang="zh",
    )  # fmt: skip
    said = err.decode()
    assert code == 0, said
    assert "10 行：9 例，1 行不作病例" in said
    assert "48,500.00 → 48,500.00元" in said
    assert (place / "said" / "report.html").is_file()


# --- any cases ---------------------------------------------------------------------------------

side = st.fixed_dictionaries(
    {
        "units": st.one_of(st.none(), st.integers(0, 10**12)),
        "standard": st.integers(0, 10**12),
        "value": st.integers(1, 10**14),
        "extra": st.integers(-(10**6), 10**6),
        "weight": st.integers(1, 10**10),
        "group": st.sampled_from(["A", "B", "C"]),
        "pool": st.sampled_from(["x", "y"]),
    }
)


def half_up(above: int, below: int) -> int:
    return (2 * above + below) // (2 * below)


def table(connection: duckdb.DuckDBPyConnection, drawn: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """``cases`` as rows.load makes it, of drawn units and values."""
    connection.execute(MACROS)
    columns = ["n BIGINT", "kind VARCHAR"]
    for s in (0, 1):
        columns += [f"{name}_{s} VARCHAR" for name in ("status", "group", "way", "pool")]
        columns += [f"weight_{s} DECIMAL(18,9)", f"amount_{s} BIGINT"]
        columns += [f"{name}_{s} HUGEINT" for name in ("value", "units", "standard", "extra")]
    connection.execute(f"CREATE TABLE cases ({', '.join(columns)})")
    for n, pair in enumerate(drawn):
        values: list[Any] = [n, "case"]
        for own in pair:
            by_units = own["units"] is not None
            paid = half_up(own["units"] * own["value"], FEN) if by_units else None
            amount = paid + own["extra"] if paid is not None else abs(own["extra"])
            values += ["grouped", own["group"], "group" if by_units else "by_item", own["pool"]]
            values += [
                Decimal(own["weight"]).scaleb(-9),
                amount,
                own["value"] if by_units else None,
                own["units"],
            ]
            values += [own["standard"] if by_units else None, own["extra"] if by_units else None]
        connection.execute(f"INSERT INTO cases VALUES ({', '.join('?' * len(values))})", values)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(side, side), min_size=1, max_size=6))
def test_parts_are_the_shapley_values_and_add_up_to_the_fen(
    drawn: list[tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    with duckdb.connect() as connection:
        table(connection, drawn)
        decompose(connection, ("drg_points", "drg_points"))
        names = ", ".join(f"part_{p}" for p in PARTS)
        found = connection.execute(
            f"SELECT before, after, difference, {names} FROM moved ORDER BY n"
        ).fetchall()
    for (old, new), (before, after, difference, *parts) in zip(drawn, found, strict=True):
        assert difference == after - before == sum(parts)
        told = dict(zip(PARTS, parts, strict=True))
        if old["units"] is None and new["units"] is None:
            assert told["other"] == difference
        elif old["units"] is None or new["units"] is None:
            assert told["group"] == difference
        else:
            mean = Fraction(old["units"] + new["units"], 2) * (new["value"] - old["value"]) / FEN
            assert abs(told["value"] - mean) <= 1
            values = Fraction(old["value"] + new["value"], 2)
            both = values * (new["standard"] - old["standard"]) / FEN
            assert abs(told["weight"] + told["group"] - both) <= 2
            assert told["other"] == new["extra"] - old["extra"]


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(side, side), min_size=1, max_size=6))
def test_pools_pay_to_the_fen_what_they_paid_or_it_is_refused(
    drawn: list[tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    for old, new in drawn:
        new["pool"] = old["pool"]
    with duckdb.connect() as connection:
        table(connection, drawn)
        try:
            make_neutral(connection)
        except UsageError:
            return
        sums = connection.execute(
            "SELECT sum(amount_0), sum(amount_1), bool_or(units_1 > 0) FROM cases GROUP BY pool_1"
        ).fetchall()
        assert all(old == new for old, new, solved in sums if solved)
        decompose(connection, ("drg_points", "drg_points"))  # and parts add up, or it raises
        ((shown,),) = connection.execute(
            f"SELECT max(abs(amount_1 - extra_1 - {paid_by_units(1)})) FROM cases"
        ).fetchall()
        assert shown is None or shown >= 0
    assert UNITS + VALUE == 18
