"""Parts of the program under pytest-benchmark, to compare one state of the code with another.

    pytest -o addopts= benchmarks/test_speed.py --benchmark-autosave
    pytest -o addopts= benchmarks/test_speed.py --benchmark-compare

Figures for the docs come from run.py, which takes ratios; these are for whoever changes the code.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest

import grouper
from grouper.base.arrow import empty
from grouper.grouping.drg.tables import store
from grouper.synth.rows import synth_batch

ROWS = 100_000
CODES = ("diagnoses", "procedures")


@pytest.fixture(scope="module")
def drg() -> Any:
    return grouper.load_scheme("chs-drg-2.0")


@pytest.fixture(scope="module")
def plain() -> pa.RecordBatch:
    return synth_batch(0, ROWS, seed=1)


@pytest.fixture(scope="module")
def encoded(plain: pa.RecordBatch) -> pa.RecordBatch:
    """The same records with dictionaries of codes, as Parquet gives them."""
    kind = pa.list_(pa.dictionary(pa.int32(), pa.string()))
    for name in CODES:
        lists = plain[name]
        values = lists.values.dictionary_encode()
        at = plain.schema.get_field_index(name)
        plain = plain.set_column(at, name, pa.ListArray.from_arrays(lists.offsets, values).cast(kind))
    return plain


def ids(drg: Any, batch: pa.RecordBatch) -> list[memoryview]:
    dx = drg.engine.diagnoses.row_ids(batch["diagnoses"], Counter())
    return [*dx, *drg.engine.procedures.row_ids(batch["procedures"], Counter())]


def test_kernel(benchmark: Any, drg: Any, encoded: pa.RecordBatch) -> None:
    ready, fields = ids(drg, encoded), drg.engine._fields(encoded)
    outputs = [empty("i", ROWS) for _ in range(5)]
    benchmark(lambda: drg.compiled.kernel.group(ROWS, *ready, fields, None, *outputs))


def test_codes_from_strings(benchmark: Any, drg: Any, plain: pa.RecordBatch) -> None:
    benchmark(lambda: ids(drg, plain))


def test_codes_from_dictionaries(benchmark: Any, drg: Any, encoded: pa.RecordBatch) -> None:
    benchmark(lambda: ids(drg, encoded))


def test_whole_batch(benchmark: Any, drg: Any, encoded: pa.RecordBatch) -> None:
    assert len(benchmark(lambda: list(drg.group_batches([encoded])))) == 1


@pytest.mark.parametrize("scheme", ["chs-drg-2.0", "zhejiang-2024"])
def test_load_and_compile(benchmark: Any, scheme: str) -> None:
    def load() -> Any:
        store._load_cached.cache_clear()
        return grouper.load_scheme(scheme).compiled.kernel

    benchmark(load)
