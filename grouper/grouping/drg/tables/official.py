"""The numbering of the official CHS-DRG 3.0 workbook, told in the names of the tables.

Published sets are called ``DI_B00`` (diagnoses of MDCB), ``OP1_AH2`` (first list of procedures of AH2),
``OP_ALL`` (valid procedures), ``DI_Z01`` (a site of injury); exclusion tables ``EX_101`` or ``无``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from grouper.grouping.drg.conditions import (
    And,
    Compare,
    Condition,
    Count,
    In,
    Not,
    Or,
    conjunction,
    disjunction,
    negation,
)
from grouper.grouping.drg.tables.model import SITES

SET_HEADER = "集合编号"  # the published sheets say so; exports of this program say 集合名
OPTIONS = {
    "when_no_drg": "stop",
    "retry_other_procedures": False,
    "severity_from_other_diagnoses_only": True,
    "weight": "admission",
}
MULTIPLE_INJURIES = "MDCZ.dx"
_SET = re.compile(r"(DI|OP)(\d*)_(\w+)")
_NO_TABLE = ("无", "-", "—")


def list_name(official: str) -> str:
    """``DI_B00`` as ``MDCB.dx``, ``OP1_AH2`` as ``AH2.proc1``; a name of another form stays."""
    match = _SET.fullmatch(official)
    if match is None:
        return official
    side, number, owner = match.groups()
    kind = ("dx" if side == "DI" else "proc") + number
    if owner == "ALL":
        return "VALID"
    if re.fullmatch(r"Z0[1-9]", owner):
        return SITES + owner[-1]
    return f"MDC{owner[0]}.{kind}" if re.fullmatch(r"[A-Z]00", owner) else f"{owner}.{kind}"


def table_name(official: str) -> str:
    """``EX_101`` as ``101``; 无 is no table."""
    return "" if official in _NO_TABLE else official.removeprefix("EX_")


def renamed(condition: Condition) -> Condition:
    """The condition with the names of the tables in place of the official ones."""
    match condition:
        case And(items):
            return conjunction(*map(renamed, items))
        case Or(items):
            return disjunction(*map(renamed, items))
        case Not(item):
            return negation(renamed(item))
        case In(subject, name):
            return In(subject, list_name(name))
        case Count(subject, name, op, value):
            return Count(subject, list_name(name), op, value)
    return condition


def injured_sites(condition: Condition, lists: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    """The codes of all sites, where a condition asks for a principal injury and one at another site.

    That is what ``principal_dx in MDCZ.dx and injured_sites >= 2`` says, as long as no code belongs
    to two sites; None for any other condition.
    """
    if not isinstance(condition, Or):
        return None
    others: dict[str, set[str]] = {}
    for item in condition.items:
        match item:
            case And((In("principal_dx", site), Or(rest))) if site.startswith(SITES):
                others[site] = {part.list for part in rest if isinstance(part, In) and _other(part)}
                if len(others[site]) != len(rest):
                    return None
            case _:
                return None
    sites = set(others)
    every = frozenset().union(*(lists.get(site, frozenset()) for site in sites))
    whole = all(rest == sites - {site} for site, rest in others.items())
    apart = len(every) == sum(len(lists.get(site, ())) for site in sites)
    return every if whole and apart and sites == {n for n in lists if n.startswith(SITES)} else None


def _other(part: In) -> bool:
    return part.subject == "other_dx" and part.list.startswith(SITES)


SEVERAL_SITES = conjunction(In("principal_dx", MULTIPLE_INJURIES), Compare("injured_sites", ">=", 2))
