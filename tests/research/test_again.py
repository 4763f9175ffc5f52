"""A lake can be grouped again by another scheme, and its indices computed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from grouper.lake import Lake
from grouper.research.snapshot import export

from ..in_process import call

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs


@pytest.fixture(scope="module")
def records(month: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("again") / "made"
    export(Lake(month), folder)
    (path,) = (folder / "records").iterdir()
    return path


@pytest.mark.parametrize("scheme", ["zhejiang-2022", "chs-drg-3.0", "dip-taian-2025"])
def test_the_records_are_grouped_by_another_scheme(records: Path, tmp_path: Path, scheme: str) -> None:
    out = tmp_path / "again.parquet"
    code, _, err = call("group", str(records), "-o", str(out), "--scheme", scheme, "--prefix", "new_")
    assert code == 0, err
    frame = pl.read_parquet(out)
    statuses = frame["new_status"].value_counts().rows_by_key("new_status", unique=True)
    assert statuses["grouped"][0] > 0.8 * frame.height and "needs-data" not in statuses
    if scheme == "zhejiang-2022":  # the one that the lake was settled by
        for name in ("mdc", "adrg", "drg", "status", "reason", "complication", "complication_by", "warnings"):
            assert frame[f"new_{name}"].to_list() == frame[name].to_list(), name


def test_the_indices_are_computed_from_the_records(records: Path, tmp_path: Path) -> None:
    out = tmp_path / "indices.parquet"
    code, _, err = call("indices", str(records), "-o", str(out))
    assert code == 0, err
    found = set(pl.read_parquet(out)["index"])
    assert {"record_quality", "readmission"} <= found
