"""Kernel and reference give the expected packet for every record of the DIP conformance vectors.

The sample in ``tests/data`` holds every scenario, kind and option set. Set GROUPER_DIP_VECTORS to the
folder of the full vectors to run all of them.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from .dip_support import PROFILES, SAMPLE, catalogue, engine, reference, rows_of

FULL = os.environ.get("GROUPER_DIP_VECTORS")


def records_of(profile: str) -> list[dict[str, Any]]:
    if FULL:
        (path,) = Path(FULL).rglob(f"{profile.removeprefix('dip-')}.parquet")
        return pq.read_table(path).to_pylist()
    table = pq.read_table(SAMPLE)
    return table.filter(pc.equal(table["profile"], profile)).to_pylist()


def expected(record: dict[str, Any]) -> tuple[Any, ...]:
    kind = record["expected_kind"]
    found = (record["expected_dip"], record["expected_packet"])
    return (*found, None if kind in ("ungrouped", "invalid") else kind)


def differences(records: list[dict[str, Any]], found: list[tuple[Any, ...]], scores: list[Any]) -> list[Any]:
    wrong = []
    for record, got, score in zip(records, found, scores, strict=True):
        wanted_score = record["expected_score"]
        close = score == wanted_score if score is None else abs(float(score) - wanted_score) < 1e-9
        if got != expected(record) or not close:
            wrong.append((record["record_id"], record["scenario"], got, expected(record)))
    return wrong


@pytest.mark.parametrize("profile", PROFILES)
def test_kernel_agrees_with_every_vector(profile: str) -> None:
    records = records_of(profile)
    assert len(records) > 1000
    rows = rows_of(engine(profile), [{**r, "total_cost": cents(r["total_cost"])} for r in records])
    found = [(row["code"], row["packet"], row["kind"]) for row in rows]
    assert not differences(records, found, [row["score"] for row in rows])
    for record, row in zip(records, rows, strict=True):
        assert (row["status"] == "invalid") == (record["expected_kind"] == "invalid")
        assert (row["status"] == "ungrouped") == (record["expected_kind"] == "ungrouped")


def cents(value: float | None) -> Decimal | None:
    return None if value is None else round(Decimal(str(value)), 2)


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_reference_agrees_with_every_vector(profile: str) -> None:
    records = records_of(profile)
    traces = [reference(profile).group(record) for record in records]
    rows = [trace.row for trace in traces]
    found = [(r.code, r.packet, r.kind) if r else (None, None, None) for r in rows]
    assert not differences(records, found, [r.score if r else None for r in rows])
    assert [t.kind for t in traces] == [record["expected_kind"] for record in records]


def test_the_sample_has_every_scenario_kind_and_option_set() -> None:
    table = pq.read_table(SAMPLE)
    assert set(table["profile"].to_pylist()) == set(PROFILES)
    kinds = {"core", "local_core", "mixed", "primary_care", "ungrouped", "invalid"}
    assert set(table["expected_kind"].to_pylist()) == kinds
    assert len(set(table["scenario"].to_pylist())) == 15


@pytest.mark.parametrize("name", [profile for profile in PROFILES if profile.startswith("dip")])
def test_sizes_are_those_of_the_manifest(name: str) -> None:
    found = catalogue(name)
    counts = dict(found.meta["counts"])
    kinds = [row.kind for row in found.rows]
    assert len(found.rows) == counts.pop("rows")
    assert len({row.packet for row in found.rows if row.kind != "mixed"}) == counts.pop("packets")
    assert sum(row.aux is not None for row in found.rows) == counts.pop("variant_rows")
    assert all(kinds.count(kind) == number for kind, number in counts.items())
