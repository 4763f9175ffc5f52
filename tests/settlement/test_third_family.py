"""A month settles by a family of schemes that settlement has never heard of: its groups and their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from grouper.grouping.family import FAMILIES
from grouper.lake import Lake

from .. import letter_family
from . import settle_support as support


def test_a_month_settles_by_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(FAMILIES, letter_family.KIND, letter_family.__name__)
    scheme = letter_family.write(tmp_path / "letters")
    place = support.city(3600, 0.03, (5,))
    plain = support.write_csv(tmp_path / "may.csv", support.take(place, "2025-05", 40))
    lake = Lake(tmp_path / "lake")
    support.settle(lake, place, "2025-05", plain, scheme=str(scheme), area="yulin", scheme_differs=True)
    cases = support.rows(lake, 'SELECT DISTINCT "group", group_name FROM cases_current')
    found = {row["group"]: row["group_name"] for row in cases}
    assert found.items() <= {"HEART": "循环", "LUNGS": "呼吸", "BELLY": "消化", None: None}.items()
    assert len(found.keys() - {None}) > 1
