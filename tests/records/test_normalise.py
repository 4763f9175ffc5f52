"""Fields of whole records: what is derived, what is flagged, what is counted."""

from __future__ import annotations

import unicodedata
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.base.errors import UsageError
from grouper.base.reasons import Flag
from grouper.records import ColumnMap, NormaliseOptions, Normaliser, Source

NIGHTS, DAYS, GIVEN = (
    NormaliseOptions(stay="nights"),
    NormaliseOptions(stay="days"),
    NormaliseOptions(age="given"),
)


@pytest.mark.parametrize(
    ("field", "values", "expected", "flag"),
    [
        ("sex", ["1", "男", "9", "x", None], [1, 1, None, None, None], Flag.BAD_SEX),
        ("sex", [1, 2, 0, 3, None], [1, 2, None, None, None], Flag.BAD_SEX),
        ("age_years", ["64", "64.0", "-", "850", None], [64, 64, None, None, None], Flag.BAD_AGE),
        ("age_years", [64, 0, 150, -1, None], [64, 0, 150, None, None], Flag.BAD_AGE),
        ("age_years", [64.0, 0.0, 1.0, 3.5, float("nan")], [64, 0, 1, None, None], Flag.BAD_AGE),
        ("birth_weight_g", [2850, 1, 0, 20_001, None], [2850, 1, None, None, None], Flag.BAD_BIRTH_WEIGHT),
        (
            "birth_weight_g",
            ["2850", "", "0", "2.8kg", None],
            [2850, None, None, None, None],
            Flag.BAD_BIRTH_WEIGHT,
        ),
        ("los_days", [7, 0, 36_500, -1, None], [7, 0, 36_500, None, None], Flag.BAD_STAY),
        ("los_days", ["7", "0", "7天", "36501", None], [7, 0, 7, None, None], Flag.BAD_STAY),
        ("discharge_way", [1, 9, 5, 6, None], [1, 9, 5, None, None], Flag.BAD_DISCHARGE_WAY),
        ("icu_hours", [1.5, 0, float("nan"), -1, None], [1.5, 0, None, None, None], Flag.BAD_ICU_HOURS),
        ("icu_hours", ["1/0/30", "2", "-", "long", None], [24.5, 2, None, None, None], Flag.BAD_ICU_HOURS),
    ],
)
@pytest.mark.parametrize("encoded", [False, True])
def test_values_and_flags(field, values, expected, flag, encoded, normalise):
    """The fourth value of each case is the bad one."""
    array = pa.array(values)
    if encoded and pa.types.is_string(array.type):
        array = array.dictionary_encode()
    result = normalise({field: array}, GIVEN)
    assert [row[field] for row in result.rows] == expected
    assert result.flags == [0, 0, 0, flag, 0]


def test_department(normalise):
    result = normalise({"department": [" 0305 ", "-", "心内科", "", None]})
    assert [row["department"] for row in result.rows] == ["0305", None, "心内科", None, None]


def test_only_the_fields_asked_for_are_flagged():
    batch = pa.RecordBatch.from_pydict({"d": [["I10.x00"]], "p": [[]], "s": ["?"], "a": ["?"]})
    sources = {"diagnoses": "d", "procedures": "p", "sex": "s", "age_years": "a"}
    columns = ColumnMap("c", {field: Source((name,)) for field, name in sources.items()})
    prepared = Normaliser(columns, ["sex"]).prepare(batch)
    assert prepared.batch.schema.names == ["diagnoses", "procedures", "sex"]
    assert prepared.flags.to_pylist() == [Flag.BAD_SEX]


