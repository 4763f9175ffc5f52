"""Supervisory indices: a small region to read, a plain Python reference, both kinds of grouping, refusals."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
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
from grouper.commands import cli
from grouper.indices.cases import Columns
from grouper.indices.parameters import INDICES, load
from grouper.indices.run import compute

from ..support import canonical

FOLDER = Path(__file__).parent
PARAMETERS = load(FOLDER / "parameters.toml")
SCHEMA = canonical(
    ["hospital_code", "person_id", "packet", "status", "warnings", "admission_date", "discharge_date",
     "los_days", "discharge_way", "diagnoses"],
    packet=pa.string(), status=pa.string(), warnings=pa.string(), discharge_date=pa.date32(),
)  # fmt: skip


def region() -> pa.Table:
    with (FOLDER / "cases.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return pa.Table.from_pylist(
        [
            {name: row[name] or None for name in ("hospital_code", "person_id", "packet", "status")}
            | {
                "warnings": row["warnings"],
                "admission_date": datetime.fromisoformat(row["admission_date"] + "T20:00"),
                "discharge_date": date.fromisoformat(row["discharge_date"]),
                "los_days": int(row["los_days"]) if row["los_days"] else None,
                "discharge_way": int(row["discharge_way"]),
                "diagnoses": row["diagnoses"].split("|"),
            }
            for row in rows
        ],
        schema=SCHEMA,
    )


def computed(table: pa.Table, folder: Path, **options: Any) -> list[dict[str, Any]]:
    pq.write_table(table, folder / "grouped.parquet", row_group_size=5)
    compute([folder / "grouped.parquet"], folder / "out.parquet", **{"parameters": PARAMETERS} | options)
    return pq.read_table(folder / "out.parquet").to_pylist()


def test_a_small_region(tmp_path: Path) -> None:
    pq.write_table(region(), tmp_path / "grouped.parquet")
    compute([tmp_path / "grouped.parquet"], tmp_path / "out.csv", parameters=PARAMETERS)
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        got = list(csv.DictReader(file))
    with (FOLDER / "expected.csv").open(encoding="utf-8") as file:
        assert got == list(csv.DictReader(file))


def test_files_together_are_one_region(tmp_path: Path) -> None:
    whole = region()
    for name, part in (("a", whole.slice(0, 4)), ("b", whole.slice(4))):
        pq.write_table(part, tmp_path / f"{name}.parquet")
    compute([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "o.parquet", parameters=PARAMETERS)
    assert pq.read_table(tmp_path / "o.parquet").to_pylist() == computed(whole, tmp_path)


def test_drg_files_and_other_column_names(tmp_path: Path) -> None:
    new = {"packet": "drg", "hospital_code": "医院", "person_id": "who", "discharge_way": "out"}
    table = region().rename_columns([new.get(name, name) for name in SCHEMA.names])
    columns = Columns({"hospital_code": "医院", "person_id": "who", "discharge_way": "out"})
    assert computed(table, tmp_path, columns=columns) == computed(region(), tmp_path)


def test_texts_are_read(tmp_path: Path) -> None:
    """Dates and numbers as texts, codes joined by |, as other layouts have them."""
    columns = {}
    for field in SCHEMA:
        values = region()[field.name].to_pylist()
        if field.name == "diagnoses":
            values = ["|".join(value) for value in values]
        columns[field.name] = pa.array([None if v is None else str(v) for v in values], pa.string())
    assert computed(pa.table(columns), tmp_path) == computed(region(), tmp_path)


def test_by_packet_sums_to_by_hospital(tmp_path: Path) -> None:
    packets = computed(region(), tmp_path, by="hospital-packet")
    assert {row["packet"] for row in packets} == {"K1", "J1"}
    for row in computed(region(), tmp_path):
        if row["index"] in ("readmission", "overlong", "low_risk_death"):
            same = [p for p in packets if all(p[k] == row[k] for k in ("hospital", "index", "days"))]
            assert sum(p["numerator"] for p in same) == row["numerator"]
            assert sum(p["denominator"] for p in same) == row["denominator"]


# --- a reference in plain Python -------------------------------------------------------------------


def rounded(value: Fraction) -> Decimal:
    scaled = Decimal(value.numerator * 10**12 // value.denominator) / 10**12
    exact = Fraction(scaled) == value
    return (scaled if exact else scaled + Decimal(1).scaleb(-13)).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def reference(rows: list[dict[str, Any]]) -> dict[tuple[str, str, int | None], tuple[int, int]]:
    """Numerator and denominator by hospital, index and days."""
    found: dict[tuple[str, str, int | None], list[int]] = {}

    def count(row: dict[str, Any], index: str, hit: bool, days: int | None = None) -> None:
        into = found.setdefault((row["hospital_code"], index, days), [0, 0])
        into[0] += hit
        into[1] += 1

    def together(test: Callable[[dict[str, Any]], bool]) -> dict[str, list[dict[str, Any]]]:
        packets: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            if row["status"] == "grouped" and test(row):
                packets.setdefault(row["packet"], []).append(row)
        return {packet: some for packet, some in packets.items() if len(some) >= 3}

    for row in rows:
        count(row, "record_quality", row["status"] == "grouped" and "unknown" not in row["warnings"])
        low = row["diagnoses"][0].startswith("J06") or row["diagnoses"][0] == "R51.X00"
        count(row, "low_standard", low)
    usable = [
        (number, row)
        for number, row in enumerate(rows)
        if row["status"] == "grouped" and row["person_id"] and not row["diagnoses"][0].startswith("Z51")
        and not row["packet"].startswith("Z9") and row["admission_date"] <= row["discharge_date"]
    ]  # fmt: skip
    for number, row in usable:
        if row["discharge_way"] == 5:
            continue
        gaps = [
            (other["admission_date"] - row["discharge_date"]).days
            for place, other in usable
            if all(other[k] == row[k] for k in ("person_id", "packet", "hospital_code"))
            and (other["admission_date"], other["discharge_date"], place)
            > (row["admission_date"], row["discharge_date"], number)
        ]
        for days in (1, 3, 14):
            count(row, "readmission", any(0 <= gap <= days for gap in gaps), days)
    for some in together(lambda row: row["los_days"] is not None).values():
        mean = Fraction(sum(row["los_days"] for row in some), len(some))
        for row in some:
            count(row, "overlong", row["los_days"] > mean * Fraction(3, 2))
    for some in together(lambda row: row["discharge_way"] is not None).values():
        deaths = sum(row["discharge_way"] == 5 for row in some)
        if Fraction(deaths, len(some)) < Fraction(26, 100):
            for row in some:
                count(row, "low_risk_death", row["discharge_way"] == 5)
    return {key: (above, below) for key, (above, below) in found.items()}


FIRST = date(2025, 1, 1)
ROWS = st.lists(
    st.builds(
        lambda hospital, person, packet, status, warning, day, stay, los, way, dx: {
            "hospital_code": hospital, "person_id": person, "packet": packet,
            "status": status, "warnings": warning,
            "admission_date": FIRST + timedelta(day), "discharge_date": FIRST + timedelta(day + stay),
            "los_days": los, "discharge_way": way, "diagnoses": [dx],
        },
        st.sampled_from("AB"), st.sampled_from(["p", "p", "q", None]), st.sampled_from(["K1", "J1", "Z99"]),
        st.sampled_from(["grouped", "grouped", "grouped", "needs-data"]),
        st.sampled_from(["", "procedure-not-for-grouping", "unknown-diagnosis"]),
        st.integers(0, 30), st.integers(-1, 3), st.sampled_from([None, 0, 1, 2, 4, 9]),
        st.sampled_from([1, 1, 1, 5, None]), st.sampled_from(["K35.800", "J06.900", "R51.X00", "Z51.100"]),
    ),
    min_size=1,
    max_size=40,
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=40)
@given(ROWS)
def test_agrees_with_plain_python(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    days = SCHEMA.set(SCHEMA.get_field_index("admission_date"), pa.field("admission_date", pa.date32()))
    got = computed(pa.Table.from_pylist(rows, schema=days), tmp_path_factory.mktemp("indices"))
    counts = reference(rows)
    assert {
        (row["hospital"], row["index"], row["days"]): (row["numerator"], row["denominator"]) for row in got
    } == counts
    for row in got:
        of = [value for key, value in counts.items() if key[1:] == (row["index"], row["days"])]
        above, below = sum(v[0] for v in of), sum(v[1] for v in of)
        assert (row["region_numerator"], row["region_denominator"]) == (above, below)
        rate = Fraction(row["numerator"], row["denominator"])
        assert row["rate"] == rounded(rate)
        assert row["region_rate"] == rounded(Fraction(above, below))
        assert row["ratio"] == (rounded(rate / Fraction(above, below)) if above else None)


# --- refusals, parameters, command ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "flag"),
    [
        ("hospital_code", "--hospital-column"),
        ("person_id", "--person-column"),
        ("admission_date", "--admission-column"),
        ("discharge_way", "--way-column"),
        ("los_days", "--stay-column"),
        ("packet", "--group-column"),
        ("status", "--prefix"),
    ],
)
def test_missing_columns_are_named_with_their_flag(tmp_path: Path, column: str, flag: str) -> None:
    with pytest.raises(UsageError, match=f"no column {column}") as caught:
        computed(region().drop_columns([column]), tmp_path)
    assert flag in caught.value.en
    assert column in caught.value.zh and flag in caught.value.zh
    assert not (tmp_path / "out.parquet").exists()


def test_only_what_the_parameters_ask_is_needed(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        'id = "q"\nname = "q"\n[record_quality]\ntitle = "q"\nsource = "q"\nverified = false\n'
    )
    table = region().select(["hospital_code", "packet", "status", "warnings"])
    rows = computed(table, tmp_path, parameters=tmp_path / "p.toml")
    assert [row["index"] for row in rows] == ["record_quality", "record_quality"]


def test_a_value_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    table = region()
    for column, value, flag in (
        ("admission_date", "2025-13-40", "--admission"),
        ("discharge_way", "死亡", "--way"),
    ):
        texts = [str(v) for v in table[column].to_pylist()]
        texts[2] = value
        bad = table.set_column(table.schema.get_field_index(column), column, pa.array(texts))
        with pytest.raises(DataError, match=rf"row 3, column {column}.*{flag}"):
            computed(bad, tmp_path)


def test_files_of_different_schemes_are_refused(tmp_path: Path) -> None:
    for name in "ab":
        made = {"grouper.provenance": json.dumps({"scheme": {"id": name, "sha256": name}})}
        pq.write_table(region().replace_schema_metadata(made), tmp_path / f"{name}.parquet")
    with pytest.raises(UsageError, match="grouped by b"):
        compute([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "o.csv", parameters=PARAMETERS)


def test_stays_from_dates(tmp_path: Path) -> None:
    """The stay that the column lacks belongs to a case that is not grouped, so the numbers stay."""
    without = region().drop_columns(["los_days"])
    rows = computed(without, tmp_path, columns=Columns({}, stay="nights"))
    overlong = [row for row in rows if row["index"] == "overlong"]
    assert sum(row["denominator"] for row in overlong) == 11


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("windows = [1, 3, 14]", "windows = [3, 1]", "readmission.windows"),
        ("factor = 1.5", "factor = 0", "overlong.factor"),
        ("min_cases = 3", "min_case = 3", "overlong.min_case"),
        ("verified = true", 'verified = "yes"', "record_quality.verified"),
        ('id = "test"', "", "id: None"),
        ("[overlong]", "[toolong]", "toolong"),
    ],
)
def test_bad_parameters_name_the_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (FOLDER / "parameters.toml").read_text(encoding="utf-8")
    (tmp_path / "p.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TableError, match=message):
        load(tmp_path / "p.toml")


def test_the_shipped_parameters_are_complete_and_unverified() -> None:
    shipped = load()
    assert [index.name for index in shipped.indices] == list(INDICES) == shipped.unverified


def test_command(tmp_path: Path) -> None:
    pq.write_table(region(), tmp_path / "g.parquet")
    target = tmp_path / "o.parquet"
    done = CliRunner().invoke(
        cli, ["indices", "--lang", "en", str(tmp_path / "g.parquet"), "-o", str(target)]
    )
    assert done.exit_code == 0, done.output
    assert "12 records" in done.stderr and "1  without person" in done.stderr
    assert "Not computed: low-standard admission [low_standard]" in done.stderr
    assert "not verified: record quality [record_quality], readmission [readmission]" in done.stderr
    made = json.loads(pq.read_schema(target).metadata[b"grouper.provenance"])
    assert made["not_computed"] == ["low_standard"]
    assert made["parameters"]["indices"]["readmission"]["verified"] is False


def test_a_refunded_stay_and_its_refund_are_no_discharges(tmp_path: Path) -> None:
    """Counted as stays, they would be a readmission of the same person."""
    data = region()
    rows = data.num_rows
    ids = [f"S{n}" for n in range(rows)]
    costs = [Decimal("100.00")] * rows
    costs[1] = Decimal("-100.00")
    of = ["S0" if n == 1 else None for n in range(rows)]
    data = data.append_column("settlement_id", pa.array(ids)).append_column("refund_of", pa.array(of))
    data = data.append_column("total_cost", pa.array(costs, pa.decimal128(18, 2)))
    path = tmp_path / "in.parquet"
    pq.write_table(data, path)
    summary = compute([path], tmp_path / "out.parquet")
    assert summary.counts["refund-netted"] == 2 and summary.counts["records"] == rows - 2
