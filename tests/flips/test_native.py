"""Arrays of other libraries whose buffers are broken give an error: no crash, and no other text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from grouper.base.arrow import number_field, sound
from grouper.base.errors import DataError

from ..support import loaded
from .native import batch
from .pool import Child


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    made = Child()
    yield made
    made.close()


def reached(seeds: range) -> Counter[str]:
    """What becomes of the arrays before they are grouped: refused by their maker, by us, or sound."""
    found: Counter[str] = Counter()
    for seed in seeds:
        try:
            sound(batch(seed))
        except DataError:
            found["refused"] += 1
        except (ValueError, pa.ArrowException):
            found["not made"] += 1
        else:
            found["sound"] += 1
    return found


def test_a_hundred_broken_batches(child: Child) -> None:
    assert Counter(child.ended("native", Path(str(seed)))[0] for seed in range(100)) == {"result": 100}
    assert min(reached(range(100)).values()) > 10


@pytest.mark.slow
def test_five_thousand_broken_batches(child: Child) -> None:
    for seed in range(100, 5_100):
        assert child.ended("native", Path(str(seed))) == ("result", ""), seed


def test_a_number_in_texts_that_are_broken_is_an_error() -> None:
    """Engines are given columns as they are; the cast of such texts ended the process."""
    view = pa.py_buffer(b"\x0d\0\0\0I10.\x07\0\0\0\0\0\0\0")
    with pytest.raises(pa.ArrowException, match="buffer"):
        number_field(pa.Array.from_buffers(pa.string_view(), 1, [None, view]))


VIEWS = {
    "a view into no buffer": b"\x0d\0\0\0I10.\x07\0\0\0\0\0\0\0",
    "a view beyond its buffer": b"\x0d\0\0\0I10.\0\0\0\0\xff\xff\0\0",
    "a view of negative length": b"\xff\xff\xff\xffI10.\0\0\0\0\0\0\0\0",
    "a view of two gigabytes": b"\xff\xff\xff\x7fI10.\0\0\0\0\0\0\0\0",
    "a view with another prefix": b"\x0d\0\0\0K35.\0\0\0\0\0\0\0\0",
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("scheme", ["zhejiang-2022", "chs-drg-3.0", "dip-taian-2025"])
@pytest.mark.parametrize("column", ["diagnoses", "procedures", "department"])
def test_a_broken_view_is_an_error(view: bytes, scheme: str, column: str) -> None:
    buffers = [None, pa.py_buffer(view), pa.py_buffer(b"I10.x05 and more")]
    texts = pa.Array.from_buffers(pa.string_view(), 1, buffers)
    lists = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), texts)
    columns = {
        "diagnoses": pa.array([["I10.x05"]]), "procedures": pa.array([[""]]), "sex": [1], "age_years": [60],
        "los_days": [5], "discharge_way": [1], "department": pa.array(["x"]), "icu_hours": [0.0],
        "age_days": pa.nulls(1, pa.int32()), "birth_weight_g": pa.nulls(1, pa.int32()),
        "admission_weight_g": pa.nulls(1, pa.int32()), "total_cost": [100.0],
    }  # fmt: skip
    made = pa.RecordBatch.from_pydict(columns | {column: texts if column == "department" else lists})
    with pytest.raises(DataError, match=f"'{column}' is damaged"):
        loaded(scheme).group(made)
    with pytest.raises(DataError, match=f"'{column}' is damaged"):
        list(loaded(scheme).group_batches([made]))


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
@pytest.mark.parametrize("layout", ["plain", "dictionary", "sliced", "large list"])
def test_every_layout_of_text_gives_the_same(kind: pa.DataType, layout: str) -> None:
    texts = pa.array(["I10.x05", "K35.800", None, "不是编码的一段很长的文字", "J18.900"], kind)
    if layout == "dictionary":
        words = pa.array(["J18.900", "I10.x05", "K35.800", "不是编码的一段很长的文字"], kind)
        texts = pa.DictionaryArray.from_arrays(pa.array([1, 2, None, 3, 0], pa.int8()), words)
    of = pa.LargeListArray if layout == "large list" else pa.ListArray
    lists = of.from_arrays([0, 1, 3, 3, 5], texts)
    rows = len(lists)
    batch_ = pa.RecordBatch.from_pydict({"diagnoses": lists, "procedures": pa.array([["47.0100"]] * rows)})
    batch_ = batch_.slice(1) if layout == "sliced" else batch_
    plain = [["I10.x05"], ["K35.800", None], [], ["不是编码的一段很长的文字", "J18.900"]]
    wanted = pa.RecordBatch.from_pydict(
        {"diagnoses": pa.array(plain), "procedures": pa.array([["47.0100"]] * rows)}
    ).slice(1 if layout == "sliced" else 0)
    engine = loaded("zhejiang-2022").engine
    found, right = engine.group(batch_), engine.group(wanted)
    assert [c.to_pylist() for c in found.columns] == [c.to_pylist() for c in right.columns]
