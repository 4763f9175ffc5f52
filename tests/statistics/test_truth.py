"""Weights of histories whose truth is known: intervals that cover it, and what prices and small groups do.

The costs are log-normal around known weights; numpy draws them, and the formulas stand here a second time.
"""

from __future__ import annotations

import csv
import io
import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from grouper.base.errors import TableError, UsageError
from grouper.commands.weights import weights as weights_command
from grouper.fitting.precision import student
from grouper.fitting.published import read_published
from grouper.fitting.structure import keys_of_groups
from grouper.fitting.weights import Fitted, WeightOptions, fit, provenance, weights_text
from grouper.grouping.drg.tables import store

SCHEME = "chs-drg-2.0"
SCALE = 1_000_000  # fen of a weight of 1


def groups(number: int) -> list[str]:
    """Groups of the scheme, by code."""
    return sorted(keys_of_groups(store.load(SCHEME)))[:number]


def drawn(
    draw: np.random.Generator,
    truth: dict[str, float],
    cases: dict[str, dict[int, int]],
    cv: float,
    prices: dict[int, float],
) -> pa.Table:
    """A grouped file: so many cases of each group and year, log-normal with the mean weight × price."""
    spread = math.sqrt(math.log(1 + cv**2))
    codes, years, fen = [], [], []
    for group, by_year in cases.items():
        for year, number in by_year.items():
            factor = np.exp(draw.normal(-(spread**2) / 2, spread, number))
            codes += [group] * number
            years += [year] * number
            fen += np.rint(truth[group] * prices[year] * SCALE * factor).astype(int).tolist()
    costs = pa.array([Decimal(max(cost, 1)).scaleb(-2) for cost in fen], pa.decimal128(16, 2))
    return pa.table({"drg": codes, "status": ["grouped"] * len(codes), "total_cost": costs, "year": years})


def fitted(folder: Path, data: pa.Table, **options: Any) -> Fitted:
    from grouper.fitting.history import HistoryOptions

    path = folder / "history.parquet"
    pq.write_table(data, path)
    years = tuple(sorted(set(data["year"].to_pylist())))
    return fit(
        [path], SCHEME, WeightOptions(history=HistoryOptions(year_column="year", years=years), **options)
    )


def scaled_truth(truth: dict[str, float], cases: dict[str, dict[int, int]], latest: int) -> dict[str, float]:
    """The truth with the total weight of the latest year's cases."""
    number = {group: cases[group].get(latest, 0) for group in truth}
    factor = sum(number.values()) / sum(number[group] * truth[group] for group in truth)
    return {group: weight * factor for group, weight in truth.items()}


# --- formulas a second time ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "df", "known"),  # printed tables of Student's t
    [
        (0.975, 1, 12.7062), (0.975, 2, 4.3027), (0.975, 4, 2.7764), (0.975, 10, 2.2281), (0.975, 30, 2.0423),
        (0.975, 100, 1.9840), (0.975, 120, 1.9799), (0.95, 5, 2.0150), (0.995, 9, 3.2498),
        (0.995, 1, 63.6567),
    ],
)  # fmt: skip
def test_quantiles_of_student(share: float, df: int, known: float) -> None:
    assert student(share, df) == pytest.approx(known, abs=6e-5)


def test_both_ways_to_the_quantile_meet() -> None:
    assert student(0.975, 100) == pytest.approx(student(0.975, 101), abs=3e-4)
    assert (
        student(0.975, 100) > student(0.975, 101) > student(0.975, 10**7) == pytest.approx(1.959964, abs=1e-6)
    )


WEIGHTS = {2023: 1.0, 2024: 2.0, 2025: 7.0}


def pulled(frame: pd.DataFrame, prices: dict[int, float]) -> pd.DataFrame:
    """One group: what p2.5-p97.5 keeps at the prices of the years, and costs with their ends pulled in."""
    level = (frame["fen"] / frame["year"].map(prices)).to_numpy()
    ordered, n = np.sort(level), len(level)
    low, high = ordered[max(1, math.ceil(n * 0.025)) - 1], ordered[math.ceil(n * 0.975) - 1]
    near = np.clip(level, low, high) * frame["year"].map(prices)
    return frame.assign(kept=(level >= low) & (level <= high), near=near)


def error_of(part: pd.DataFrame, units: dict[int, float]) -> tuple[float, float, int]:
    """Relative standard error of the mean of the years' ratios, effective cases, degrees of freedom."""
    whole = sum(WEIGHTS.values())
    kept, ratio, below, within = 0, 0.0, 0.0, 0.0
    for year, weight in WEIGHTS.items():
        rows = part[part["year"] == year]
        some, near = rows[rows["kept"]]["fen"] / units[year], rows["near"] / units[year]
        kept += len(some)
        ratio += weight / whole * some.mean()
        below += (weight / whole) ** 2 / len(some)
        within += ((near - near.mean()) ** 2).sum()
    df = kept - len(WEIGHTS)
    return math.sqrt(within / df * below) / ratio, 1 / below, df


