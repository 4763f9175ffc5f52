"""Weights against a plain-Python reference, and the rules of trimming against cases worked by hand."""

from __future__ import annotations

import csv
import json
import random
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.base.errors import DataError, TableError, UsageError
from grouper.base.exact import half_up
from grouper.commands.weights import weights as weights_command
from grouper.fitting.history import HistoryOptions
from grouper.fitting.relative import RATIOS, UNTRIMMED
from grouper.fitting.trim import Trim, parse_year_weights, rank, weighted_mean
from grouper.fitting.weights import Fitted, WeightOptions, fit, provenance, weights_text, write
from grouper.synth.rows import write_parquet

from . import reference_statistics as reference
from .reference_statistics import Case

SCHEME = "chs-drg-2.0"
GROUPS = ["BR21", "BR23", "ES33", "FR21", "GD19", "HC15", "OC11", "RU19"]


def history(seed: int, rows: int = 600, years: tuple[int, ...] = (2023, 2024, 2025)) -> list[Case]:
    """Skewed whole-fen costs of a few groups, with far outliers; the last group is small."""
    draw = random.Random(seed)
    cases = []
    for _ in range(rows):
        place = min(int(draw.expovariate(0.6)), len(GROUPS) - 1)
        cost = (place + 1) * 200_000
        for _ in range(4):  # a product of factors is close to log-normal
            cost = cost * draw.randint(70, 145) // 100
        if draw.random() < 0.02:
            cost *= 12
        cases.append(Case(GROUPS[place], draw.choice(years), cost))
    return cases


def table(cases: list[Case], **extra: list[Any]) -> pa.Table:
    """A grouped file with the columns that fitting reads."""
    return pa.table(
        {
            "drg": [case.group for case in cases],
            "status": ["grouped"] * len(cases),
            "total_cost": pa.array([Decimal(case.fen).scaleb(-2) for case in cases], pa.decimal128(14, 2)),
            "discharge_date": [date(case.year, 1 + i % 12, 1 + i % 28) for i, case in enumerate(cases)],
            **extra,
        }
    )


def fitted(folder: Path, cases: list[Case], **options: Any) -> Fitted:
    path = folder / "history.parquet"
    pq.write_table(table(cases), path)
    return fit([path], SCHEME, WeightOptions(**options))


# --- against the reference ------------------------------------------------------------------


@pytest.mark.parametrize("trim", ["p2.5-p97.5", "p5-p95", "iqr", "none"])
@pytest.mark.parametrize("small", [0, 60, 10_000])
@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("untrimmed", UNTRIMMED)
def test_weights_are_those_of_the_reference(
    tmp_path: Path, trim: str, small: int, ratio: str, untrimmed: str
) -> None:
    cases = history(7)
    result = fitted(tmp_path, cases, trim=trim, small=small, ratio=ratio, untrimmed=untrimmed)
    expected = reference.relative_weights(cases, trim, small, ratio=ratio, untrimmed=untrimmed)
    left = reference.trimmed(cases, trim, small, ratio == "by-year")
    found = {group.drg: group for group in result.groups if group.cases}
    assert set(found) == set(expected)
    for drg, group in found.items():
        costs = [case.fen for case in left if case.group == drg]
        assert group.weight == reference.rounded(expected[drg], 4)
        assert group.cases == sum(case.group == drg for case in cases)
        assert group.kept == len(costs)
        assert half_up(group.cv, 4) == reference.cv(costs)
        assert half_up(group.cv_all, 4) == reference.cv([c.fen for c in cases if c.group == drg])
    assert half_up(result.riv, 6) == reference.rounded(reference.riv(left), 6)
    assert half_up(result.riv_all, 6) == reference.rounded(reference.riv(cases), 6)
    scaled = any(0 < group.cases < 60 for group in result.groups) and untrimmed == "scaled"
    assert not (small == 60 and trim != "none" and scaled) or result.trim_share < 1


def test_total_weight_of_the_latest_year_is_kept(tmp_path: Path) -> None:
    cases = history(3)
    result = fitted(tmp_path, cases)
    latest = sum(case.year == 2025 for case in cases)
    assert abs(result.total_exact - latest) < Decimal("1e-45")
    assert abs(result.total_raw - latest) > 1  # or the scaling would be without a test
    assert abs(result.total_rounded - latest) <= latest * Decimal("0.00005")


