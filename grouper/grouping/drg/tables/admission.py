"""Principal diagnoses that an ADRG lists and that the entry conditions of the MDCs keep out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from grouper.base.findings import Finding, few
from grouper.codes import icd
from grouper.grouping.drg.conditions import Condition, In
from grouper.grouping.drg.tables.logic import clauses
from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.drg.tables.reach import cached_parse

Codes = Mapping[str, frozenset[str]]


def not_admitted(scheme: Scheme) -> Iterator[Finding]:
    """Codes of the diagnosis edition that stand in an ADRG's list and not in that of its MDC.

    A code that no MDC admits is ungrouped for sure; one that another MDC admits is grouped
    there, which may be meant. MDCs that ask for no diagnosis keep no code out.
    """
    entries = {mdc.mdc: cached_parse(mdc.entry) for mdc in scheme.mdcs}
    admitted = {mdc: _named(entry, scheme.lists) for mdc, entry in entries.items()}
    anywhere = frozenset().union(*admitted.values())
    nowhere: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    elsewhere: dict[str, set[str]] = defaultdict(set)
    for adrg in scheme.adrgs:
        asked = _asked(cached_parse(adrg.condition), scheme.lists)
        if asked is None or _asked(entries[adrg.mdc], scheme.lists) is None:
            continue
        for code in (asked - admitted[adrg.mdc]) & icd.diagnoses().keys():
            if code in anywhere:
                elsewhere[code].add(adrg.variant)
            else:
                nowhere[adrg.mdc][code].add(adrg.variant)
    for mdc, codes in nowhere.items():
        adrgs = few(sorted(set().union(*codes.values())))
        yield Finding(
            "warning",
            "not-admitted",
            scheme.id,
            mdc,
            f"{adrgs} 列为主要诊断的 {len(codes)} 个编码不被任何 MDC 接纳，必然未入组：{few(sorted(codes))}",
            f"{len(codes)} principal diagnoses of {adrgs} are admitted by no MDC, so they are "
            f"ungrouped: {few(sorted(codes))}",
            tuple(sorted(codes)),
        )
    if elsewhere:
        yield Finding(
            "info",
            "admitted-elsewhere",
            scheme.id,
            "mdc.csv",
            f"{len(elsewhere)} 个编码列在一个 MDC 的 ADRG 中，却只被另一个 MDC 接纳",
            f"{len(elsewhere)} codes are listed by an ADRG of one MDC and admitted by another only",
            tuple(f"{code} ({', '.join(sorted(adrgs))})" for code, adrgs in sorted(elsewhere.items())),
        )


def _asked(condition: Condition, lists: Codes) -> frozenset[str] | None:
    """The principal diagnoses with which the condition can hold; None when it asks for none."""
    found: set[str] = set()
    for clause in clauses(condition):
        sets = [
            lists.get(literal.list, frozenset())
            for literal in clause
            if isinstance(literal, In) and literal.subject == "principal_dx"
        ]
        if not sets:
            return None
        found |= frozenset.intersection(*sets)
    return frozenset(found)


def _named(condition: Condition, lists: Codes) -> frozenset[str]:
    """The diagnoses that let a record in, as the principal one or as one of all."""
    names = {
        literal.list
        for clause in clauses(condition)
        for literal in clause
        if isinstance(literal, In) and literal.subject in ("principal_dx", "any_dx")
    }
    return frozenset().union(*(lists.get(name, frozenset()) for name in names))
