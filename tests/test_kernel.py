"""The binding of the kernel alone: malformed buffers raise, never crash, nothing is written past an end."""

from __future__ import annotations

import random
import threading
from array import array
from collections import Counter
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper._fast.codes import (
    BLANK,
    MISS,
    CodeIndex,
    check_offsets,
    compact,
    lookup_strings,
    lookup_views,
    take,
)
from grouper._fast.drg import DrgProgram
from grouper._fast.marks import MarkTable, add_by_result
from grouper.base.arrow import empty
from grouper.codes.book import CodeBook, CodeOptions

from .support import loaded, random_records, table_of

INDEX = CodeIndex([b"A00.000", b"I10.x00", b"Z99.900x001"], [1, 2, 3])
BOOK = CodeBook("diagnosis", ["A00.000", "I10.x00", "Z99.900x001"], {}, CodeOptions())

texts = st.lists(
    st.one_of(
        st.none(),
        st.sampled_from(
            [
                "A00.000",
                "I10.x00",
                "Z99.900x001",
                "",
                "nothing",
                "a much longer text that no view holds inline",
            ]
        ),
    )
)


def wanted(values: list[str | None]) -> list[int]:
    known = {"A00.000": 1, "I10.x00": 2, "Z99.900x001": 3}
    return [BLANK if not v else known.get(v, 0) for v in values]


# --- code columns -------------------------------------------------------------------------------

KINDS: dict[str, pa.DataType] = {
    "utf8": pa.string(),
    "large_utf8": pa.large_string(),
    "utf8_view": pa.string_view(),
    **{
        f"dictionary {width}": pa.dictionary(kind, pa.string())
        for width, kind in {
            "int8": pa.int8(),
            "uint8": pa.uint8(),
            "int16": pa.int16(),
            "uint16": pa.uint16(),
            "int32": pa.int32(),
            "uint32": pa.uint32(),
            "int64": pa.int64(),
        }.items()
    },
    "dictionary of large_utf8": pa.dictionary(pa.int32(), pa.large_string()),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
@given(values=texts, start=st.integers(0, 9))
def test_every_kind_of_text_column_gives_the_same_ids(kind: pa.DataType, values: list, start: int) -> None:
    padded = [None, "Z99.900x001"] * 5 + values
    if kind == KINDS["dictionary of large_utf8"]:
        column = pa.array(padded, pa.large_string()).dictionary_encode()
    else:
        column = pa.array(padded, pa.string()).cast(kind) if "view" in str(kind) else pa.array(padded, kind)
    assert list(BOOK.ids(column.slice(start), Counter())) == wanted(padded[start:])


@given(rows=st.lists(st.one_of(st.none(), texts), max_size=8), start=st.integers(0, 3))
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("encoded", [False, True])
def test_list_columns_sliced_or_not(rows: list, start: int, large: bool, encoded: bool) -> None:
    inner = pa.dictionary(pa.int16(), pa.string()) if encoded else pa.string()
    column = pa.array(rows, pa.large_list(inner) if large else pa.list_(inner)).slice(start)
    offsets, ids = BOOK.row_ids(column, Counter())
    for i, row in enumerate(rows[start:]):
        expected = wanted(row or [])
        kept = expected[:1] + [x for x in expected[1:] if x != BLANK]
        assert list(ids[offsets[i] : offsets[i + 1]]) == kept


def test_a_code_column_of_numbers_is_refused() -> None:
    with pytest.raises(Exception, match="must be text"):
        BOOK.ids(pa.array([1.5, 6.31]), Counter())


@pytest.mark.parametrize("offsets", [[0, 7, 3], [0, -1, 7], [0, 7, 99], [0, 7]])
def test_broken_string_offsets_raise(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="offset"):
        lookup_strings(INDEX, array("i", offsets), b"A00.000", None, 0, 2, empty("i", 2))


@given(
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=6),
    st.binary(max_size=40),
    st.one_of(st.none(), st.binary(max_size=2)),
    st.integers(-3, 9),
    st.integers(-3, 9),
    st.integers(0, 9),
)
def test_random_string_buffers_raise_or_answer(
    offsets: list[int], data: bytes, validity: bytes | None, start: int, length: int, room: int
) -> None:
    out = empty("i", room + 2)
    out[room] = 12345
    with suppress(ValueError):
        lookup_strings(INDEX, array("i", offsets), data, validity, start, length, out[:room])
    assert out[room] == 12345


@given(
    st.binary(max_size=80),
    st.lists(st.binary(max_size=20), max_size=2),
    st.integers(-2, 6),
    st.integers(-2, 6),
)
def test_random_view_buffers_raise_or_answer(
    views: bytes, chunks: list[bytes], start: int, length: int
) -> None:
    out = empty("i", 8)
    try:
        lookup_views(INDEX, views, chunks, None, start, length, out)
    except ValueError:
        return
    assert all(x in (BLANK, MISS, 1, 2, 3) for x in list(out)[: max(length, 0)])


