"""The kernel against the reference on random records, its invariances, and malformed input."""

from __future__ import annotations

import random
import threading
from array import array
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper._fast.dip import DipProgram, pick
from grouper.base.arrow import empty
from grouper.grouping.dip.compile import compile_catalogue
from grouper.grouping.dip.options import CHOICES, CLASSES, TIE_BREAKS, options_from
from grouper.grouping.dip.reference import Reference
from grouper.grouping.dip.tables.catalogue import assemble

from .dip_support import (
    FEATURES,
    PROFILES,
    SCHEMA,
    aimed_records,
    batch_of,
    catalogue,
    engine,
    engine_of,
    outcome,
    random_records,
    reference,
    rows_of,
    same,
)


def compare(engine_: Any, reference_: Reference, records: list[dict[str, Any]]) -> None:
    for record, found in zip(records, rows_of(engine_, records), strict=True):
        wanted = outcome(reference_.group(record))
        assert same(found, wanted), (record, found, wanted)


@pytest.mark.parametrize("profile", PROFILES)
def test_kernel_and_reference_agree_on_random_records(profile: str) -> None:
    rng = random.Random(7)
    records = random_records(catalogue(profile), rng, 1500) + aimed_records(catalogue(profile), rng, 1500)
    compare(engine(profile), reference(profile), records)


FIXED = (  # drawn separately, or belonging to files that the catalogue does not have
    *("tie_breaks", "ignored_procedures", "blank_code", "severity_min_stay"),
    *("extra_groups", "chain", "alternatives"),
)


def random_options(rng: random.Random) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name, choice in CHOICES.items():
        if name in FIXED:
            continue
        chosen[name] = rng.choice(choice) if isinstance(choice, tuple) else rng.choice([True, False])
    chosen["tie_breaks"] = rng.sample(TIE_BREAKS, rng.randrange(len(TIE_BREAKS) + 1))
    chosen["ignored_procedures"] = rng.choice([[], ["89.5200"]])
    chosen["blank_code"] = rng.choice(["", "KBBZ"])
    chosen["unresolved_as"] = rng.choice(CLASSES)
    return chosen


@pytest.mark.parametrize("seed", range(12))
def test_they_agree_under_any_options(seed: int) -> None:
    rng = random.Random(seed)
    plain = catalogue("demo-a")
    made = assemble(plain.meta, options_from(random_options(rng), "test"), plain.rows, "", str(FEATURES))
    records = random_records(made, rng, 300) + aimed_records(made, rng, 500)
    compare(engine_of(made), Reference(made), records)


# --- invariances --------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["demo-b", "dip-taian-2025"])
def test_order_and_split_of_batches_do_not_matter(profile: str) -> None:
    rng = random.Random(3)
    records = aimed_records(catalogue(profile), rng, 500)
    whole = rows_of(engine(profile), records)
    places = list(range(len(records)))
    rng.shuffle(places)
    assert rows_of(engine(profile), [records[i] for i in places]) == [whole[i] for i in places]
    parts = [rows_of(engine(profile), records[i : i + 37]) for i in range(0, len(records), 37)]
    assert [row for part in parts for row in part] == whole


@pytest.mark.parametrize(
    "kind",
    [
        pa.large_list(pa.string()),
        pa.list_(pa.large_string()),
        pa.list_(pa.string_view()),
        pa.list_(pa.dictionary(pa.int32(), pa.string())),
    ],
    ids=str,
)
def test_the_encoding_of_columns_does_not_matter(kind: pa.DataType) -> None:
    records = random_records(catalogue("demo-b"), random.Random(4), 300)
    plain = batch_of(records)
    numbers = {f.name: pa.float64() for f in SCHEMA if pa.types.is_integer(f.type)}
    fields = [
        pa.array(plain.column(f.name).to_pylist(), kind)
        if f.name in ("diagnoses", "procedures")
        else plain.column(f.name).cast(numbers.get(f.name, f.type))
        for f in SCHEMA
    ]
    other = pa.RecordBatch.from_arrays(fields, [f.name for f in SCHEMA])
    wanted, found = engine("demo-b").group(plain), engine("demo-b").group(other)
    assert [c.to_pylist() for c in found.columns] == [c.to_pylist() for c in wanted.columns]
    assert (found.reasons, found.codes) == (wanted.reasons, wanted.codes)