def test_structure_factors_keep_the_total(tmp_path: Path) -> None:
    cases = history(4)
    factors = tmp_path / "structure.csv"
    factors.write_text("by,key,factor\nkind,medical,1.1\nadrg,FR2,0.9\nmdc,MDCO,1.5\ndrg,BR21,0.5\n")
    result = fitted(tmp_path, cases, structure=str(factors))
    by_hand = {g: Fraction(1) for g in GROUPS}
    by_hand |= {"BR21": Fraction(1, 2), "BR23": Fraction(11, 10), "ES33": Fraction(11, 10)}
    by_hand |= {"FR21": Fraction(9, 10), "OC11": Fraction(3, 2), "RU19": Fraction(11, 10)}
    expected = reference.relative_weights(cases, "p2.5-p97.5", 30, by_hand)
    assert {g.drg: g.weight for g in result.groups if g.cases} == {
        g: reference.rounded(weight, 4) for g, weight in expected.items()
    }
    assert abs(result.total_exact - sum(case.year == 2025 for case in cases)) < Decimal("1e-45")


@pytest.mark.parametrize(
    ("text", "column"),
    [("kind,medicinal,1", "key"), ("drg,ZZ99,1", "key"), ("drg,BR21,0", "factor"), ("x,BR21,1", "by")],
)
def test_wrong_structure_files_are_refused(tmp_path: Path, text: str, column: str) -> None:
    factors = tmp_path / "structure.csv"
    factors.write_text(f"by,key,factor\n{text}\n")
    with pytest.raises(TableError, match=f"line 2, column {column}"):
        fitted(tmp_path, history(4), structure=str(factors))


@pytest.mark.slow
@settings(max_examples=15)
@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_order_of_rows_and_files_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, random_: random.Random, files: int
) -> None:
    folder = tmp_path_factory.mktemp("order")
    cases = history(5, rows=200)
    plain = fitted(folder, cases)
    random_.shuffle(cases)
    paths = []
    for number in range(files):
        paths.append(folder / f"{number}.parquet")
        pq.write_table(table(cases[number::files]), paths[-1])
    random_.shuffle(paths)
    mixed = fit(paths, SCHEME, WeightOptions(threads=1))
    assert mixed.groups == plain.groups  # to the sixtieth digit
    assert weights_text(mixed) == weights_text(plain)
    said, plainly = provenance(mixed), provenance(plain)
    assert said.pop("inputs") != plainly.pop("inputs")
    assert said == plainly


# --- rules by hand --------------------------------------------------------------------------


def test_year_weights_of_the_worked_example() -> None:
    means = {2021: Decimal(90), 2022: Decimal(100), 2023: Decimal(110)}
    weights = dict(zip(means, parse_year_weights("1,2,7"), strict=True))
    assert weighted_mean(means, weights) == 106


def test_mean_cost_of_the_worked_example_from_a_file(tmp_path: Path) -> None:
    cases = [Case("BR21", 2022 + i, cost) for i, cost in enumerate((9_000, 10_000, 11_000))]
    result = fitted(tmp_path, cases)
    assert next(g.mean_cost for g in result.groups if g.drg == "BR21") == 10_600


def test_fewer_years_take_the_last_weights(tmp_path: Path) -> None:
    cases = [Case("BR21", 2024, 10_000), Case("BR21", 2025, 19_000)]
    result = fitted(tmp_path, cases)
    assert result.year_weights == {2024: 2, 2025: 7}
    assert result.mean_cost == 17_000


def test_more_years_than_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--year-weights"):
        fitted(tmp_path, history(1, years=(2021, 2022, 2023, 2024)))
    weights = parse_year_weights("1,1,2,7")
    assert fitted(tmp_path, history(1, years=(2021, 2022, 2023, 2024)), year_weights=weights).cases == 600


@pytest.mark.parametrize("text", ["", "1,x", "1,0", "1,-2", "nan"])
def test_year_weights_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--year-weights"):
        parse_year_weights(text)


def kept_of(folder: Path, costs: list[int], **options: Any) -> int:
    result = fitted(folder, [Case("BR21", 2025, cost) for cost in costs], **options)
    return next(g.kept for g in result.groups if g.drg == "BR21")


def test_percentiles_by_hand(tmp_path: Path) -> None:
    # 40 costs: ranks 2.5 % -> 1 and 97.5 % -> 39, so only the largest goes
    assert kept_of(tmp_path, [100 * i for i in range(1, 41)]) == 39
    # 41 costs: ranks ⌈1.025⌉ = 2 and ⌈39.975⌉ = 40, so one goes at each end
    assert kept_of(tmp_path, [100 * i for i in range(1, 42)]) == 39
    # costs equal to a bound stay, however many they are
    assert kept_of(tmp_path, [100] * 5 + [200] * 30 + [300] * 6) == 41


