"""Every case of the fault suite is clean: a tenth in the quick suite, the rest with the slow tests."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.faults.judge import VERDICTS, Case, Judge
from tests.faults.scene import Scene
from tests.faults.table import cases

CASES = list(cases())
QUICK_KINDS = ("values", "rules", "flags", "names", "outputs", "files")  # whose cases are quick one by one
_SLOW_CALLS = (
    "pay/", "settle/", "weights/", "export/", "crosswalk/", "plan/", "synth/", "policy/", "watch/", "clear/",
    "statement/", "indices/",
)  # fmt: skip


def quick(case: Case) -> bool:
    """The same tenth in every run, of what takes a fraction of a second."""
    drawn = zlib.crc32(case.id.encode()) % 10 == 0
    return drawn and case.kind in QUICK_KINDS and not case.name.startswith(_SLOW_CALLS)


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    made = Judge(Scene())
    yield made
    made.server.close()
    made.scene.server.close()


def _parameters() -> list[object]:
    return [pytest.param(case, id=case.id, marks=[] if quick(case) else [pytest.mark.slow]) for case in CASES]


@pytest.mark.parametrize("case", _parameters())
def test_it_is_clean(judge: Judge, case: Case) -> None:
    verdict, why = judge.verdict(case)
    assert verdict == "clean", f"{verdict}: {why}"


def test_the_table_is_long_and_says_each_case_once() -> None:
    counts = Counter(case.kind for case in CASES)
    assert len({case.id for case in CASES}) == len(CASES) >= 1_000
    assert set(counts) == {
        "values",
        "money",
        "files",
        "names",
        "rules",
        "flags",
        "outputs",
        "lakes",
        "tampering",
    }
    assert min(counts.values()) >= 40 and "clean" in VERDICTS
    assert len(CASES) / 25 <= sum(map(quick, CASES)) <= len(CASES) / 8
