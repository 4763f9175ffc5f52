"""The auxiliary catalogue: small cases to read, a plain Python reference, files, refusals."""

from __future__ import annotations

import csv
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.base.errors import DataError, TableError, UsageError
from grouper.coefficients.apply import apply
from grouper.coefficients.files import apply_files
from grouper.coefficients.parameters import Coefficients, Tool, load, names
from grouper.grouping.dip import auxiliary
from grouper.grouping.dip.auxiliary import AuxCase

from ..support import canonical

FOLDER = Path(__file__).parent / "coefficients"
INVENTED = load(FOLDER / "invented.toml")
SCHEMA = canonical(
    ["dip_code", "diagnoses", "procedures", "age_years", "age_days", "los_days", "discharge_way", "icu_hours",
     "discharge_date"],
    dip_code=pa.string(), discharge_date=pa.date32(),
)  # fmt: skip
RESULTS = [f"auxiliary_{name}" for name in ("tool", "class", "coefficient", "hits", "missing")]


def cases() -> list[dict[str, str]]:
    with (FOLDER / "cases.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def record(cells: dict[str, str]) -> dict[str, Any]:
    numbers = {n: int(cells[n]) for n in ("age_years", "age_days", "los_days", "discharge_way") if cells[n]}
    return {
        "dip_code": cells["dip_code"] or None,
        "diagnoses": cells["diagnoses"].split("|"),
        "procedures": [code for code in cells["procedures"].split("|") if code],
        "icu_hours": float(cells["icu_hours"]) if cells["icu_hours"] else None,
        "discharge_date": date.fromisoformat(cells["discharge_date"]) if cells["discharge_date"] else None,
        **numbers,
    }


def table_of(records: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(records, schema=SCHEMA)


def results(records: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    return apply(table_of(records), INVENTED, **options).select(RESULTS).to_pylist()


@pytest.mark.parametrize("cells", cases(), ids=lambda cells: cells["what"])
def test_cases(cells: dict[str, str]) -> None:
    (row,) = results([record(cells)])
    assert ("" if row["auxiliary_coefficient"] is None else str(row["auxiliary_coefficient"])) == cells[
        "coefficient"
    ]
    assert "|".join(row["auxiliary_hits"] or []) == cells["hits"]
    assert "|".join(row["auxiliary_missing"] or []) == cells["missing"]
    if row["auxiliary_class"] is not None:
        name = f"{row['auxiliary_tool']}:{row['auxiliary_class']}={cells['coefficient']}"
        assert name in row["auxiliary_hits"]
    exempt = cells["what"].startswith("exempt")
    assert (row["auxiliary_tool"] == "exempt") == exempt
    assert (row["auxiliary_tool"] is not None) == bool(cells["hits"] or exempt)


# --- a reference in plain Python -----------------------------------------------------------------


def takes(tool: Tool, test: dict[str, Any], levels: dict[str, Any], row: dict[str, Any]) -> bool:
    """Whether a class of a tool that is neither severity nor tumour takes a record."""
    others = [code.upper() for code in row["diagnoses"][1:]]
    match tool.kind:
        case "cci":
            index = auxiliary.charlson_index(others)
            return test.get("min", 0) <= index < test.get("below", 999)
        case "icu":
            return row["icu_hours"] is not None and test["min"] <= row["icu_hours"] < test["below"]
        case "age":
            years, days = row["age_years"], row["age_days"]
            if years is None or not test.get("min_years", 0) <= years < test.get("below_years", 999):
                return False
            if "min_days" not in test and "below_days" not in test:
                return True
            days = 29 if days is None else days
            return years == 0 and test.get("min_days", 0) <= days < test.get("below_days", 999)
    looked = {
        "secondary": others,
        "any": [code.upper() for code in row["diagnoses"]],
        "principal": [row["diagnoses"][0].upper()],
        "procedure": [code.upper() for code in row["procedures"]],
    }[tool.where]
    return any(
        code == listed.upper() or (listed.endswith("*") and code.startswith(listed[:-1].upper()))
        for code in looked
        for listed in test["codes"]
    )


def expected(parameters: Coefficients, row: dict[str, Any]) -> tuple[Decimal, list[str]]:
    """The highest coefficient and the names of all hits of one record."""
    rates = parameters.rates(row["dip_code"], row["discharge_date"])
    numbers = {
        name: float(row[name])
        for name in ("age_years", "age_days", "los_days", "discharge_way", "icu_hours")
        if row[name] is not None
    }
    codes = [code.upper() for code in row["diagnoses"]]
    operations = [code.upper() for code in row["procedures"]]
    levels = auxiliary.levels(AuxCase(codes[0], codes[1:], operations, numbers, 3))
    hits = []
    for tool in parameters.tools:
        of_tool = {tool.first + i: class_ for i, class_ in enumerate(tool.classes) if tool.first + i in rates}
        if tool.kind in ("severity", "tumour"):
            by_level = {class_.test["level"]: k for k, class_ in of_tool.items()}
            hits += [by_level[level] for level in levels[tool.kind] if level in by_level][:1]
        else:
            taken = [k for k, class_ in of_tool.items() if takes(tool, dict(class_.test), levels, row)]
            hits += taken if tool.kind == "codes" else taken[:1]
    names_ = [f"{tool.name}:{class_.name}" for tool, class_ in parameters.classes]
    best = max((rates[k] for k in hits), default=10_000)
    return Decimal(best) / 10_000, [names_[k] for k in hits]


CODES = ["J96.000", "C78.700", "E11.900", "I50.000", "J44.900", "A41.900", "K70.400", "Z51.100", "N18.000",
         "U84.300", "B20.x00", "G81.900", "I21.900", "A15.000", "ZZZ"]  # fmt: skip
PACKETS = ["J18.9", "K35.8", "K80.2", "C34.9", "C78.7:99.2500", "I21.9", "A15.0", "P07.3", "ZY01", "I50.9"]
RECORDS = st.fixed_dictionaries(
    {
        "dip_code": st.sampled_from(PACKETS),
        "diagnoses": st.lists(st.sampled_from(CODES), min_size=1, max_size=6),
        "procedures": st.lists(st.sampled_from(["31.1x00", "99.2500", "92.2900", "47.0100"]), max_size=2),
        "age_years": st.sampled_from([None, 0, 1, 65, 66]),
        "age_days": st.sampled_from([None, 0, 28, 29, 364]),
        "los_days": st.sampled_from([None, 0, 3, 4, 30]),
        "discharge_way": st.sampled_from([None, 1, 5]),
        "icu_hours": st.sampled_from([None, 0.0, 47.9, 48.0, 191.9, 192.0]),
        "discharge_date": st.dates(date(2025, 1, 1), date(2025, 12, 31)),
    }
)


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(RECORDS, min_size=1, max_size=60))
def test_whole_batches_agree_with_plain_python(records: list[dict[str, Any]]) -> None:
    for row, got in zip(records, results(records), strict=True):
        value, hits = expected(INVENTED, row)
        assert got["auxiliary_coefficient"] == value
        assert [hit.partition("=")[0] for hit in got["auxiliary_hits"]] == hits


# --- days, classes that the score already has, columns ---------------------------------------------

PLAIN = {
    "dip_code": "J18.9",
    "diagnoses": ["J18.900"],
    "procedures": [],
    "age_years": 70,
    "los_days": 9,
    "discharge_way": 1,
    "discharge_date": date(2025, 3, 5),
}


@pytest.mark.parametrize("day", [date(2024, 12, 31), date(2026, 1, 1), None])
def test_a_day_without_parameters_is_refused(day: date | None) -> None:
    with pytest.raises(DataError, match=r"row 2, column discharge_date.*as_of=") as caught:
        results([PLAIN, PLAIN | {"discharge_date": day}])
    assert "第 2 行" in caught.value.zh and "--as-of" in caught.value.zh


def test_one_day_for_all_rows() -> None:
    rows = results([PLAIN | {"discharge_date": None}], as_of=date(2025, 3, 1))
    assert rows[0]["auxiliary_coefficient"] == Decimal("1.6000")
    with pytest.raises(UsageError, match=r"as_of= 2026-03-01 is outside"):
        results([PLAIN], as_of=date(2026, 3, 1))


def test_another_column_of_days() -> None:
    table = table_of([PLAIN]).append_column("settled", pa.array(["2025-04-02"]))
    row = apply(table, INVENTED, date_column="settled").to_pylist()[0]
    assert row["auxiliary_coefficient"] == Decimal("1.2500")


def test_a_score_that_has_a_class_is_not_multiplied_twice() -> None:
    table = table_of([PLAIN, PLAIN]).append_column("auxiliary", pa.array(["", "severity:3"]))
    with pytest.raises(DataError, match=r"row 2, column auxiliary.*--variant-rows one"):
        apply(table, INVENTED)
    rows = apply(table, INVENTED, variant_rows="one").select(RESULTS).to_pylist()
    assert [row["auxiliary_coefficient"] for row in rows] == [Decimal("1.6000"), Decimal(1)]
    assert rows[1]["auxiliary_hits"] == []


def test_missing_and_taken_columns_are_named() -> None:
    whole = table_of([PLAIN])
    with pytest.raises(UsageError, match=r"dip_code.*prefix="):
        apply(whole.drop_columns(["dip_code"]), INVENTED)
    with pytest.raises(UsageError, match=r"discharge_date.*as_of="):
        apply(whole.drop_columns(["discharge_date"]), INVENTED)
    with pytest.raises(UsageError, match=r"icu_hours.*allow_missing="):
        apply(whole.drop_columns(["icu_hours"]), INVENTED)
    assert apply(whole.drop_columns(["icu_hours"]), INVENTED, allow_missing=["icu_hours"]).num_rows == 1
    with pytest.raises(UsageError, match="already has the column auxiliary_tool"):
        apply(apply(whole, INVENTED), INVENTED)


def test_a_batch_gives_a_batch_and_types_are_exact() -> None:
    batch = table_of([PLAIN]).to_batches()[0]
    done = apply(batch, FOLDER / "invented.toml")
    assert isinstance(done, pa.RecordBatch)
    assert done.schema.field("auxiliary_coefficient").type == pa.decimal128(9, 4)
    assert apply(table_of([]), INVENTED).num_rows == 0


# --- files ------------------------------------------------------------------------------------------


@pytest.fixture
def grouped(tmp_path: Path) -> Path:
    rows = [record(cells) for cells in cases()]
    table = table_of(rows).replace_schema_metadata(
        {"grouper.provenance": json.dumps({"scheme": {"id": "x"}, "options": {"codes": "insurance"}})}
    )
    pq.write_table(table, tmp_path / "grouped.parquet", row_group_size=4)
    return tmp_path / "grouped.parquet"


def test_files(grouped: Path, tmp_path: Path) -> None:
    target = tmp_path / "cases.parquet"
    summary = apply_files([grouped], target, INVENTED)
    done = pq.read_table(target)
    assert [str(v) if v is not None else "" for v in done["auxiliary_coefficient"].to_pylist()] == [
        cells["coefficient"] for cells in cases()
    ]
    assert done.num_rows == summary.rows == len(cases())
    made = json.loads(pq.read_schema(target).metadata[b"grouper.provenance"])
    assert made["scheme"] == {"id": "x"}  # the grouping's own stays
    added = made["auxiliary_coefficients"]
    assert added["parameters"]["unverified"] == ["severity"]
    assert not added["parameters"]["verified"]
    assert added["by_tool"]["exempt"] == 2
    assert sum(n for name, n in added["by_tool"].items() if "missing" not in name) == len(cases()) - 1


def test_a_failure_leaves_no_file(grouped: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.parquet"
    pq.write_table(
        table_of([PLAIN] * 9 + [PLAIN | {"discharge_date": date(2030, 1, 1)}]), bad, row_group_size=3
    )
    with pytest.raises(DataError, match="row 10,"):
        apply_files([bad], tmp_path / "out.parquet", INVENTED)
    assert not list(tmp_path.glob("*out*"))
    with pytest.raises(UsageError, match="is an input"):
        apply_files([grouped], grouped, INVENTED)


def test_options_of_the_grouping_are_kept(tmp_path: Path) -> None:
    """A clinical code is read as in grouping when the file says so."""
    made = {"options": {"prefix": "x_", "codes": "insurance"}}
    table = table_of([PLAIN]).rename_columns(["x_dip_code", *SCHEMA.names[1:]])
    table = table.replace_schema_metadata({"grouper.provenance": json.dumps(made)})
    pq.write_table(table, tmp_path / "g.parquet")
    apply_files([tmp_path / "g.parquet"], tmp_path / "o.parquet", INVENTED)
    assert "x_auxiliary_coefficient" in pq.read_schema(tmp_path / "o.parquet").names


# --- parameters ---------------------------------------------------------------------------------------


def test_shipped_examples_load_and_say_that_they_are_invented() -> None:
    assert names() == ["coefficients-example"]
    example = load("coefficients-example")
    assert not example.verified and "file" in example.unverified
    assert {tool.name for tool in example.tools} <= set(example.unverified)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("level = 5,", "level = 6,", "level: 6"),
        ("= 1.4 }", "= 1.40001 }", "1.40001"),
        ("= 1.4 }", "= 0 }", "values"),
        ("2025-07-01 = 1.30", "2026-07-01 = 1.30", "2026-07-01"),
        ('kind = "icu"', 'kind = "icus"', "kind: 'icus'"),
        ("min_years = 66", "minimum = 66", "minimum"),
        ("verified = false", 'verified = "no"', "verified"),
        ('name = "icu"', 'name = "cci"', "tool.name"),
        ('where = "any"', 'where = "all"', "where: 'all'"),
        ("valid_to = 2025-12-31", "valid_to = 2024-12-31", "valid_to"),
        ("short_stay = 3", "short = 3", "short"),
    ],
)
def test_bad_parameters_name_the_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (FOLDER / "invented.toml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "invented.csv").write_bytes((FOLDER / "invented.csv").read_bytes())
    (tmp_path / "p.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TableError, match=message):
        load(tmp_path / "p.toml")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("J18.9,colour,x,1.2,,", "line 5, column class"),
        ("J18.9,age,66+,1.2,2025-03-31,", "line 5.*overlap"),
        ("J18.9,icu,2-7,1.2,2025-13-01,", "column valid_from"),
        ("J18.9,icu,2-7,x,,", "column coefficient"),
    ],
)
def test_bad_rows_of_the_table(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "invented.csv").write_text((FOLDER / "invented.csv").read_text() + row + "\n")
    (tmp_path / "p.toml").write_bytes((FOLDER / "invented.toml").read_bytes())
    with pytest.raises(TableError, match=message):
        load(tmp_path / "p.toml")


def test_unknown_parameters() -> None:
    with pytest.raises(UsageError, match="coefficients-example"):
        load("nothing")


def test_a_class_from_a_column(tmp_path: Path) -> None:
    """Sub-types that another step has given stand in a column of their own."""
    (tmp_path / "p.toml").write_text(
        """id = "c"
name = "c"
source = "invented"
verified = true
valid_from = 2025-01-01
valid_to = 2025-12-31
[[tool]]
name = "sub"
kind = "column"
column = "subtype"
none = ["0"]
source = "invented"
verified = true
class = [{ name = "severe", value = "5", values = { 2025-01-01 = 1.25 } }]
""",
        encoding="utf-8",
    )
    table = table_of([PLAIN] * 3).append_column("subtype", pa.array(["5", "0", None]))
    values = apply(table, tmp_path / "p.toml")["auxiliary_coefficient"].to_pylist()
    assert values == [Decimal("1.2500"), Decimal(1), Decimal(1)]
    with pytest.raises(DataError, match=r"row 1, column subtype.*no class '6'"):
        apply(table_of([PLAIN]).append_column("subtype", pa.array(["6"])), tmp_path / "p.toml")