def test_iqr_by_hand(tmp_path: Path) -> None:
    # 8 costs: Q1 = rank 2 = 20, Q3 = rank 6 = 60; fences −40 and 120, both included
    base = [10, 20, 30, 40, 50, 60]
    assert kept_of(tmp_path, [*base, 70, 120], trim="iqr", small=0) == 8
    assert kept_of(tmp_path, [*base, 70, 121], trim="iqr", small=0) == 7
    # the low side: Q1 = rank 2 = 50, Q3 = rank 6 = 70, so the fence is 20: 20 is in, 19 is out
    assert kept_of(tmp_path, [20, 50, 55, 60, 65, 70, 75, 80], trim="iqr", small=0) == 8
    assert kept_of(tmp_path, [19, 50, 55, 60, 65, 70, 75, 80], trim="iqr", small=0) == 7
    # an odd range: Q1 = 21, Q3 = 60, so the fence is 118.5: 118 is in, 119 is out
    odd = [10, 21, 30, 40, 50, 60]
    assert kept_of(tmp_path, [*odd, 70, 118], trim="iqr", small=0) == 8
    assert kept_of(tmp_path, [*odd, 70, 119], trim="iqr", small=0) == 7


def test_small_groups_are_left_whole(tmp_path: Path) -> None:
    costs = [100] * 28 + [1_000_000]
    assert kept_of(tmp_path, costs, trim="iqr") == 29  # fewer than 30
    assert kept_of(tmp_path, [100, *costs], trim="iqr") == 29  # 30 cases: the far one goes
    assert kept_of(tmp_path, costs, trim="iqr", small=29) == 28


def test_rank_rule() -> None:
    share = Trim.of("p2.5-p97.5")
    assert [rank(share.low, n) for n in (1, 40, 41, 80, 81)] == [1, 1, 2, 2, 3]
    assert [rank(share.high, n) for n in (1, 30, 40, 41, 80)] == [1, 30, 39, 40, 78]


@pytest.mark.parametrize("text", ["p97.5-p2.5", "p5", "p5-p101", "p0.0001-p9", "iqrs", ""])
def test_trims_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--trim"):
        Trim.of(text)


# --- what is left out, and what is refused ---------------------------------------------------


def test_left_out_records_are_counted_by_reason(tmp_path: Path) -> None:
    cases = history(2, rows=60)
    data = table(cases).to_pylist()
    data[0]["status"] = "ambiguous"
    data[1]["status"] = "needs-data"
    data[2]["total_cost"] = None
    data[3]["total_cost"] = Decimal("0.00")
    data[4]["discharge_date"] = None
    data[5]["drg"] = None
    data[6]["total_cost"] = Decimal("-3.00")
    data[7]["status"] = None
    path = tmp_path / "history.parquet"
    pq.write_table(pa.Table.from_pylist(data, table(cases).schema), path)
    result = fit([path], SCHEME)
    assert result.left_out == {
        "ambiguous": 1, "needs-data": 1, "no-amount": 1, "zero-cost": 1, "negative-cost": 1, "no-year": 1,
        "no-group": 1, "no-status": 1,
    }  # fmt: skip
    assert result.cases == 52
    assert result.cases + result.left_out.total() == 60


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (pa.array([12.34, 0.1, 12.345]), "row 3, column total_cost.*--round-cost"),
        (pa.array([12.34, float("nan"), 3.0]), "row 2, column total_cost"),
        (pa.array(["12.3", "5", "1.005"]), "row 3, column total_cost.*--round-cost"),
        (pa.array(["12.3", "5,00", "1"]), "row 2, column total_cost"),
        (pa.array([Decimal("1.001"), None, None], pa.decimal128(20, 3)), "row 1.*--round-cost"),
    ],
)
def test_amounts_that_are_not_whole_fen_are_refused(tmp_path: Path, costs: pa.Array, message: str) -> None:
    path = tmp_path / "history.parquet"
    cases = [Case("BR21", 2025, 1)] * 3
    pq.write_table(table(cases, total_cost=costs), path)
    with pytest.raises(DataError, match=message):
        fit([path], SCHEME)