def test_errors_are_those_of_an_independent_computation(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    names = groups(30)
    truth = {name: 0.5 + 0.1 * place for place, name in enumerate(names)}
    cases = {name: {2023: 60, 2024: 60, 2025: 60} for name in names}
    data = drawn(draw, truth, cases, 0.7, {2023: 1.0, 2024: 1.1, 2025: 1.25})
    found = {group.drg: group for group in fitted(tmp_path, data).groups if group.cases}
    frame = data.to_pandas()
    frame["fen"] = (frame["total_cost"].astype(float) * 100).round()
    prices = frame.groupby("year")["fen"].mean().to_dict()  # trimming goes by them
    parts = {name: pulled(frame[frame["drg"] == name], prices) for name in names}
    kept = pd.concat(parts.values())
    units = kept[kept["kept"]].groupby("year")["fen"].mean().to_dict()  # and ratios by these
    own = {name: error_of(part, units) for name, part in parts.items()}
    share = {name: float(found[name].exact) / len(names) for name in names}
    rest = sum((share[name] * own[name][0]) ** 2 for name in names)
    for name in names:
        error, n_eff, df = own[name]
        expected = math.sqrt(error**2 * (1 - 2 * share[name]) + rest)
        assert found[name].n_eff == pytest.approx(n_eff, rel=1e-9)
        assert found[name].se / float(found[name].exact) == pytest.approx(expected, rel=1e-5)
        reach = student(0.975, df) * expected
        assert found[name].high / float(found[name].exact) == pytest.approx(math.exp(reach), rel=1e-5)


# --- what must be true -----------------------------------------------------------------------------


def coverage(
    folder: Path, rounds: int, cv: float, sizes: tuple[int, ...], **options: Any
) -> dict[int, float]:
    """Share of intervals that hold the truth, by the number of cases of a group over three years."""
    draw = np.random.default_rng(17)
    names = groups(12 * len(sizes))
    held: dict[int, list[bool]] = {size: [] for size in sizes}
    for _ in range(rounds):
        truth = {name: float(np.exp(draw.normal(0, 0.6))) for name in names}
        cases = {
            name: {2023: size // 3, 2024: size // 3, 2025: size - 2 * (size // 3)}
            for name, size in zip(names, sizes * 12, strict=True)
        }
        result = fitted(folder, drawn(draw, truth, cases, cv, {2023: 1.0, 2024: 1.1, 2025: 1.2}), **options)
        true = scaled_truth(truth, cases, 2025)
        for group in result.groups:
            if group.low is not None and group.high is not None:
                held[sum(cases[group.drg].values())].append(group.low <= true[group.drg] <= group.high)
    return {size: sum(found) / len(found) for size, found in held.items()}


@pytest.mark.slow
def test_intervals_cover_the_truth_quickly(tmp_path: Path) -> None:
    found = coverage(tmp_path, 6, 0.6, (15, 60, 300))
    assert all(0.87 <= share <= 1 for share in found.values())
    narrow = coverage(tmp_path, 6, 0.6, (15, 60, 300), confidence=50)
    assert all(0.33 <= share <= 0.67 for share in narrow.values())


@pytest.mark.slow
@pytest.mark.parametrize(("cv", "least"), [(0.4, 0.92), (0.8, 0.91), (1.2, 0.88)])
def test_intervals_cover_the_truth(tmp_path: Path, cv: float, least: float) -> None:
    found = coverage(tmp_path, 60, cv, (9, 18, 36, 90, 300))
    assert all(least <= share <= 0.99 for share in found.values())
    assert abs(found[90] - 0.95) <= 0.03


@pytest.mark.parametrize(("ratio", "expected"), [("by-year", 1.0), ("of-means", 0.87)])
def test_a_rise_of_prices_changes_no_weight(tmp_path: Path, ratio: str, expected: float) -> None:
    """All groups weigh 1, prices rise by a tenth a year; one group has cases of the first year only."""
    names = groups(12)
    cases = {name: {2023: 900, 2024: 900, 2025: 900} for name in names} | {names[0]: {2023: 900, 2025: 1}}
    early = {names[1]: {2023: 900}}
    draw = np.random.default_rng(3)
    truth = dict.fromkeys(names, 1.0)
    prices = {2023: 1.0, 2024: 1.1, 2025: 1.21}
    data = drawn(draw, truth, cases | early, 0.4, prices)
    found = {group.drg: group for group in fitted(tmp_path, data, ratio=ratio).groups}
    assert float(found[names[1]].exact) == pytest.approx(expected, abs=0.05)
    assert all(float(found[name].exact) == pytest.approx(1, abs=0.06) for name in names[2:])
    # of the other, one case of 2025 weighs 7/8: the weight is no better than that case, and says so
    thin = found[names[0]]
    assert thin.n_eff < 1.4 and not thin.unstable
    assert thin.se > 0.2 * float(thin.exact) and thin.low < 1 < thin.high


def test_small_groups_are_treated_as_those_that_are_trimmed(tmp_path: Path) -> None:
    """Equal weights and skewed costs: small groups stand above large ones unless both are treated alike."""
    names = groups(130)
    small = names[:100]
    cases = {name: {2025: 24} for name in small} | {name: {2025: 400} for name in names[100:]}
    data = drawn(np.random.default_rng(8), dict.fromkeys(names, 1.0), cases, 1.2, {2025: 1.0})

    def excess(untrimmed: str) -> float:
        found = {g.drg: float(g.exact) for g in fitted(tmp_path, data, untrimmed=untrimmed).groups if g.cases}
        large = [weight for name, weight in found.items() if name not in small]
        return float(np.mean([found[name] for name in small]) / np.mean(large) - 1)

    assert excess("as-is") > 0.06
    assert abs(excess("scaled")) < 0.04
    assert excess("scaled") < excess("as-is") - 0.05


# --- shrinkage --------------------------------------------------------------------------------------


def families(draw: np.random.Generator) -> tuple[dict[str, float], dict[str, dict[int, int]]]:
    """A truth in which the groups of an ADRG differ by a quarter, and few or many cases of each."""
    keys = keys_of_groups(store.load(SCHEME))
    centre: dict[str, float] = {}
    truth, cases = {}, {}
    for name in groups(220):
        adrg = keys[name]["adrg"]
        centre.setdefault(adrg, float(np.exp(draw.normal(0, 0.6))))
        truth[name] = centre[adrg] * float(np.exp(draw.normal(0, 0.25)))
        cases[name] = {2025: int(draw.choice([2, 4, 8, 40, 150]))}
    return truth, cases


def test_shrinkage_lowers_the_error_of_small_groups(tmp_path: Path) -> None:
    draw = np.random.default_rng(21)
    truth, cases = families(draw)
    data = drawn(draw, truth, cases, 0.8, {2025: 1.0})
    true = scaled_truth(truth, cases, 2025)
    result = fitted(tmp_path, data, shrink="adrg", trim="none")
    assert result.shrinkage is not None
    assert result.shrinkage.between == pytest.approx(0.25**2, rel=0.5)
    assert result.shrinkage.within == pytest.approx(0.8**2, rel=0.3)
    errors: dict[str, list[float]] = {"before": [], "after": []}
    for group in result.groups:
        if group.drg not in truth:
            continue
        if group.drg not in result.shrinkage.groups:
            assert group.shrinkage == 0 and group.unshrunk == group.exact
            continue
        assert group.shrinkage is not None and group.unshrunk is not None and group.exact is not None
        assert 0 < group.shrinkage < 1
        if group.cases < 10:
            errors["before"].append(math.log(float(group.unshrunk) / true[group.drg]) ** 2)
            errors["after"].append(math.log(float(group.exact) / true[group.drg]) ** 2)
    assert np.mean(errors["after"]) < 0.6 * np.mean(errors["before"])
    amounts = {
        group.cases: group.shrinkage for group in result.groups if group.drg in result.shrinkage.groups
    }
    assert [amounts[n] for n in sorted(amounts)] == sorted(amounts.values(), reverse=True)
    assert abs(result.total_exact - sum(number[2025] for number in cases.values())) < Decimal("1e-40")


@pytest.mark.slow
def test_intervals_after_shrinkage_cover_the_truth(tmp_path: Path) -> None:
    draw = np.random.default_rng(22)
    held = []
    for _ in range(12):
        truth, cases = families(draw)
        result = fitted(tmp_path, drawn(draw, truth, cases, 0.8, {2025: 1.0}), shrink="adrg", trim="none")
        true = scaled_truth(truth, cases, 2025)
        assert result.shrinkage is not None
        held += [g.low <= true[g.drg] <= g.high for g in result.groups if g.drg in result.shrinkage.groups]
    assert 0.91 <= np.mean(held) <= 0.98


def test_groups_without_a_difference_become_one(tmp_path: Path) -> None:
    """Equal costs everywhere leave nothing to estimate from; equal weights are drawn together."""
    keys = keys_of_groups(store.load(SCHEME))
    names = groups(60)
    cases = {name: {2025: 12} for name in names}
    data = drawn(np.random.default_rng(2), dict.fromkeys(names, 1.0), cases, 0.5, {2025: 1.0})
    result = fitted(tmp_path, data, shrink="adrg")
    found = {group.drg: group for group in result.groups if group.cases}
    assert result.shrinkage is not None and result.shrinkage.between < 0.02
    spread = [float(found[name].exact) for name in result.shrinkage.groups]
    plain = [float(found[name].unshrunk) for name in result.shrinkage.groups]
    assert np.std(spread) < 0.8 * np.std(plain)
    assert len({keys[name]["adrg"] for name in result.shrinkage.groups}) > 5


# --- published weights -------------------------------------------------------------------------------


def table_of(folder: Path, text: str) -> str:
    path = folder / "published.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_published_weights_stand_beside_the_fitted_ones_on_one_scale(tmp_path: Path) -> None:
    """The truth published in other units differs by chance only; placeholders are left aside."""
    names = groups(20)
    truth = {name: 0.5 + place / 10 for place, name in enumerate(names)}
    cases = {name: {2025: 500} for name in names}
    data = drawn(np.random.default_rng(4), truth, cases, 0.3, {2025: 1.0})
    rows = [f"{name},{weight * 3:.4f}," for name, weight in truth.items()]
    rows[0] = f"{names[0]},1,true"
    rows[1] = f"{names[1]},,"
    published = table_of(tmp_path, "drg,weight,placeholder\n" + "\n".join([*rows, "ZZ99,2,"]) + "\n")
    result = fitted(tmp_path, data, published=published)
    found = result.comparison
    assert found is not None and len(found.differences) == 18
    assert float(found.median) < 0.02 and found.near == 1
    assert found.inside >= 15 and found.intervals == 18
    assert (found.only_fitted, found.only_published, found.published.unmarked_ones) == (1, 1, 0)
    rows_out = {row["drg"]: row for row in csv.DictReader(io.StringIO(weights_text(result)))}
    first, other = rows_out[names[0]], rows_out[names[2]]
    assert (first["published"], first["placeholder"], first["difference"]) == ("1", "true", "")
    expected = float(other["weight"]) / (float(other["published"]) * float(found.scale)) - 1
    assert float(other["difference"]) == pytest.approx(expected, abs=2e-4)
    said = provenance(result)["published"]
    assert said["file"]["name"] == "published.csv" and len(said["file"]["sha256"]) == 64
    json.dumps(said)


def test_shipped_tables_mark_their_placeholders() -> None:
    for name, number in (("lishui", 20), ("zhejiang-2022", 14), ("lanzhou-2024", 75), ("chs-drg-2.0", 0)):
        table = read_published(name)
        assert len(table.placeholders) == number
        assert table.unmarked_ones == 0
        assert all(table.weights[group] == 1 for group in table.placeholders)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drg,weight\nBR21,1\nBR21,2\n", "row 3, column drg"),
        ("drg,weight\nBR21,x\n", "row 2, column weight"),
        ("drg,rw\nBR21,1\n", "weight"),
    ],
)
def test_published_tables_that_cannot_be_read_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises((UsageError, TableError), match=message):
        read_published(table_of(tmp_path, text))


