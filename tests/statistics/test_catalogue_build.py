"""Catalogues against a plain-Python reference, and against the grouper that reads them."""

from __future__ import annotations

import csv
import io
import random
import tomllib
from collections import Counter
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

from grouper.base.errors import DataError, UsageError
from grouper.base.exact import half_up
from grouper.codes import icd
from grouper.commands.catalogue import catalogue as catalogue_command
from grouper.fitting.catalogue import (
    Built,
    CatalogueOptions,
    build,
    catalogue_text,
    quality,
    report_text,
    scheme_meta,
    write,
)
from grouper.fitting.history import HistoryOptions
from grouper.grouping.dip.reference import Reference
from grouper.grouping.dip.tables import catalogue as dip_catalogue

from . import reference_statistics as reference
from .reference_statistics import Case, Stay

# Principal diagnoses of few keys, rare ones among them; operations of every class.
DIAGNOSES = ["K35.800", "K35.800x001", "K35.300", "K36.x00", "K63.500", "J18.900", "J18.000", "I10.x00x002"]
SURGERY = ["47.0100", "47.0900", "54.1900", "54.1900x001"]
OPERATIONS = [*SURGERY, "45.4200x003", "45.2300", "44.1300x001", "99.2500x017", "96.7101"]
NO_KIND = next(code for code, kind in sorted(icd.procedure_kinds().items()) if not kind)


def stays(seed: int, rows: int = 900) -> list[Stay]:
    """Skewed choices, so that some sets are frequent and most are rare."""
    draw = random.Random(seed)
    found = []
    for _ in range(rows):
        place = min(int(draw.expovariate(0.45)), len(DIAGNOSES) - 1)
        number = draw.choice([0, 0, 1, 1, 1, 2, 2, 3])
        pool = [*OPERATIONS, NO_KIND]
        operations = tuple(pool[min(int(draw.expovariate(0.6)), len(pool) - 1)] for _ in range(number))
        cost = 150_000 * (place + 1 + 2 * number)
        for _ in range(4):
            cost = cost * draw.randint(70, 145) // 100
        drug = cost * draw.randint(10, 60) // 100 if draw.random() < 0.9 else None
        found.append(Stay(DIAGNOSES[place], operations, draw.choice([2023, 2024, 2025]), cost, drug))
    return found


def yuan(fen: int | None) -> Decimal | None:
    return None if fen is None else Decimal(fen).scaleb(-2)


def table(rows: list[Stay], drug: bool = True) -> pa.Table:
    """The canonical layout."""
    data = {
        "record_id": [str(i) for i in range(len(rows))],
        "discharge_date": [date(row.year, 6, 1) for row in rows],
        "diagnoses": [[row.principal, "E11.900"] for row in rows],
        "procedures": pa.array([list(row.operations) for row in rows], pa.list_(pa.string())),
        "total_cost": pa.array([yuan(row.fen) for row in rows], pa.decimal128(14, 2)),
    }
    if drug:
        data["drug_cost"] = pa.array([yuan(row.drug) for row in rows], pa.decimal128(14, 2))
    return pa.table(data)


def built(folder: Path, rows: list[Stay], **options: Any) -> Built:
    path = folder / "history.parquet"
    pq.write_table(table(rows), path)
    return build([path], CatalogueOptions(**options))


@pytest.mark.parametrize("related", [True, False])
@pytest.mark.parametrize(
    ("core", "mixed_min", "trim"), [(15, 15, "p2.5-p97.5"), (4, 8, "iqr"), (60, 40, "none")]
)
def test_packets_counts_and_scores_are_those_of_the_reference(
    tmp_path: Path, related: bool, core: int, mixed_min: int, trim: str
) -> None:
    rows = stays(11)
    result = built(tmp_path, rows, core=core, mixed_min=mixed_min, trim=trim, related=related)
    codes = reference.packets(rows, icd.procedure_kinds(), core, mixed_min, related)
    assert {e.packet.code: e.sums.cases for e in result.entries} == Counter(codes)
    cases = [Case(code, row.year, row.fen) for code, row in zip(codes, rows, strict=True)]
    left = reference.trimmed(cases, trim, 30)
    scores = reference.ratios(cases, trim, 30)
    for entry in result.entries:
        members = [case for case in left if case.group == entry.packet.code]
        assert half_up(entry.score, 4) == reference.rounded(scores[entry.packet.code] * 1000, 4)
        assert half_up(entry.sums.cv, 6) == reference.cv([case.fen for case in members], 6)
    assert half_up(result.riv, 6) == reference.rounded(reference.riv(left), 6)
    if core == 4:  # each kind of row occurs, or the test says little
        labels = [entry.packet.label for entry in result.entries]
        assert any(len(label.partition(":")[0]) == 5 and ":" not in label for label in labels)
        assert related == any("_" in label for label in labels)
        assert {entry.packet.kind for entry in result.entries} == {"core", "mixed"}


