"""Fields of whole records: what is derived, what is flagged, what is counted."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.base.errors import DataError, UsageError
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
    with pytest.raises(UsageError, match=r"row 4: column 'age_days'.*'2 15/30'.*--age-days-unit"):
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


def prepare_codes(arrays, field="diagnoses", transform=""):
    names = [f"c{i}" for i in range(len(arrays))]
    batch = pa.RecordBatch.from_arrays(
        [*arrays, pa.array([[]] * len(arrays[0]), pa.list_(pa.string()))], [*names, "o"]
    )
    other = "procedures" if field == "diagnoses" else "diagnoses"
    columns = ColumnMap("c", {field: Source(tuple(names), transform), other: Source(("o",))})
    prepared = Normaliser(columns, []).prepare(batch)
    return prepared.batch[field], prepared.counts


def test_lists_go_on_untouched():
    lists = pa.array([["I10.x00", None], None, [], ["-"]])
    assert prepare_codes([lists])[0].buffers()[1].address == lists.buffers()[1].address
    views = pa.array([["I10.x00"], []], pa.list_(pa.string_view()))
    assert prepare_codes([views])[0].type == views.type


def test_joined_text_is_split():
    codes, counts = prepare_codes([pa.array(["A|B", "C", None, "D｜E", ""])])
    assert codes.to_pylist() == [["A", "B"], ["C"], None, ["D", "E"], [""]]
    assert counts == {"full-width-separator": 1}
    codes, _ = prepare_codes([pa.array(["A;B"])], transform="split:;")
    assert codes.to_pylist() == [["A", "B"]]


def test_wide_columns_are_folded():
    first = pa.array(["A", "B", "-", " ", None, None])
    second = pa.array([None, "NULL", "C", "D", None, "　"])
    third = pa.array(["E ", "F", "G", "－", None, ""]).dictionary_encode()
    codes, counts = prepare_codes([first, second, third])
    # Codes stay as they are written; a blank principal keeps its place.
    assert codes.to_pylist() == [["A", "E "], ["B", "F"], [None, "C", "G"], [None, "D"], [], []]
    assert counts == {"principal-blank": 2, "blank-code": 5}
    codes, counts = prepare_codes([first, second, third], "procedures")
    assert codes.to_pylist() == [["A", "E "], ["B", "F"], ["C", "G"], ["D"], [], []]
    assert counts["main-procedure-blank"] == 2


def test_several_columns_of_joined_text():
    first, second = pa.array(["A", "", None]), pa.array(["B;C", "D; ", "-"])
    codes, counts = prepare_codes([first, second], transform="split:;")
    assert codes.to_pylist() == [["A", "B", "C"], [None, "D"], []]
    assert counts["principal-blank"] == 1
    lists = pa.array([["x", "y"], [], ["z"]], pa.large_list(pa.large_string()))
    assert prepare_codes([first, lists.slice(0, 3)])[0].to_pylist() == [["A", "x", "y"], [], [None, "z"]]


@given(st.lists(st.lists(st.sampled_from(["A", "B.1", "", "-", None]), min_size=3, max_size=3)))
def test_folding_is_what_a_loop_would_do(rows):
    arrays = [pa.array([row[i] for row in rows], pa.string()) for i in range(3)]
    expected = []
    for row in rows:
        kept = [code for code in row if code not in ("", "-", None)]
        expected.append([None, *kept] if kept and row[0] in ("", "-", None) else kept)
    # Also from the middle of longer arrays.
    padded = [
        pa.concat_arrays([pa.array(["Z"]), array, pa.array(["Z"])]).slice(1, len(rows)) for array in arrays
    ]
    assert prepare_codes(arrays)[0].to_pylist() == prepare_codes(padded)[0].to_pylist() == expected


def checked(names, fields, options=None, allow_missing=(), **types):
    schema = pa.schema([(name, types.get(name, pa.string())) for name in names])
    columns = ColumnMap("hqms", {name: Source((name,)) for name in names})
    Normaliser(columns, fields, options, allow_missing).check(schema)


def test_missing_columns_are_named_with_the_way_out():
    codes = ["diagnoses", "procedures"]
    with pytest.raises(UsageError, match=r"sex.*--columns.*--allow-missing sex"):
        checked(codes, ["sex"])
    checked(codes, ["sex"], allow_missing=["sex"])
    with pytest.raises(UsageError, match=r"lacks a required column: diagnoses\..*--columns") as caught:
        checked(["procedures"], [], allow_missing=["diagnoses"])
    assert "--allow-missing" not in str(caught.value)
    with pytest.raises(UsageError, match="--allow-missing procedures"):
        checked(["diagnoses"], [])
    with pytest.raises(UsageError, match=r"age_days / birth_date \+ admission_date"):
        checked([*codes, "birth_date", "age_years"], ["age_years", "age_days"])
    checked([*codes, "birth_date", "admission_date"], ["age_years", "age_days"])
    with pytest.raises(UsageError, match="age_years"):
        checked([*codes, "birth_date", "admission_date"], ["age_years"], GIVEN)
    with pytest.raises(UsageError, match="not a grouping field: drug_cost"):
        checked(codes, ["drug_cost"])


def test_a_stay_that_must_be_derived_needs_an_option():
    dates = ["diagnoses", "procedures", "admission_date", "discharge_date"]
    with pytest.raises(UsageError, match=r"--stay nights.*--stay days"):
        checked(dates, ["los_days"])
    checked(dates, ["los_days"], NIGHTS)
    # An explicit derivation must not quietly fall back to the column.
    with pytest.raises(UsageError, match=r"admission_date \+ discharge_date"):
        checked(["diagnoses", "procedures", "los_days"], ["los_days"], NIGHTS)


def test_absent_fields_are_not_in_the_batch():
    batch = pa.RecordBatch.from_pydict({"diagnoses": [["I10.x00"]]})
    columns = ColumnMap("c", {"diagnoses": Source(("diagnoses",))})
    normaliser = Normaliser(columns, ["sex", "los_days"], allow_missing=["procedures", "sex", "los_days"])
    normaliser.check(batch.schema)
    assert normaliser.prepare(batch).batch.schema.names == ["diagnoses"]


@pytest.mark.parametrize(
    "type_", [pa.float64(), pa.int64(), pa.list_(pa.float64()), pa.decimal128(6, 4), pa.bool_()]
)
def test_codes_as_numbers_are_refused(type_):
    with pytest.raises(DataError, match=r"'procedures'.*06\.3100 becomes 6\.31"):
        checked(["diagnoses", "procedures"], [], procedures=type_)


def test_other_types_that_cannot_be_read():
    with pytest.raises(DataError, match=r"'sex'.*struct"):
        checked(["diagnoses", "procedures", "sex"], ["sex"], sex=pa.struct([("x", pa.int8())]))
    with pytest.raises(DataError, match="'department'"):
        checked(["diagnoses", "procedures", "department"], ["department"], department=pa.int32())


def test_several_candidates_are_refused():
    columns = ColumnMap(
        "agency",
        {
            "diagnoses": Source(("d",)),
            "procedures": Source(("p",)),
            "los_days": Source(("ipt_days", "act_ipt_days")),
        },
    )
    schema = pa.schema([(name, pa.string()) for name in ("d", "p", "ipt_days", "act_ipt_days")])
    with pytest.raises(UsageError, match=r"ipt_days, act_ipt_days.*--columns"):
        Normaliser(columns, ["los_days"]).check(schema)
    Normaliser(columns, []).check(schema)


def test_empty_batches(normalise):
    columns = {
        "sex": pa.array([], pa.string()),
        "age_years": pa.array([], pa.int8()),
        "age_days": pa.array([], pa.string()),
        "birth_date": pa.array([], pa.date32()),
        "admission_date": pa.array([], pa.string()),
        "discharge_date": pa.array([], pa.timestamp("s")),
        "los_days": pa.array([], pa.float64()),
        "birth_weight_g": pa.nulls(0),
        "icu_hours": pa.array([], pa.float64()),
        "discharge_way": pa.array([], pa.float32()),
        "department": pa.array([], pa.string()),
    }
    assert normalise(columns, NIGHTS).rows == []
    assert prepare_codes([pa.array([], pa.string())] * 3)[0].to_pylist() == []


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
        ([0.1, 2.005, None], ["0.10", "2.01", None], [0, 0, 0], {"total-cost-rounded": 1}),
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