def test_methods_that_are_none_are_refused() -> None:
    for options in ({"ratio": "x"}, {"untrimmed": "x"}, {"shrink": "mdc"}, {"confidence": 100.0}):
        with pytest.raises(UsageError, match="--" + next(iter(options))):
            WeightOptions(**options).check()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_summary_names_the_method_both_rivs_and_the_comparison(tmp_path: Path, lang: str) -> None:
    names = groups(40)
    data = drawn(
        np.random.default_rng(6),
        dict.fromkeys(names, 1.0),
        {name: {2025: 20} for name in names},
        0.5,
        {2025: 1.0},
    )
    path, target = tmp_path / "history.parquet", tmp_path / "weights.csv"
    pq.write_table(data, path)
    run = CliRunner().invoke(
        weights_command,
        ["fit", str(path), "--scheme", SCHEME, "-o", str(target), "--year-column", "year", "--shrink", "adrg",
         "--published", "chs-drg-2.0", "--confidence", "90", "--lang", lang],
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    words = {
        "zh": ("各年比值", "RIV：裁剪后", "全部病例", "向 ADRG 收缩", "占位值 0 个"),
        "en": (
            "the years' ratios",
            "after trimming",
            "of all cases",
            "drawn towards their ADRG",
            "0 placeholders",
        ),
    }[lang]
    assert all(word in run.output for word in (*words, "--ratio by-year", "--untrimmed scaled"))
    said = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))
    options = said["options"]
    assert (options["ratio"], options["shrink"], options["confidence"]) == ("by-year", "adrg", 90.0)
    assert {"riv", "riv_all_cases", "shrinkage", "published", "cases_by_year"} <= set(said)