@pytest.mark.parametrize("profile", ["demo-a", "dip-taian-2025"])
def test_order_of_secondary_diagnoses_and_later_operations(profile: str) -> None:
    """Only the first diagnosis and the first operation have a place of their own."""
    rng = random.Random(5)
    records = aimed_records(catalogue(profile), rng, 500)
    shuffled = []
    for record in records:
        others, later = record["diagnoses"][1:], record["procedures"][1:]
        rng.shuffle(others)
        rng.shuffle(later)
        first = record["procedures"][:1]
        shuffled.append(
            {**record, "diagnoses": [record["diagnoses"][0], *others], "procedures": [*first, *later]}
        )
    blank_first = [not (r["procedures"] and (r["procedures"][0] or "").strip(" -")) for r in records]
    before, after = rows_of(engine(profile), records), rows_of(engine(profile), shuffled)
    for old, new, skip in zip(before, after, blank_first, strict=True):
        assert skip or (old["code"], old["reason"]) == (new["code"], new["reason"])


def test_one_engine_serves_many_threads() -> None:
    records = aimed_records(catalogue("demo-b"), random.Random(6), 300)
    expected = rows_of(engine("demo-b"), records)
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(rows_of(engine("demo-b"), records))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 6


def test_no_rows_no_procedures_and_a_record_of_a_thousand_codes() -> None:
    assert rows_of(engine("dip-taian-2025"), []) == []
    batch = pa.RecordBatch.from_pydict({"diagnoses": pa.array([["I10.x00"]], pa.list_(pa.string()))})
    assert engine("dip-pingdingshan-2025").group(batch).columns[0].to_pylist()[0].startswith("I10")
    record = {"diagnoses": ["K35.800"] + ["E11.900"] * 1000, "procedures": ["47.0100"] * 1000, "los_days": 5}
    (many,) = rows_of(engine("dip-taian-2025"), [record])
    assert many["code"].startswith("K35.8:47.0100")
    assert many["matched"].count("|") == 999


def test_a_blank_operation_beside_one_that_lost_a_zero() -> None:
    records = [
        {"diagnoses": ["K35.800"], "procedures": ["", "47.0100"]},
        {"diagnoses": ["K35.800"], "procedures": ["6.31"]},
    ]
    assert [row["reason"] for row in rows_of(engine("dip-pingdingshan-2025"), records)] == [
        "grouped",
        "lost-zero",
    ]


# --- malformed input ----------------------------------------------------------------------------


def call(program: DipProgram, rows: int, **changed: Any) -> list[Any]:
    """Group ``rows`` records of one diagnosis and one operation each, with some arguments changed."""
    given_: dict[str, Any] = {
        "rows": rows,
        "dx_offsets": array("i", range(rows + 1)),
        "dx_ids": array("i", [0] * rows),
        "proc_offsets": array("i", range(rows + 1)),
        "proc_ids": array("i", [0] * rows),
        "dx": array("i", [1] + [0] * 11),
        "op": array("i", [1, 1, 3, 0]),
        "prefix": array("i", [0] * 6),
        "fields": [None] * 6,
        "costs": None,
        "flags": None,
        "results": array("i", [0] * rows),
        "reasons": array("i", [0] * rows),
        "warnings": array("i", [0] * rows),
        "met": array("i", [0] * rows),
    } | changed
    program.group(*given_.values())
    return list(given_["results"])


