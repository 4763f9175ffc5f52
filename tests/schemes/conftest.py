"""Schemes for the tests of tables: the shipped ones, loaded once, and a small one to break."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.drg.tables.store import load, save

from .scheme_samples import small_scheme


@cache
def loaded(name: str) -> Scheme:
    return load(name)


@pytest.fixture
def shipped() -> Callable[[str], Scheme]:
    """A shipped scheme by id, loaded once for the whole run."""
    return loaded


@pytest.fixture
def small_folder(tmp_path: Path) -> Path:
    """The small scheme as a folder."""
    folder = tmp_path / "small"
    save(small_scheme(), folder)
    return folder