@given(st.dates(date(1880, 1, 1), date(1930, 1, 1)), st.integers(0, 60_000))
def test_age_is_full_years_at_admission(birth, days):
    admission = birth + timedelta(days)
    batch = pa.RecordBatch.from_pydict({"d": [["I10.x00"]], "p": [[]], "b": [birth], "a": [admission]})
    sources = {"diagnoses": "d", "procedures": "p", "birth_date": "b", "admission_date": "a"}
    columns = ColumnMap("c", {field: Source((name,)) for field, name in sources.items()})
    prepared = Normaliser(columns, ["age_years", "age_days"]).prepare(batch)
    row = prepared.batch.to_pylist()[0]
    if row["age_years"] is None:
        assert prepared.flags[0].as_py() == Flag.BAD_AGE
        assert days > 150 * 365
        return
    # The definition: the last birthday that is not after the admission.
    birthdays = [
        date(birth.year + n, 3, 1)
        if (birth.month, birth.day) == (2, 29) and not _leap(birth.year + n)
        else birth.replace(year=birth.year + n)
        for n in range(row["age_years"], row["age_years"] + 2)
    ]
    assert birthdays[0] <= admission < birthdays[1]
    assert row["age_days"] == (days if row["age_years"] == 0 else None)


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def test_dates_decide_the_age_and_differences_are_counted(normalise):
    columns = {
        "birth_date": ["1960-05-17", "1960-05-17", None, "2025-01-01", "1960-05-17"],
        "admission_date": ["2025-01-03"] * 5,
        "age_years": ["64", "850", "33", "1", "junk"],
        "age_days": [None, None, None, "9", None],
    }
    result = normalise(columns)
    assert [row["age_years"] for row in result.rows] == [64, 64, 33, 0, 64]
    assert [row["age_days"] for row in result.rows] == [None, None, None, 2, None]
    assert result.flags == [0] * 5
    assert result.counts["age-from-dates"] == 4
    assert result.counts["age-differs-from-dates"] == 3
    assert result.counts["age-days-differs-from-dates"] == 1
    result = normalise(columns, GIVEN)
    assert [row["age_years"] for row in result.rows] == [64, None, 33, 1, None]
    assert result.flags == [0, Flag.BAD_AGE, 0, 0, Flag.BAD_AGE]


def test_dates_that_contradict_each_other(normalise):
    result = normalise(
        {
            "birth_date": ["2025-01-04", "1960-01-01", "1960-01-01", "19600230", "1960-01-01"],
            "admission_date": ["2025-01-03", "2025-01-03", "x", "2025-01-03", None],
            "discharge_date": ["2025-01-05", "2025-01-02", "2025-01-05", "2025-01-05", "2025-01-05"],
            "los_days": [2, 2, 2, 2, 2],
        }
    )
    assert result.flags == [Flag.DATES_OUT_OF_ORDER, Flag.DATES_OUT_OF_ORDER, Flag.BAD_DATE, Flag.BAD_DATE, 0]


@pytest.mark.parametrize(
    ("age", "days", "expected", "flag"),
    [
        (0, 5, 5, 0),
        (0, 366, 366, 0),
        (0, 367, None, Flag.BAD_AGE_DAYS),
        (0, -1, None, Flag.BAD_AGE_DAYS),
        (1, 400, 400, 0),
        (40, -1, None, 0),
        (None, 5, 5, 0),
        (None, -1, None, Flag.BAD_AGE_DAYS),
        (0, None, None, 0),
    ],
)
def test_age_in_days(age, days, expected, flag, normalise):
    columns = {"age_years": pa.array([age], pa.int32()), "age_days": pa.array([days], pa.int64())}
    result = normalise(columns)
    assert result.rows[0]["age_days"] == expected
    assert result.flags == [flag]


def test_ages_that_may_be_months(normalise):
    columns = {"age_years": [40, 0, 0, 0], "age_days": ["3", "0", "-", "2 15/30"]}
    unclear = {"age_days": "months-or-days"}
    with pytest.raises(UsageError, match=r"row 4: column 'age_days'.*'2 15/30'.*age_days_unit="):
        normalise(columns, **unclear)
    result = normalise(columns, NormaliseOptions(age_days_unit="months"), **unclear)
    assert [row["age_days"] for row in result.rows] == [91, 0, None, 75]
    result = normalise(columns, NormaliseOptions(age_days_unit="days"), **unclear)
    assert [row["age_days"] for row in result.rows] == [3, 0, None, None]
    assert result.flags == [0, 0, 0, Flag.BAD_AGE_DAYS]
    columns["age_days"][3] = None
    assert normalise(columns, **unclear).flags == [0, 0, 0, 0]


STAYS = st.tuples(st.dates(date(1900, 1, 1), date(2090, 1, 1)), st.integers(0, 3000))


@given(st.lists(STAYS, min_size=1))
def test_stays_from_dates(stays):
    columns = {
        "admission_date": pa.array([day for day, _ in stays]),
        "discharge_date": pa.array([day + timedelta(length) for day, length in stays]),
    }
    batch = pa.RecordBatch.from_pydict(
        {"diagnoses": [["I10.x00"]] * len(stays), "procedures": [[]] * len(stays)} | columns
    )
    columns_map = ColumnMap("c", {name: Source((name,)) for name in batch.schema.names})
    for options, expected in (
        (NIGHTS, [max(length, 1) for _, length in stays]),
        (DAYS, [length + 1 for _, length in stays]),
    ):
        prepared = Normaliser(columns_map, ["los_days"], options).prepare(batch)
        assert prepared.batch["los_days"].to_pylist() == expected
        assert prepared.counts == {"stay-from-dates": len(stays), "stay-differs-from-dates": 0} or (
            prepared.counts == {"stay-from-dates": len(stays)}
        )


