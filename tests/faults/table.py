"""The table of all cases, kind by kind."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults import calls, files, lakes, rows, rules
from tests.faults.judge import Case


def cases() -> Iterator[Case]:
    for module in (rows, files, rules, calls, lakes):
        yield from module.cases()
