"""What a DRG scheme says of one code, and its groups by name: for searching, not for grouping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grouper.grouping.drg.conditions import And, Condition, Count, In, Not, Or
from grouper.grouping.drg.describing import SUBJECTS, list_words
from grouper.grouping.drg.engine import DrgEngine
from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.drg.tables.store import NOT_NAMED

Group = tuple[str, str, str]  # code, name, code of what it belongs to


def named_groups(scheme: Scheme) -> Iterator[Group]:
    """MDC, ADRG and DRG, each once."""
    seen: set[str] = set()
    for mdc in scheme.mdcs:
        yield mdc.mdc, mdc.name, ""
    for adrg in scheme.adrgs:
        rows = [(drg.drg, drg.name, adrg.adrg) for drg in scheme.drgs.get(adrg.variant, ())]
        for row in ((adrg.adrg, adrg.name, adrg.mdc), *rows):
            if row[0] not in seen:
                seen.add(row[0])
                yield row


def standing(engine: DrgEngine, code: str) -> dict[str, Any]:
    """Whether the scheme groups by a code, and its level as a complication with the table that excludes it.

    ``excludes``: how many tables have it, as principal diagnosis, among those that switch a complication off.
    """
    scheme = engine.scheme
    levels, table = scheme.complications.get(code, (frozenset(), ""))
    out = [name for name in ("UNGROUPABLE.dx", "UNGROUPABLE.proc") if code in scheme.lists.get(name, ())]
    return {
        "used": any(code in codes for name, codes in scheme.lists.items() if name not in NOT_NAMED),
        "not_for_grouping": bool(out),
        "level": "MCC" if "MCC" in levels else "CC" if "CC" in levels else None,
        "exclusion": {"table": table, "size": len(scheme.exclusions.get(table, ()))} if table else None,
        "excludes": sum(code in codes for codes in scheme.exclusions.values()),
    }


def leads(engine: DrgEngine, code: str, lang: str) -> Iterator[dict[str, Any]]:
    """Where a code can lead: every MDC, ADRG and DRG whose condition asks for a list that has it.

    ``as``: principal_dx, other_dx, any_dx, principal_proc, other_proc or any_proc. An MDC that asks for the
    code opens all its ADRGs that ask for no other principal diagnosis.
    """
    compiled = engine.compiled
    for mdc in compiled.scheme.mdcs:
        for subject, name in _asked(engine, compiled.entries[mdc.mdc], code):
            yield _lead("mdc", mdc.mdc, mdc.name, "", subject, name, [], lang)
        for adrg in compiled.scheme.inside[mdc.mdc]:
            groups = compiled.scheme.drgs.get(adrg.variant, ())
            told = [{"group": drg.drg, "name": drg.name} for drg in groups]
            for subject, name in _asked(engine, compiled.conditions[adrg.variant], code):
                yield _lead("adrg", adrg.adrg, adrg.name, mdc.mdc, subject, name, told, lang)
            conditions = compiled.group_conditions.get(adrg.variant, ())
            for drg, condition in zip(groups, conditions, strict=False):
                for subject, name in _asked(engine, condition, code):
                    yield _lead("drg", drg.drg, drg.name, adrg.adrg, subject, name, [], lang)


def _lead(
    level: str,
    code: str,
    name: str,
    above: str,
    subject: str,
    of: str,
    groups: list[dict[str, str]],
    lang: str,
) -> dict[str, Any]:
    return {
        "level": level, "code": code, "name": name, "above": above, "as": subject,
        "as_text": SUBJECTS[subject][lang == "en"], "list": of, "list_title": list_words(of, lang),
        "groups": groups,
    }  # fmt: skip


def _asked(engine: DrgEngine, condition: Condition, code: str) -> list[tuple[str, str]]:
    """The places at which a condition asks for a list that has the code; what it forbids is none."""
    found: dict[tuple[str, str], None] = {}
    for leaf in _leaves(condition):
        if code in engine.scheme.lists[leaf.list]:
            found[leaf.subject, leaf.list] = None
    return list(found)


def _leaves(condition: Condition) -> Iterator[In | Count]:
    if isinstance(condition, In | Count):
        yield condition
    elif isinstance(condition, And | Or):
        for item in condition.items:
            yield from _leaves(item)
    elif isinstance(condition, Not):
        return