@pytest.mark.parametrize("costs", [pa.array([12.346, 1.0, 0.07]), pa.array(["12.345", "1", "0.07"])])
def test_round_cost_rounds_to_fen_halves_away_from_zero(tmp_path: Path, costs: pa.Array) -> None:
    path = tmp_path / "history.parquet"
    pq.write_table(table([Case("BR21", 2025, 1)] * 3, total_cost=costs), path)
    options = WeightOptions(history=HistoryOptions(round_cost=True))
    assert half_up(fit([path], SCHEME, options).mean_cost * 3, 40) == 1235 + 100 + 7


def test_floats_of_whole_fen_and_years_in_a_column(tmp_path: Path) -> None:
    path = tmp_path / "history.parquet"
    cases = [Case("BR21", 2025, 1)] * 3
    data = table(cases, total_cost=pa.array([0.1, 0.2, 1234567.89]), year=pa.array([2024, 2025, 2025]))
    pq.write_table(data.drop_columns("discharge_date"), path)
    result = fit([path], SCHEME, WeightOptions(history=HistoryOptions(year_column="year")))
    assert result.year_weights == {2024: 2, 2025: 7}
    assert result.mean_cost == (Decimal(2 * 10) + Decimal(7) * (20 + 123456789) / 2) / 9


def test_calls_that_cannot_be_right_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.parquet"
    pq.write_table(table(history(1)), path)
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(UsageError, match="twice"):
        fit([path, copy], SCHEME)
    with pytest.raises(UsageError, match="--cost-column"):
        fit([path], SCHEME, WeightOptions(history=HistoryOptions(cost_column="fee")))
    with pytest.raises(UsageError, match="--memory"):
        fit([path], SCHEME, WeightOptions(memory="much"))
    pq.write_table(table([Case("XX99", 2025, 100)]), path)
    with pytest.raises(DataError, match=r"XX99.*--scheme"):
        fit([path], SCHEME)
    pq.write_table(table([Case("BR21", 2025, 0)]), path)
    with pytest.raises(DataError, match="every record is left out"):
        fit([path], SCHEME)


@pytest.mark.slow
def test_ungrouped_files_are_grouped_first_and_other_schemes_are_refused(tmp_path: Path) -> None:
    from grouper.grouping.api import load_scheme
    from grouper.grouping.files import group_files

    raw, done = tmp_path / "raw.parquet", tmp_path / "grouped.parquet"
    write_parquet(raw, 2_000, seed=3, month="2025-04")
    summary = group_files(load_scheme(SCHEME), [raw], done)
    direct, grouped = fit([raw], SCHEME), fit([done], SCHEME)
    assert direct.groups == grouped.groups
    assert direct.cases == summary.statuses["grouped"]
    assert direct.cases + direct.left_out.total() == 2_000
    with pytest.raises(UsageError, match=r"grouped by chs-drg-2\.0"):
        fit([done], "zhejiang-2024")


def test_unstable_and_absent_groups_are_flagged(tmp_path: Path) -> None:
    cases = [Case("BR21", 2025, 100 + i) for i in range(5)] + [Case("BR23", 2024, 500)] * 4
    found = {group.drg: group for group in fitted(tmp_path, cases).groups}
    assert (found["BR21"].unstable, found["BR21"].note) == (False, "no cases in 2024")
    assert (found["BR23"].unstable, found["BR23"].note) == (True, "no cases in 2025")
    assert found["BR23"].weight is not None
    assert (found["ES33"].weight, found["ES33"].unstable, found["ES33"].note) == (None, True, "no cases")


# --- files and command -------------------------------------------------------------------------


def test_written_table_and_sidecar(tmp_path: Path) -> None:
    result = fitted(tmp_path, history(6))
    target = tmp_path / "weights.csv"
    write(result, target)
    rows = list(csv.DictReader(target.open(encoding="utf-8")))
    header = "drg,name,weight,cases,cases_trimmed,mean_cost,cv,unstable,note,cv_all,n_eff,se,ci_low,ci_high"
    header += ",cases_2023,cases_2024,cases_2025"
    assert ",".join(rows[0]) == header
    assert [row["drg"] for row in rows] == sorted(row["drg"] for row in rows)
    assert sum(int(row["cases"]) for row in rows) == 600
    assert all(len(row["weight"].partition(".")[2]) == 4 for row in rows if row["weight"])
    said = json.loads((tmp_path / "weights.json").read_text(encoding="utf-8"))
    assert said["scheme"]["id"] == SCHEME and len(said["scheme"]["sha256"]) == 64
    assert said["inputs"][0]["name"] == "history.parquet" and len(said["inputs"][0]["sha256"]) == 64
    assert Decimal(said["total_weight"]["after"]) == said["total_weight"]["cases"]


