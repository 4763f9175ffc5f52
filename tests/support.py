"""What many tests share: loaded schemes, the conformance sample, random records."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import grouper
from grouper.grouping.api import Grouper
from grouper.records.schema import CANONICAL, GROUPING_FIELDS

DATA = Path(__file__).parent / "data"
RECORD_COLUMNS = ["record_id", *(name for name in GROUPING_FIELDS if name != "total_cost")]
# Numbers as the shipped vectors have them: narrower than the canonical ones.
NARROW = {"sex": pa.int8(), "age_years": pa.int16(), "discharge_way": pa.int8()}


@cache
def loaded(name: str) -> Grouper:
    """A scheme with default options, compiled once for the whole run."""
    return grouper.load_scheme(name)


@cache
def sample() -> pa.Table:
    """The compact conformance sample: every group of every scheme at least once."""
    return pq.read_table(DATA / "drg_conformance.parquet")


def vectors(scheme: str) -> pa.Table:
    """The sample records of one scheme."""
    if scheme == "chs-drg-3.0":
        return with_both_weights(pq.read_table(DATA / "chs_drg_3_conformance.parquet"))
    return with_both_weights(sample().filter(pc.equal(sample()["scheme"], scheme)))


def with_both_weights(records: pa.Table) -> pa.Table:
    """Records that have one weight, and the other as a column of nulls."""
    for name in ("birth_weight_g", "admission_weight_g"):
        if name not in records.schema.names:
            records = records.append_column(name, pa.nulls(records.num_rows, pa.int32()))
    return records


def random_records(grouper_: Grouper, rng: random.Random, number: int) -> list[dict[str, Any]]:
    """Records that reach deep into a scheme: codes drawn from the lists of one of its ADRGs, and others."""
    scheme = grouper_.compiled.scheme
    names = sorted(scheme.lists)
    dx_lists = [n for n in names if ".dx" in n or "site" in n]
    proc_lists = [n for n in names if ".proc" in n or n == "VALID"]
    complications = sorted(scheme.complications)

    def from_lists(pool: list[str], count: int) -> list[str]:
        return [rng.choice(sorted_codes(scheme.id, rng.choice(pool))) for _ in range(count)]

    records = []
    for i in range(number):
        prefix = rng.choice(names).split(".")[0]
        own_dx = [n for n in dx_lists if n.startswith(prefix)] or dx_lists
        own_proc = [n for n in proc_lists if n.startswith(prefix)] or proc_lists
        diagnoses = from_lists(own_dx, 1) + from_lists(rng.choice([own_dx, dx_lists]), rng.randrange(4))
        diagnoses += rng.sample(complications, rng.randrange(3))
        procedures = from_lists(rng.choice([own_proc, proc_lists]), rng.choice([0, 0, 1, 1, 2, 3]))
        age = rng.choice([0, 0, 0, 5, 6, 7, 14, 16, 17, 18, 40, 69, 70, 71, 90])
        records.append(
            {
                "record_id": str(i),
                "diagnoses": diagnoses,
                "procedures": procedures,
                "sex": rng.choice([1, 2]),
                "age_years": age,
                "age_days": rng.choice([0, 1, 28, 29, 100, 364]) if age == 0 else None,
                "birth_weight_g": rng.choice([None, 0, 999, 1000, 1499, 1500, 1999, 2000, 2499, 2500]),
                "admission_weight_g": rng.choice([None, 0, 999, 1000, 1499, 1500, 1999, 2000, 2499, 2500]),
                "los_days": rng.choice([1, 2, 4, 5, 7, 8, 13, 14, 59, 60, 61]),
                "discharge_way": rng.choice([1, 2, 3, 4, 5, 9]),
                "department": rng.choice(["ICU", "0302"]),
                "icu_hours": rng.choice([0.0, 0.5, 1.0, 120.0, 120.5, 121.0]),
            }
        )
    return records


@cache
def sorted_codes(scheme: str, name: str) -> list[str]:
    return sorted(loaded(scheme).compiled.scheme.lists[name])


def table_of(records: list[dict[str, Any]]) -> pa.Table:
    """Records as a canonical Arrow table."""
    return pa.Table.from_pylist(records, schema=SCHEMA)


def canonical(names: Iterable[str], **types: pa.DataType) -> pa.Schema:
    """The schema of records with these columns, as the package types them; ``types``: other types, and those
    of columns that are not of the record."""
    return pa.schema([(name, types.get(name, CANONICAL.get(name))) for name in names])


SCHEMA = canonical(RECORD_COLUMNS, **NARROW)