@given(
    st.binary(max_size=64),
    st.sampled_from([1, 2, 3, 4, 8]),
    st.booleans(),
    st.integers(-1, 9),
    st.integers(-1, 9),
)
def test_random_dictionary_indices_raise_or_answer(
    raw: bytes, width: int, signed: bool, start: int, length: int
) -> None:
    out = empty("i", 10)
    try:
        take(array("i", [7, 8]), raw, width, signed, None, start, length, out)
    except ValueError:
        return
    assert set(list(out)[: max(length, 0)]) <= {7, 8}


@given(
    st.lists(st.integers(-5, 20), max_size=6), st.integers(0, 8), st.lists(st.integers(-2, 3), max_size=10)
)
def test_random_list_offsets_raise_or_answer(offsets: list[int], rows: int, ids: list[int]) -> None:
    out_offsets, out_ids = empty("i", rows + 1), empty("i", len(ids))
    values = array("i", offsets)
    try:
        first, _ = check_offsets(values, 0, rows, len(ids))
        left = compact(values, 0, rows, None, array("i", ids[first:]), first, True, out_offsets, out_ids)
    except (ValueError, IndexError):
        return
    assert 0 <= left <= len(ids)
    assert list(out_offsets) == sorted(out_offsets)


def test_invalid_utf8_is_an_unknown_code() -> None:
    column = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(array("i", [0, 2, 9])), pa.py_buffer(b"\xff\xfeA00.000")]
    )
    assert list(BOOK.ids(column, Counter())) == [0, 1]


# --- programs and batches -------------------------------------------------------------------------


def outputs(rows: int) -> list[memoryview]:
    return [empty("i", rows) for _ in range(5)]


def kernel() -> DrgProgram:
    return loaded("chs-drg-2.0").compiled.kernel


@pytest.mark.parametrize(
    ("rows", "dx_offsets", "dx", "proc_offsets", "proc"),
    [
        (1, [0], [1], [0, 0], []),  # offsets too short
        (1, [0, 2], [1], [0, 0], []),  # past the ids
        (1, [1, 0], [1], [0, 0], []),  # falling
        (1, [-1, 1], [1], [0, 0], []),  # negative
        (1, [0, 1], [10**9], [0, 0], []),  # id out of range
        (1, [0, 1], [-7], [0, 0], []),
        (1, [0, 1], [1], [0, 1], [10**9]),
        (-1, [0, 1], [1], [0, 0], []),
    ],
)
def test_malformed_batches_raise(
    rows: int, dx_offsets: list, dx: list, proc_offsets: list, proc: list
) -> None:
    with pytest.raises(ValueError):
        kernel().group(
            rows,
            array("i", dx_offsets),
            array("i", dx),
            array("i", proc_offsets),
            array("i", proc),
            [None] * 8,
            None,
            *outputs(max(rows, 0)),
        )


def test_short_fields_flags_and_outputs_raise() -> None:
    good: tuple[Any, ...] = (2, array("i", [0, 1, 2]), array("i", [1, 1]), array("i", [0, 0, 0]), array("i"))
    short = array("d", [1.0])
    for fields, flags, out in (
        ([short] + [None] * 7, None, outputs(2)),
        ([None] * 7, None, outputs(2)),
        ([None] * 8, array("i", [0]), outputs(2)),
        ([None] * 8, None, outputs(1)),
    ):
        with pytest.raises(ValueError):
            kernel().group(*good, fields, flags, *out)
    with pytest.raises((TypeError, ValueError)):
        kernel().group(*good, [array("i", [1, 1])] + [None] * 7, None, *outputs(2))


@pytest.mark.slow
def test_no_rows_and_a_record_of_a_thousand_codes() -> None:
    kernel().group(0, array("i", [0]), array("i"), array("i", [0]), array("i"), [None] * 8, None, *outputs(0))
    grouper = loaded("guangxi-2022")
    principal = "I63.900"
    one = {"diagnoses": [principal], "procedures": [], "sex": 1, "age_years": 60}
    many = {**one, "diagnoses": [principal] + ["I10.x00"] * 1000, "procedures": ["99.9999"] * 1000}
    assert grouper.explain(many).result["adrg"] is not None
    assert (
        grouper.explain({**one, "diagnoses": [principal] + ["I10.x00"] * 1000}).result["drg"]
        == (grouper.explain({**one, "diagnoses": [principal, "I10.x00"]}).result["drg"])
    )


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_program_is_refused_or_harmless(data: st.DataObject) -> None:
    """Any one number of a compiled scheme changed: building raises, or grouping still ends well."""
    grouper = loaded("chs-drg-1.1")
    spec = dict(grouper.compiled.spec)
    name = data.draw(st.sampled_from(sorted(k for k, v in spec.items() if isinstance(v, array) and len(v))))
    damaged = array(spec[name].typecode, spec[name])
    at = data.draw(st.integers(0, len(damaged) - 1))
    limit = 2**31 if damaged.typecode == "i" else 2**64
    damaged[at] = data.draw(st.integers(-limit if damaged.typecode == "i" else 0, limit - 1))
    if data.draw(st.booleans()):
        damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    spec[name] = damaged
    try:
        program = DrgProgram(spec)
    except ValueError:
        return
    if not (len(spec["dx_class"]) and len(spec["proc_class"])):
        return  # a scheme without codes is sound, but there is nothing to group
    n = 50
    rng = random.Random(at)
    dx = array("i", [rng.randrange(len(spec["dx_class"])) for _ in range(2 * n)])
    proc = array("i", [rng.randrange(len(spec["proc_class"])) for _ in range(n)])
    out = outputs(n)
    program.group(
        n, array("i", range(0, 2 * n + 1, 2)), dx, array("i", range(n + 1)), proc, [None] * 8, None, *out
    )
    assert all(-1 <= result < program.results for result in out[0])