def test_stay_options(normalise):
    columns = {
        "admission_date": ["2025-01-03 23:00", "2025-01-03", "2025-01-03", None, "2025-01-03"],
        "discharge_date": ["2025-01-04 01:00", "2025-01-03", "2025-01-10", "2025-01-10", "2025-01-10"],
        "los_days": ["1", "1", "8", "4", "junk"],
    }
    result = normalise(columns)
    assert [row["los_days"] for row in result.rows] == [1, 1, 8, 4, None]
    assert result.flags == [0, 0, 0, 0, Flag.BAD_STAY]
    result = normalise(columns, NIGHTS)
    assert [row["los_days"] for row in result.rows] == [1, 1, 7, 4, 7]
    assert result.flags == [0] * 5
    assert result.counts["stay-differs-from-dates"] == 2
    result = normalise(columns, DAYS)
    assert [row["los_days"] for row in result.rows] == [2, 1, 8, 4, 8]
    assert result.counts["stay-differs-from-dates"] == 2
    assert result.counts["stay-from-dates"] == 4


def test_several_newborns_have_no_single_weight():
    batch = pa.RecordBatch.from_pydict(
        {"d": [["P07.1"]] * 3, "p": [[]] * 3, "w1": ["2850", "2850", "-"], "w2": ["-", "2900", "2900"]}
    )
    weight = Source(("w1", "w2"), "newborns")
    columns = ColumnMap(
        "c", {"diagnoses": Source(("d",)), "procedures": Source(("p",)), "birth_weight_g": weight}
    )
    prepared = Normaliser(columns, ["birth_weight_g"]).prepare(batch)
    assert prepared.batch["birth_weight_g"].to_pylist() == [2850, None, 2900]
    assert prepared.flags.to_pylist() == [0, 0, 0]
    assert prepared.counts["birth-weight-several"] == 1


def test_duration_of_several_columns():
    batch = pa.RecordBatch.from_pydict(
        {
            "d": [["J18"]] * 3,
            "p": [[]] * 3,
            "t": ["1", "-", None],
            "h": ["2", "3", "-"],
            "m": ["30", None, ""],
        }
    )
    hours = Source(("t", "h", "m"), "days+hours+minutes")
    columns = ColumnMap("c", {"diagnoses": Source(("d",)), "procedures": Source(("p",)), "icu_hours": hours})
    prepared = Normaliser(columns, ["icu_hours"]).prepare(batch)
    assert prepared.batch["icu_hours"].to_pylist() == [26.5, 3, None]


def test_null_columns(normalise):
    fields = [
        "sex",
        "age_years",
        "age_days",
        "birth_weight_g",
        "los_days",
        "discharge_way",
        "department",
        "icu_hours",
    ]
    result = normalise({field: pa.nulls(2) for field in fields})
    assert result.rows[0] == {"diagnoses": ["I10.x00"], "procedures": []} | dict.fromkeys(fields)
    assert result.flags == [0, 0]


def test_prepared_types(normalise):
    from grouper.records import PREPARED_SCHEMA

    fields = [name for name in PREPARED_SCHEMA.names if name not in ("diagnoses", "procedures")]
    for array in (pa.nulls(1), pa.array(["1"]), pa.array([1], pa.int64()), pa.array([1.0])):
        batch = pa.RecordBatch.from_pydict(
            {"diagnoses": [["A"]], "procedures": [["B"]]}
            | {name: array if name != "department" else pa.array(["x"]) for name in fields}
        )
        columns = ColumnMap("c", {name: Source((name,)) for name in batch.schema.names})
        assert (
            Normaliser(columns, fields)
            .prepare(batch)
            .batch.schema.equals(PREPARED_SCHEMA.empty_table().schema)
        )