@pytest.mark.parametrize("related", [True, False])
def test_the_grouper_puts_the_history_into_the_packets_it_was_built_from(
    tmp_path: Path, related: bool
) -> None:
    rows = stays(23)
    result = built(tmp_path, rows, core=4, mixed_min=6, related=related)
    write(result, tmp_path / "dip", scheme_meta(result, "made", "Made", "nowhere"))
    loaded = dip_catalogue.load(tmp_path / "dip")
    grouper = Reference(loaded)
    found: Counter[str] = Counter()
    for row in rows:
        trace = grouper.group({"diagnoses": [row.principal], "procedures": list(row.operations)})
        assert trace.row is not None
        found[trace.row.code] += 1
    assert found == {entry.packet.code: entry.sums.cases for entry in result.entries}
    assert {row.code: row.score for row in loaded.rows} == {
        entry.packet.code: half_up(entry.score, 4) for entry in result.entries
    }


def test_drug_scores_use_the_cases_that_have_the_cost(tmp_path: Path) -> None:
    rows = stays(5)
    result = built(tmp_path, rows, trim="none")
    codes = reference.packets(rows, icd.procedure_kinds(), 15, 15, True)
    cases = [Case(c, r.year, r.drug) for c, r in zip(codes, rows, strict=True) if r.drug is not None]
    scores = reference.ratios(cases, "none", 30)
    for entry in result.entries:
        expected = reference.rounded(scores[entry.packet.code] * 1000, 4)
        assert half_up(entry.drug_score, 4) == expected
        assert entry.consumable_score is None
    assert quality(result)["cases_with_drug_cost"] == len(cases) < len(rows)


def test_threshold_is_on_the_weighted_yearly_count(tmp_path: Path) -> None:
    """(1·0 + 2·5 + 7·20) / 10 = 15 makes a core packet; one case less in the latest year does not."""
    rows = [Stay("J18.900", (), 2024, 100_000)] * 5 + [Stay("J18.900", (), 2025, 100_000)] * 20
    rows += [Stay("K35.800", (), 2023, 200_000)]
    years = HistoryOptions(years=(2023, 2024, 2025))  # 2023 has too few cases to count unasked
    entries = {entry.packet.code: entry for entry in built(tmp_path, rows, history=years).entries}
    assert {code: (e.weighted_cases, e.unstable) for code, e in entries.items()} == {
        "J18.9": (15, False),
        "K:BSZL": (Decimal("0.1"), True),
    }
    codes = {entry.packet.code for entry in built(tmp_path, rows[:24] + rows[25:], history=years).entries}
    assert codes == {"J:BSZL", "K:BSZL"}


def test_rare_sets_go_to_the_fitting_packet_that_asks_for_most(tmp_path: Path) -> None:
    main, scope, open_, chemo, breath = "47.0100", "45.2300", "54.1900", "99.2500x017", "96.7101"
    sets = {
        (main, scope): 4,  # a core packet
        (main, scope, chemo): 4,  # another inside which the first lies
        (main, open_): 4,
        (main, scope, open_, chemo): 1,  # fits all three: the second asks for most
        (main, scope, open_): 1,  # the first would leave a surgery over, although its code comes first
        (main, breath): 1,  # fits none: with the three below just enough for the main operation alone
        (main,): 3,
        (breath, main): 1,  # another main operation
    }
    rows = [Stay("K35.800", ops, 2025, 100_000) for ops, number in sets.items() for _ in range(number)]
    result = built(tmp_path, rows, core=4, mixed_min=4)
    assert {entry.packet.label: entry.sums.cases for entry in result.entries} == {
        "K35.8:47.0100_45.2300": 4,
        "K35.8:47.0100_45.2300+99.2500x017": 5,
        "K35.8:47.0100_54.1900": 5,
        "K35.8:47.0100": 4,
        "K:SS": 1,
    }


