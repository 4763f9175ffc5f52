"""Lakes for the tests of this room: one kept by an older version, with everything that a lake can have."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from grouper.lake import Lake
from grouper.research.open import OpenLake
from grouper.research.snapshot import export

from ..settlement import settle_support as support

KEPT = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two years cleared, a month settled twice, a withdrawal: tests/data/lake-format-3."""
    place = tmp_path_factory.mktemp("old")
    for name in ("lake-0.1.0", "lake-format-3"):
        shutil.copytree(KEPT / name, place, dirs_exist_ok=True)
    packed = place / "lake" / "ledger.duckdb.gz"
    (place / "lake" / "ledger.duckdb").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    return place / "lake"


@pytest.fixture(scope="session")
def snapshot(old: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snapshot") / "made"
    export(Lake(old), folder)
    return folder


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of today with one month of DRG."""
    root = tmp_path_factory.mktemp("month") / "lake"
    support.settle(Lake(root), support.city(900, 0.03, (4, 5, 6)), "2025-04", area="lishui")
    return root


@pytest.fixture(scope="session")
def opened(old: Path) -> Iterator[OpenLake]:
    with OpenLake(str(old)) as made:
        yield made
