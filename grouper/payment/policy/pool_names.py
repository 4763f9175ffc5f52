"""What a pool is called: the policy's pool (insurance), and behind a slash the county or alliance whose money
it is, where the policy has a pool for each (``pool_by``). Every name of a pool is made and taken apart here.

``employee``: of the whole area; ``employee/331121``: of a county; ``employee/East``: of an alliance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from grouper.base.errors import TableError
from grouper.base.paths import tables_dir
from grouper.base.sql import literal
from grouper.base.tables_in import read_table

BY = "pool_by"  # the parameter
PART = "pool_part"  # column of a case: the county or alliance whose pool pays it
_SLASH = "/"
_CODE = "^([0-9]{6})[0-9]*$"  # of a county; towns and villages follow it


def insurance(pool: str) -> str:
    """The policy's pool that a pool is of: what parameters depend on."""
    return pool.partition(_SLASH)[0]


def part(pool: str) -> str:
    """The county or alliance of a pool, "" where it is of the whole area."""
    return pool.partition(_SLASH)[2]


def joined(pool: str | None, of: str | None) -> str | None:
    """The name of the pool of an insurance and a county or alliance; None where either is not known."""
    return f"{pool}{_SLASH}{of}" if pool and of else None


def of_case_sql(pool: str = "pool") -> str:
    """SQL of ``joined`` for a case: its insurance in column ``pool``, its county or alliance in ``PART``;
    null where either is null."""
    return f'("{pool}"::VARCHAR || {literal(_SLASH)} || "{PART}")'


def named(case: dict[str, Any]) -> dict[str, Any]:
    """The columns of a case with its pool as ``of_case_sql`` has it, where it has ``PART``."""
    if PART not in case:
        return case
    of = re.sub(_CODE, r"\1", str(case[PART] or "").strip()) or None
    return case | {"pool": joined(case["pool"], of), PART: of}


def part_sql(column: str) -> str:
    """SQL of a county or alliance as pools have it: the six digits of a county, or the text; null where it
    is blank."""
    return f"nullif(regexp_replace(trim({column}), '{_CODE}', '\\1'), '')"


def owner_sql(owners: Mapping[str, str], column: str = "pool", otherwise: str = "") -> str:
    """SQL of the budget's pool that pays a case of a pool. ``owners``: ``Budget.owners``, or some of them;
    ``otherwise``: SQL for a pool that they lack, else null."""
    whens = " ".join(f"WHEN {literal(member)} THEN {literal(owner)}" for member, owner in owners.items())
    if not whens:
        return otherwise or "NULL::VARCHAR"
    return f"CASE {column} {whens}{f' ELSE {otherwise}' if otherwise else ''} END"


def part_name(of: str) -> tuple[str, str]:
    """A county by its name in Chinese and English, where its code is listed (``policies/counties.csv``)."""
    return _counties().get(of, (of, of))


def part_named(text: str, parts: Iterable[str]) -> str:
    """Which of ``parts`` a text names, by code or by name; else the text."""
    said = text.casefold()
    return next((each for each in parts if said in (each, *map(str.casefold, part_name(each)))), text)


@cache
def _counties() -> dict[str, tuple[str, str]]:
    place = tables_dir() / "policies" / "counties.csv"
    table = read_table(place, needed=("county", "zh", "en"), kind=TableError)
    return {row.text("county"): (row.text("zh"), row.text("en")) for row in table}
