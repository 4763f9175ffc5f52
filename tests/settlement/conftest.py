"""What several tests of a lake's safety begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grouper.lake import Lake

from . import settle_support as support


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A city, and a lake with April and May, and its ledger as it was after April; June is not settled."""
    place = support.city(900, 0.03, (4, 5, 6))
    root = tmp_path_factory.mktemp("lake")
    lake = Lake(root / "lake")
    support.settle(lake, place, "2025-04")
    shutil.copy(lake.ledger, root / "older.duckdb")
    support.settle(lake, place, "2025-05")
    return place, root


@pytest.fixture
def lake(begun: tuple[Path, Path], tmp_path: Path) -> Lake:
    """A copy of that lake of a test's own."""
    shutil.copytree(begun[1] / "lake", tmp_path / "lake")
    return Lake(tmp_path / "lake")
