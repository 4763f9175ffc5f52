"""What a DIP catalogue says of one code, and its packets by name: for searching, not for grouping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grouper.codes import icd
from grouper.grouping.dip import normalise
from grouper.grouping.dip.engine import DipEngine
from grouper.grouping.dip.tables.catalogue import Catalogue
from grouper.grouping.dip.tables.packets import Packet, Term

Group = tuple[str, str, str]  # code, name, code of what it belongs to
_AS = {
    "principal_dx": ("主要诊断", "principal diagnosis"),
    "principal_proc": ("主要手术操作", "main procedure"),
    "other_proc": ("相关手术操作", "related procedure"),
}


def named_groups(scheme: Catalogue) -> Iterator[Group]:
    """Every packet row once, with its diagnosis key."""
    seen: set[str] = set()
    for row in scheme.rows:
        if row.code not in seen:
            seen.add(row.code)
            yield row.code, row.name, row.dx


def standing(engine: DipEngine, code: str) -> dict[str, Any]:
    """Whether some packet asks for a code; a catalogue has no complications of its own."""
    used = any(True for _ in leads(engine, code, "zh"))
    return {"used": used, "not_for_grouping": False, "level": None, "exclusion": None, "excludes": 0}


def leads(engine: DipEngine, code: str, lang: str) -> Iterator[dict[str, Any]]:
    """Where a code can lead: the packets under its key as principal diagnosis, or those that ask for it as
    their main or a related procedure."""
    scheme = engine.scheme
    if code in icd.diagnoses() or code[:1].isalpha():
        key = normalise.key(code)
        for packet in (*scheme.operative.get(key, ()), *scheme.conservative.get(key, ())):
            yield _lead(packet, "principal_dx", key, lang)
        for (mixed, _), packets in scheme.mixed.items():
            if mixed and code.startswith(mixed):
                yield from (_lead(packet, "principal_dx", mixed, lang) for packet in packets)
        return
    for packets in scheme.operative.values():
        for packet in packets:
            if _has(packet.main, code):
                yield _lead(packet, "principal_proc", packet.key, lang)
            elif _has(packet.related, code):
                yield _lead(packet, "other_proc", packet.key, lang)


def _has(terms: tuple[Term, ...], code: str) -> bool:
    return any(code.startswith(each) for term in terms for each in term)


def _lead(packet: Packet, subject: str, key: str, lang: str) -> dict[str, Any]:
    row = packet.default
    return {
        "level": "packet", "code": row.code, "name": row.name, "above": key, "as": subject,
        "as_text": _AS[subject][lang == "en"], "list": key, "list_title": key,
        "groups": [{"group": each.code, "name": each.name} for each in packet.rows],
    }  # fmt: skip
