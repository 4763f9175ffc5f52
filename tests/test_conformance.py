"""Every scheme gives the expected group for every record of the conformance vectors.

The sample in ``tests/data`` holds each result of each scheme once, and each corrected place
or disputed case. Set GROUPER_VECTORS to the folder of the full vectors (one
Parquet file a scheme) to run all of them instead.
"""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.grouping.drg.tables.store import scheme_folders

from .support import RECORD_COLUMNS, loaded, vectors, with_both_weights

FULL = os.environ.get("GROUPER_VECTORS")


def records_of(scheme: str) -> pa.Table:
    """The records of a scheme; the full vectors have one weight, which is the one that the scheme reads."""
    if not FULL:
        return vectors(scheme)
    records = pq.read_table(Path(FULL) / f"{scheme}.parquet")
    own = loaded(scheme).compiled.columns["weight"]
    names = [own if name == "birth_weight_g" else name for name in records.schema.names]
    return with_both_weights(records.rename_columns(names))


@pytest.mark.parametrize("name", scheme_folders())
def test_every_record_gets_its_group(name: str) -> None:
    records = records_of(name)
    assert records.num_rows >= 500
    grouped = loaded(name).group(records.select(RECORD_COLUMNS))
    for column in ("mdc", "adrg", "drg"):
        expected = records[f"expected_{column}"].to_pylist()
        found = grouped[column].to_pylist()
        wrong = [
            (record, e, f)
            for record, e, f in zip(records["record_id"].to_pylist(), expected, found, strict=True)
            if e != f
        ]
        assert not wrong, f"{len(wrong)} of {records.num_rows} differ in {column}: {wrong[:5]}"


@pytest.mark.parametrize("name", scheme_folders())
def test_the_sample_reaches_every_group_that_can_be_reached(name: str) -> None:
    scheme = loaded(name).compiled.scheme
    reached = set(records_of(name)["expected_drg"].to_pylist())
    missed = {drg.drg for _, drg in scheme.groups()} - reached
    # The groups that no record can reach are named in docs/tables.md, scheme by scheme.
    assert len(missed) == UNREACHABLE.get(name, 0), sorted(missed)


UNREACHABLE = {
    "beijing-2022": 3,
    "foshan-2022": 2,
    "hefei-2023": 2,
    "wuxi-2022": 2,
    "zhejiang-2022": 2,
}