@pytest.mark.parametrize("method", ["base-disease", "quota"])
def test_other_methods_divide_by_the_base_or_the_quota(tmp_path: Path, method: str) -> None:
    rows = stays(11)
    means = {"ratio": "of-means", "untrimmed": "as-is"}
    plain = {e.packet.code: e for e in built(tmp_path, rows, **means).entries}
    code = next(iter(plain))
    extra = {"base": code} if method == "base-disease" else {"quota": Decimal("6000")}
    result = built(tmp_path, rows, method=method, points=100, **means, **extra)
    unit = plain[code].mean_cost if method == "base-disease" else Decimal(600_000)
    for entry in result.entries:
        expected = Fraction(plain[entry.packet.code].mean_cost) * 100 / Fraction(unit)
        assert half_up(entry.score, 4) == reference.rounded(expected, 4)
    if method == "base-disease":
        assert result.entries[0].score == 100
        assert (result.entries[0].sure.se, result.entries[0].sure.low) == (0, 100)


def test_scores_by_year_keep_their_proportions_whatever_the_unit(tmp_path: Path) -> None:
    rows = stays(11)
    plain = built(tmp_path, rows).entries
    for extra in ({"method": "base-disease", "base": "K35.8"}, {"method": "quota", "quota": Decimal(6000)}):
        found = built(tmp_path, rows, **extra).entries
        factors = {round(float(one.score / other.score), 12) for one, other in zip(found, plain, strict=True)}
        assert len(factors) == 1


def test_the_report_has_precision_and_the_cases_of_each_year(tmp_path: Path) -> None:
    rows = stays(11)
    report = list(csv.DictReader(io.StringIO(report_text(built(tmp_path, rows)))))
    for year in (2023, 2024, 2025):
        assert sum(int(row[f"cases_{year}"]) for row in report) == sum(row.year == year for row in rows)
    assert all(float(row["ci_low"]) < float(row["ci_high"]) for row in report if row["ci_low"])
    assert all(0 < float(row["n_eff"]) <= int(row["cases"]) for row in report)
    assert all(
        float(row["cv_all"]) >= float(row["cv"]) * 0.999 for row in report if row["cases_trimmed"] == "0"
    )


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"method": "quota"}, "--quota"),
        ({"method": "base-disease"}, "--base"),
        ({"base": "K35.8"}, "--base"),
        ({"method": "base-disease", "base": "Z99.9"}, "--base"),
        ({"method": "quota", "quota": Decimal(0)}, "--quota"),
        ({"trim": "p9"}, "--trim"),
        ({"year_weights": (Decimal(1),)}, "--year-weights"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: dict[str, Any], flag: str) -> None:
    with pytest.raises(UsageError, match=flag):
        built(tmp_path, stays(1, 60), **options)


@pytest.mark.slow
@settings(max_examples=8)
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_order_of_rows_files_and_related_operations_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, random_: random.Random, files: int
) -> None:
    folder = tmp_path_factory.mktemp("order")
    rows = stays(17, 300)
    plain = built(folder, rows, core=4)
    mixed = []
    for row in random_.sample(rows, len(rows)):
        rest = random_.sample(row.operations[1:], len(row.operations[1:]))
        mixed.append(row._replace(operations=(*row.operations[:1], *rest)))
    paths = [folder / f"{number}.parquet" for number in range(files)]
    for number, path in enumerate(paths):
        pq.write_table(table(mixed[number::files]), path)
    again = build(random_.sample(paths, files), CatalogueOptions(core=4, threads=1))
    assert again.entries == plain.entries
    assert catalogue_text(again) == catalogue_text(plain)
    assert report_text(again) == report_text(plain)


