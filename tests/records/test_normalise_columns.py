"""Columns of whole records: how codes stand in them, which a scheme needs, what types they may have."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.base.errors import DataError, UsageError
from grouper.records import ColumnMap, NormaliseOptions, Normaliser, Source

NIGHTS, DAYS, GIVEN = (
    NormaliseOptions(stay="nights"),
    NormaliseOptions(stay="days"),
    NormaliseOptions(age="given"),
)


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
    with pytest.raises(UsageError, match=r'sex.*columns=.*allow_missing=.*"sex"'):
        checked(codes, ["sex"])
    checked(codes, ["sex"], allow_missing=["sex"])
    with pytest.raises(UsageError, match=r"lacks a required column: diagnoses\..*columns=") as caught:
        checked(["procedures"], [], allow_missing=["diagnoses"])
    assert "allow_missing" not in str(caught.value)
    with pytest.raises(UsageError, match=r'allow_missing=\[.*"procedures"'):
        checked(["diagnoses"], [])
    with pytest.raises(UsageError, match=r"age_years \(or birth_date \+ admission_date\)"):
        checked([*codes, "birth_date"], ["age_years", "age_days"])
    with pytest.raises(UsageError, match=r"lacks a required column: sex; los_days; department\. Name"):
        checked(codes, ["sex", "los_days", "department"])
    with pytest.raises(UsageError, match=r"sex \(like: 性别x\)"):
        checked([*codes, "性别x"], ["sex"])
    checked([*codes, "birth_date", "admission_date"], ["age_years", "age_days"])
    with pytest.raises(UsageError, match="age_years"):
        checked([*codes, "birth_date", "admission_date"], ["age_years"], GIVEN)
    with pytest.raises(UsageError, match="not a grouping field: drug_cost"):
        checked(codes, ["drug_cost"])


def test_a_stay_that_must_be_derived_needs_an_option():
    dates = ["diagnoses", "procedures", "admission_date", "discharge_date"]
    with pytest.raises(UsageError, match=r'stay="nights".*stay="days"'):
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
    with pytest.raises(UsageError, match=r"ipt_days, act_ipt_days.*columns="):
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


ADULTS = {"diagnoses": ["I10.x00", "J18.900"], "procedures": ["", ""], "age_years": ["64", "1"]}


def newborn_fields(rows, allow_missing=()):
    batch = pa.RecordBatch.from_pydict(rows)
    columns = ColumnMap("c", {name: Source((name,)) for name in batch.schema.names})
    fields = ["age_years", "age_days", "birth_weight_g"]
    normaliser = Normaliser(columns, fields, GIVEN, allow_missing)
    normaliser.check(batch.schema)
    return normaliser.prepare(batch, 10)


def test_a_file_of_adults_needs_neither_birth_weight_nor_age_in_days():
    prepared = newborn_fields(ADULTS)
    assert prepared.batch.schema.names == ["diagnoses", "procedures", "age_years"]
    assert prepared.flags.to_pylist() == [0, 0]


def test_a_newborn_asks_for_what_is_missing_and_names_its_row():
    rows = ADULTS | {"age_years": ["64", "0"]}
    with pytest.raises(UsageError, match=r"row 12 may be a newborn.*age_days、birth_weight_g") as caught:
        newborn_fields(rows)
    assert "--allow-missing age_days --allow-missing birth_weight_g" in caught.value.zh
    newborn_fields(rows, ["age_days", "birth_weight_g"])
    newborn_fields(rows | {"age_days": ["", "200"]})
    with pytest.raises(UsageError, match="birth_weight_g"):
        newborn_fields(rows | {"age_days": ["", "28"]})