@pytest.mark.parametrize(
    "changed",
    [
        {"rows": -1},
        {"dx_offsets": array("i", [0])},
        {"dx_offsets": array("i", [0, 2, 1])},
        {"dx_offsets": array("i", [-1, 1, 2])},
        {"dx_ids": array("i", [0, 1])},
        {"dx_ids": array("i", [-2, 0])},
        {"proc_ids": array("i", [0, 9])},
        {"proc_ids": array("i", [0])},
        {"dx": array("i", [10**6] + [0] * 11)},
        {"dx": array("i", [0, 2600] + [0] * 10)},
        {"dx": array("i", [0, -1] + [0] * 10)},
        {"dx": array("i", [0] * 6 + [10**6] + [0] * 5)},
        {"dx": array("i", [0] * 9 + [10**6, 0, 0])},
        {"dx": array("i", [0] * 9 + [0, -1, 0])},
        {"dx": array("i", [0] * 11)},
        {"op": array("i", [0, 0, 4, 0])},
        {"op": array("i", [0, 0, 0])},
        {"prefix": array("i")},
        {"fields": [None] * 5},
        {"fields": [array("d", [1.0])] + [None] * 5},
        {"costs": array("q", [1])},
        {"flags": array("i", [1])},
        {"results": array("i", [0])},
        {"met": array("i", [0])},
    ],
    ids=str,
)
def test_malformed_batches_raise(changed: dict[str, Any]) -> None:
    program = engine("demo-b").compiled.kernel
    assert len(call(program, 2)) == 2
    with pytest.raises((ValueError, TypeError)):
        call(program, 2, **changed)


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_program_is_refused_or_harmless(data: st.DataObject) -> None:
    """Any one number of a compiled catalogue changed: building raises, or grouping still ends well."""
    engine_ = engine(data.draw(st.sampled_from(["demo-b", "dip-taian-2025"])))
    spec = dict(engine_.compiled.spec)
    name = data.draw(st.sampled_from(sorted(k for k, v in spec.items() if isinstance(v, array) and len(v))))
    damaged = array(spec[name].typecode, spec[name])
    at = data.draw(st.integers(0, len(damaged) - 1))
    limit = 2**31 if damaged.typecode == "i" else 2**63
    damaged[at] = data.draw(st.one_of(st.integers(-3, 50), st.integers(-limit, limit - 1)))
    if data.draw(st.booleans()):
        damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    spec[name] = damaged
    try:
        program = DipProgram(spec)
    except ValueError:
        return
    rng = random.Random(at)
    n = 40
    dx = array("i")
    for _ in range(30):
        dx.extend([rng.randrange(spec["keys"] + 1), rng.randrange(2600), 0, rng.randrange(8)])
        sets = len(spec["excluded_start"]) - 1
        dx.extend([rng.randrange(3), rng.randrange(200), rng.randrange(sets), rng.randrange(2**17), 0])
        nodes, lists = len(spec["node_start"]) - 1, len(spec["mark_start"]) - 1
        dx.extend([rng.randrange(nodes), rng.randrange(lists), rng.randrange(2)])
    op = array("i")
    for _ in range(30):
        op.extend([rng.randrange(spec["symbols"] + 1), rng.randrange(9), rng.randrange(4), 0])
    try:
        found = call(
            program,
            n,
            dx=dx,
            op=op,
            prefix=array("i", [rng.randrange(9) for _ in range(180)]),
            dx_ids=array("i", [rng.randrange(30) for _ in range(n)]),
            proc_ids=array("i", [rng.randrange(30) for _ in range(n)]),
            fields=[array("d", [rng.choice([1.0, 5.0, float("nan")])] * n) for _ in range(6)],
        )
    except ValueError:
        return
    assert all(-1 <= result < program.results for result in found)


@given(
    st.integers(-1, 5),
    st.lists(st.integers(-2, 6), max_size=6),
    st.lists(st.integers(0, 3), max_size=6),
    st.lists(st.integers(0, 2), max_size=6),
)
def test_random_marks_raise_or_answer(rows: int, offsets: list[int], ids: list[int], met: list[int]) -> None:
    out_offsets, out_ids = empty("i", 6), empty("i", 6)
    try:
        n = pick(rows, array("i", offsets), array("i", ids), array("i", met), 1, out_offsets, out_ids)
    except ValueError:
        return
    assert n == out_offsets[rows] <= len(ids)


def test_a_packet_with_too_many_terms_is_refused() -> None:
    from .dip_support import row, small

    with pytest.raises(ValueError, match="too many terms"):
        compile_catalogue(small([row("K35.8:" + "+".join(f"47.{i:02}" for i in range(65)))]))