def test_records_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    rows = stays(3, 40)
    data = table(rows).to_pylist()
    data[0]["diagnoses"] = [None, "J18.900"]
    data[1]["diagnoses"] = ["J99.Z99"]
    data[2]["procedures"] = ["47.0100", "99.9999x999"]
    data[3]["procedures"] = ["6.31"]
    data[4]["total_cost"] = None
    data[5]["total_cost"] = Decimal("0.00")
    data[6]["discharge_date"] = None
    path = tmp_path / "history.parquet"
    pq.write_table(pa.Table.from_pylist(data, table(rows).schema), path)
    result = build([path])
    assert result.counts.left_out == {
        "principal-missing": 1, "principal-unknown": 1, "procedure-unknown": 1, "lost-zero": 1,
        "no-amount": 1, "zero-cost": 1, "no-year": 1,
    }  # fmt: skip
    assert result.cases == 33
    repaired = build([path], CatalogueOptions(repair_codes=True))
    assert repaired.counts.left_out["lost-zero"] == 0


def test_amounts_with_parts_of_a_fen_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.parquet"
    rows = stays(3, 4)
    costs = pa.array([1.0, 2.0, 3.0, 4.005])
    data = table(rows)
    place = data.column_names.index("drug_cost")
    pq.write_table(data.set_column(place, "drug_cost", costs), path)
    with pytest.raises(DataError, match=r"row 4, column drug_cost.*--round-cost"):
        build([path])


# --- files and command -------------------------------------------------------------------------


def test_files_of_a_catalogue(tmp_path: Path) -> None:
    rows = stays(11)
    result = built(tmp_path, rows)
    folder = tmp_path / "dip"
    write(result, folder, scheme_meta(result, "made", "Made", "nowhere"))
    assert sorted(p.name for p in folder.iterdir()) == [
        ".grouper-made",
        "catalogue.csv",
        "quality.toml",
        "report.csv",
        "scheme.toml",
    ]
    said = tomllib.loads((folder / "quality.toml").read_text(encoding="utf-8"))
    report = list(csv.DictReader((folder / "report.csv").open(encoding="utf-8")))
    assert sum(int(row["cases"]) for row in report) == said["cases"] == 900
    core = sum(int(row["cases"]) for row in report if row["kind"] == "core")
    assert Decimal(said["core_share"]) == reference.rounded(Fraction(core, 900), 6)
    assert sum(Decimal(row["cv"]) > 1 for row in report) == said["cv_above_1"]
    assert said["core_packets"] + said["mixed_groups"] == len(report)
    with pytest.raises(UsageError, match="--force"):
        write(result, folder, {})
    other = tmp_path / "other"
    other.mkdir()
    (other / "keep").touch()
    with pytest.raises(UsageError, match=r"did not make.*keep"):
        write(result, other, {}, force=True)
    assert (other / "keep").exists()


@pytest.mark.parametrize(("lang", "word"), [("zh", "使用病例 900"), ("en", "cases used 900")])
def test_the_command_reports_in_both_languages(tmp_path: Path, lang: str, word: str) -> None:
    path, folder = tmp_path / "history.parquet", tmp_path / "dip"
    pq.write_table(table(stays(11)), path)
    arguments = ["build", str(path), "-o", str(folder), "--id", "made", "--name", "M", "--area", "x"]
    run = CliRunner().invoke(catalogue_command, [*arguments, "--related", "none", "--lang", lang])
    assert run.exit_code == 0, run.output
    assert word in run.output
    assert dip_catalogue.load(folder).id == "made"


def test_a_refunded_stay_makes_no_packet_wherever_its_refund_stands(tmp_path: Path) -> None:
    rows = [Stay("J18.900", (), 2025, cost) for cost in (100_000, 300_000)]
    first, second = table(rows), table([Stay("J18.900", (), 2025, 100_000)] * 2)
    costs = pa.array([Decimal("-3000.00"), Decimal("1000.00")], pa.decimal128(14, 2))
    second = second.set_column(second.column_names.index("total_cost"), "total_cost", costs)
    for number, (data, ids, of) in enumerate(
        ((first, ["S1", "S2"], [None, None]), (second, ["S3", "S4"], ["S2", None]))
    ):
        data = data.append_column("settlement_id", pa.array(ids))
        data = data.append_column("refund_of", pa.array(of, pa.string()))
        pq.write_table(data, tmp_path / f"{number}.parquet")
    result = build([tmp_path / "0.parquet", tmp_path / "1.parquet"])
    assert result.counts.left_out == {"refund-netted": 2} and result.cases == 2
    assert result.mean_cost == 100_000
