"""The same input gives the same bytes; provenance says what a file was made by, never how long it took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import grouper
from grouper.base.provenance import PROVENANCE_KEY
from grouper.payment import pay

from .payment.pay_support import write_cases, write_policy
from .support import RECORD_COLUMNS, loaded, vectors


def made_by(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(pq.read_schema(path).metadata[PROVENANCE_KEY.encode()])
    return found


def test_grouped_files_are_the_same_to_the_byte(tmp_path: Path) -> None:
    pq.write_table(vectors("chs-drg-2.0").select(RECORD_COLUMNS).slice(0, 500), tmp_path / "in.parquet")
    for name in ("a", "b"):
        grouper.group_files(loaded("chs-drg-2.0"), [tmp_path / "in.parquet"], tmp_path / f"{name}.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    told = made_by(tmp_path / "a.parquet")
    assert not {"seconds", "peak_rss_mib"} & told.keys()
    assert told["software"]["commit"]  # "unknown" of a source tree, which may have changed since it was built


def test_priced_files_are_the_same_to_the_byte(tmp_path: Path) -> None:
    policy, cases = str(write_policy(tmp_path)), str(write_cases(tmp_path))
    for name in ("a", "b"):
        pay(cases, policy, str(tmp_path / f"{name}.parquet"), what_if={"base_rate": "11000"})
    for end in (".parquet", "-hospitals.csv", "-pools.csv", "-what-if.csv"):
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes()


def test_provenance_has_the_values_of_parameters(tmp_path: Path) -> None:
    pay(str(write_cases(tmp_path)), str(write_policy(tmp_path)), str(tmp_path / "out.parquet"))
    parameters = made_by(tmp_path / "out.parquet")["parameters"]
    assert [(p["from"], p["value"]) for p in parameters if p["name"] == "base_rate"] == [
        ("2025-01-01", "10000"),
        ("2025-07-01", "11000"),
    ]
    (level,) = (p for p in parameters if p["name"] == "level_coefficient")
    assert level["value"] == [{"key": "2", "value": "1"}, {"key": "3", "value": "1.05"}]
