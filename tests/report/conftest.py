"""One settled month and one cleared year for all tests of a process; each takes about a second to make."""

from __future__ import annotations

import pytest

from .report_support import Sample, make_sample


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A DRG area that pays by points."""
    return make_sample(tmp_path_factory.mktemp("month"), 4_000)


@pytest.fixture(scope="session")
def year(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A DRG area that pays at standards, cleared over two months."""
    return make_sample(tmp_path_factory.mktemp("year"), 4_000, "liaocheng", year=True)


@pytest.fixture(scope="session")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A DIP area: no weights, points counted with the fund's share."""
    return make_sample(tmp_path_factory.mktemp("scores"), 4_000, "tianmen")