@pytest.mark.parametrize(
    ("values", "wanted", "flags", "counts"),
    [
        (["1234.50", "1,234.5", "12元", "", "x", "1.234"],
         ["1234.50", "1234.50", "12.00", None, None, None],
         [0, 0, 0, 0, Flag.BAD_TOTAL_COST, Flag.BAD_TOTAL_COST],
         {"total-cost-unit-text": 2}),
        ([1, 20, None], ["1.00", "20.00", None], [0, 0, 0], {}),
        ([0.1, 0.1 + 0.2, 2.005, 1e30, float("inf"), float("nan"), None],
         ["0.10", "0.30", None, None, None, None, None], [0, 0, 512, 512, 512, 0, 0], {}),
    ],
)  # fmt: skip
def test_costs_are_decimals(values: list, wanted: list, flags: list, counts: dict):
    """A cost takes part in grouping only where a city matches packets by cost."""
    columns = ColumnMap("canonical", {f: Source((f,)) for f in ("diagnoses", "procedures", "total_cost")})
    rows = len(values)
    batch = pa.RecordBatch.from_pydict(
        {
            "diagnoses": [["I10.x00"]] * rows,
            "procedures": pa.array([[]] * rows, pa.list_(pa.string())),
            "total_cost": values,
        }
    )
    prepared = Normaliser(columns, ["total_cost"]).prepare(batch)
    assert [None if v is None else str(v) for v in prepared.batch["total_cost"].to_pylist()] == wanted
    assert prepared.flags.to_pylist() == flags
    assert dict(prepared.counts) == counts


@pytest.mark.parametrize(
    "text",
    ["5000,00", "1,2", "1,23,456", "1e30", "1E5", "inf", "-Infinity", "nan", "NaN", "1.005", "1.2.3",
     "9" * 5000, "1e999999999", "0x10", "1 2", "９９，９９", "12元元"],
)  # fmt: skip
def test_texts_that_are_no_amounts(text):
    batch = pa.RecordBatch.from_pydict({"diagnoses": ["I10"], "procedures": [""], "total_cost": [text]})
    columns = ColumnMap("canonical", {f: Source((f,)) for f in batch.schema.names})
    prepared = Normaliser(columns, ["total_cost"]).prepare(batch)
    assert prepared.batch["total_cost"].to_pylist() == [None]
    assert prepared.flags.to_pylist() == [int(Flag.BAD_TOTAL_COST)]


@pytest.mark.parametrize(
    "text", ["1,234.56", "1,234,567.8", "1234", ".5", "12.3400", "-3.10", "１，２３４．５", "12元"]
)
def test_texts_that_are_amounts(text):
    batch = pa.RecordBatch.from_pydict({"diagnoses": ["I10"], "procedures": [""], "total_cost": [text]})
    columns = ColumnMap("canonical", {f: Source((f,)) for f in batch.schema.names})
    prepared = Normaliser(columns, ["total_cost"]).prepare(batch)
    expected = unicodedata.normalize("NFKC", text).replace(",", "").removesuffix("元")
    assert prepared.batch["total_cost"].to_pylist() == [Decimal(expected).quantize(Decimal("0.01"))]
    assert prepared.flags.to_pylist() == [0]


@pytest.mark.parametrize("field", ["age_years", "age_days", "birth_weight_g", "los_days", "icu_hours", "sex"])
@pytest.mark.parametrize("text", ["9" * 5000, "1e999999999", "-" * 5000, "1" + "." * 4999])
def test_endless_cells_are_bad_values_of_their_row(field, text):
    rows = {"diagnoses": ["I10"] * 2, "procedures": [""] * 2, "age_years": ["0", "0"], field: [text, None]}
    batch = pa.RecordBatch.from_pydict({name: pa.array(cells, pa.string()) for name, cells in rows.items()})
    columns = ColumnMap("canonical", {f: Source((f,)) for f in batch.schema.names})
    flags = Normaliser(columns, ["age_years", field], GIVEN).prepare(batch).flags.to_pylist()
    assert flags[0] != 0 and flags[1] == 0


def test_a_discharge_before_its_admission_is_flagged_whatever_the_scheme_reads():
    rows = {
        "diagnoses": ["I10"] * 3,
        "procedures": [""] * 3,
        "admission_date": ["2025-06-10", "2025-06-10 18:00", "x"],
        "discharge_date": ["2025-06-01", "2025-06-10 08:00", "2025-06-01"],
    }
    batch = pa.RecordBatch.from_pydict(rows)
    columns = ColumnMap("canonical", {f: Source((f,)) for f in batch.schema.names})
    prepared = Normaliser(columns, []).prepare(batch)
    assert prepared.flags.to_pylist() == [int(Flag.DATES_OUT_OF_ORDER), 0, 0]