@pytest.mark.parametrize(("lang", "word"), [("zh", "使用病例 600"), ("en", "cases used 600")])
def test_the_command_reports_in_both_languages(tmp_path: Path, lang: str, word: str) -> None:
    path, target = tmp_path / "history.parquet", tmp_path / "weights.csv"
    pq.write_table(table(history(6)), path)
    arguments = ["fit", str(path), "--scheme", SCHEME, "-o", str(target), "--lang", lang]
    run = CliRunner().invoke(weights_command, arguments)
    assert run.exit_code == 0, run.output
    assert word in run.output and "RIV" in run.output
    assert target.exists()


# --- stays and years ---------------------------------------------------------------------------------


def stays(rows: list[tuple[str, str, int, str | None]]) -> pa.Table:
    """Cases of BR21: settlement, cost, year, and what it refunds."""
    plain = table([Case("BR21", year, 1) for _, _, year, _ in rows])
    columns = plain.set_column(
        plain.column_names.index("total_cost"),
        "total_cost",
        pa.array([Decimal(cost) for _, cost, _, _ in rows], pa.decimal128(18, 2)),
    )
    columns = columns.append_column("settlement_id", pa.array([row[0] for row in rows]))
    return columns.append_column("refund_of", pa.array([row[3] for row in rows], pa.string()))


def test_a_refunded_stay_counts_in_no_weight_wherever_its_refund_stands(tmp_path: Path) -> None:
    """The refund of S2 comes in the next file; without the gate the mean would be 20,000."""
    paths = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    pq.write_table(stays([("S1", "10000", 2025, None), ("S2", "30000", 2025, None)]), paths[0])
    pq.write_table(stays([("S3", "-30000", 2025, "S2"), ("S4", "10000", 2025, None)]), paths[1])
    result = fit(paths, SCHEME)
    assert result.left_out == {"refund-netted": 2} and result.cases == 2
    assert result.mean_cost == 10_000_00


@pytest.mark.parametrize("again", ["S2", "S3", "S4"])  # the stay, its refund, one that nobody refunded
@pytest.mark.parametrize("place", [0, 1])
def test_rows_given_twice_are_told_before_refunds_meet_their_stays(
    tmp_path: Path, again: str, place: int
) -> None:
    """In whichever file they stand; else the second S2 would count with 30,000, as nobody took it back."""
    rows = {"S1": ("S1", "10000", 2025, None), "S2": ("S2", "30000", 2025, None),
            "S3": ("S3", "-30000", 2025, "S2"), "S4": ("S4", "10000", 2025, None)}  # fmt: skip
    files = [[rows["S1"], rows["S2"]], [rows["S3"], rows["S4"]]]
    files[place].append(rows[again])
    paths = [tmp_path / f"{number}.parquet" for number in range(2)]
    for path, found in zip(paths, files, strict=True):
        made = stays(found)
        days = pa.array([date(2025, 3, 4)] * len(found))
        column = made.column_names.index("discharge_date")
        pq.write_table(made.set_column(column, "discharge_date", days), path)
    for order in (paths, paths[::-1]):
        result = fit(order, SCHEME)
        assert result.left_out == {"duplicate": 1, "refund-netted": 2} and result.cases == 2
        assert result.mean_cost == 10_000_00


def test_a_stray_year_is_refused_unless_it_is_named(tmp_path: Path) -> None:
    """One discharge of 2024 among forty of 2025 would weigh 2/9 of them all."""
    path = tmp_path / "history.parquet"
    rows = [(f"S{n}", "10000", 2025, None) for n in range(40)]
    pq.write_table(stays([*rows, ("S40", "100000", 2024, None)]), path)
    with pytest.raises(UsageError, match=r"2024: 1 cases, 2025: 40 cases.*--years 2025 takes"):
        fit([path], SCHEME)
    alone = fit([path], SCHEME, WeightOptions(history=HistoryOptions(years=(2025,))))
    assert alone.left_out == {"other-year": 1} and alone.mean_cost == 10_000_00
    assert alone.cases_by_year == {2025: 40}
    both = fit([path], SCHEME, WeightOptions(trim="none", history=HistoryOptions(years=(2024, 2025))))
    assert both.cases_by_year == {2024: 1, 2025: 40} and both.mean_cost == 30_000_00
    with pytest.raises(UsageError, match="--years names 2023"):
        fit([path], SCHEME, WeightOptions(history=HistoryOptions(years=(2023, 2025))))