def test_one_program_serves_many_threads() -> None:
    grouper = loaded("chs-drg-2.0")
    table = table_of(random_records(grouper, random.Random(5), 400))
    expected = grouper.group(table)["drg"].to_pylist()
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(grouper.group(table)["drg"].to_pylist()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8


# --- marks of codes -----------------------------------------------------------------------------

int32s = st.integers(-(2**31), 2**31 - 1)


@st.composite
def coded_rows(draw: st.DrawFn) -> tuple[list[list[int]], list[list[int]], list[int], list[int]]:
    """Ids of diagnoses and of procedures, a reason and warnings, for each of a few rows."""
    rows = draw(st.integers(0, 6))
    ids = st.lists(st.one_of(st.integers(-2, 5), int32s), max_size=4)
    codes = [draw(st.lists(ids, min_size=rows, max_size=rows)) for _ in range(2)]
    numbers = [draw(st.lists(st.integers(0, 2), min_size=rows, max_size=rows)) for _ in range(2)]
    return codes[0], codes[1], numbers[0], numbers[1]


def flat(rows: list[list[int]]) -> tuple[array[int], array[int]]:
    offsets = array("i", [0])
    for row in rows:
        offsets.append(offsets[-1] + len(row))
    return offsets, array("i", [id_ for row in rows for id_ in row])


PRINCIPAL, MAIN, EACH = [0, 4, 0, 8], [0, 0, 16, 0], [0, 16, 0, 0]
MARKS = MarkTable(
    *(array("i", bits) for bits in (PRINCIPAL, MAIN, EACH, [-1, -1, 0], [0, 2, 2, 1, 2, 2])), 32, 12, 32
)  # reason 0 becomes 2 behind an unknown operation, 1 becomes 2 behind a principal mark, 2 carries none


@given(coded_rows())
def test_marks_of_a_row_are_those_of_its_codes(
    coded: tuple[list[list[int]], list[list[int]], list[int], list[int]],
) -> None:
    diagnoses, procedures, reasons, warnings = coded
    new_reasons, new_warnings = array("i", reasons), array("i", warnings)
    MARKS.apply(len(reasons), *flat(diagnoses), *flat(procedures), new_reasons, new_warnings)
    for row, (dx, ops) in enumerate(zip(diagnoses, procedures, strict=True)):
        bits = PRINCIPAL[dx[0]] if dx and 0 < dx[0] < 4 else 0
        if ops:
            bits |= MAIN[ops[0]] if 0 < ops[0] < 4 else 32 if ops[0] >= 0 else 0
        for id_ in ops:
            bits |= EACH[id_] if 0 < id_ < 4 else 0
        reason = reasons[row]
        if reason == 2:
            bits = 0
        if (reason == 1 and bits & 12) or (reason == 0 and bits & 32):
            reason = 2
        assert (new_reasons[row], new_warnings[row]) == (reason, warnings[row] | bits)


@given(st.integers(-1, 4), *(st.lists(st.one_of(st.integers(-1, 5), int32s), max_size=6) for _ in range(6)))
def test_random_buffers_of_marks_raise_or_answer(
    rows: int, a: list[int], b: list[int], c: list[int], d: list[int], e: list[int], f: list[int]
) -> None:
    buffers = [array("i", values) for values in (a, b, c, d, e, f)]
    with suppress(ValueError):
        MARKS.apply(rows, *buffers)
    with suppress(ValueError):
        MarkTable(*buffers[:5], 1, 2, 4)
    with suppress(ValueError):
        add_by_result(rows, *buffers[:3])


def test_a_group_adds_its_warning_and_no_group_adds_none() -> None:
    warnings = array("i", [1, 0, 0])
    add_by_result(3, array("i", [1, -1, 0]), array("i", [0, 64]), warnings)
    assert warnings.tolist() == [65, 0, 0]
    with pytest.raises(ValueError, match="results"):
        add_by_result(1, array("i", [2]), array("i", [0, 64]), warnings)
