"""What came close: groups that one step of coding, and nothing else, kept a record away from."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from grouper.codes import icd
from grouper.grouping.drg.compile import CompiledScheme, Result
from grouper.grouping.drg.conditions import And, Compare, Condition, Department, Discharge, In, Or
from grouper.grouping.drg.evaluate import Case, Evaluator
from grouper.grouping.drg.explanation import Because, CodeStep, MdcStep, NearMiss

_SAMPLES = 3
_OF_BODY = ("sex", "age", "age_days", "weight")  # numbers that no coder can change
_FIRST = ("grey", "main", "excluded", "diagnosis", "procedure", "number")


def near_misses(
    compiled: CompiledScheme,
    case: Case,
    mdcs: Sequence[MdcStep],
    result: Result | None,
    codes: Sequence[CodeStep],
) -> list[NearMiss]:
    """The nearest first: specific codes in the place of grey ones, another main procedure, a complication
    that only the principal diagnosis excludes, a diagnosis or a second procedure that is not recorded, a
    number. ADRGs that are tried after the one that held could not have won and are left out, and so are
    ambiguous groups.
    """
    evaluator = Evaluator(compiled.scheme, case)
    found = [*_grey(codes, result), *_excluded(compiled, evaluator, result)]
    for step in mdcs:
        inside = compiled.scheme.inside[step.mdc.code]
        for adrg, tried in zip(inside, step.adrgs, strict=False):
            if tried.truth is True or adrg.kind in ("ambiguous", "ungrouped"):
                continue
            for miss in _one_away(evaluator, compiled.conditions[adrg.variant]):
                if close := _of(evaluator, adrg.adrg, adrg.name, miss):
                    found.append(close)
    unique: dict[tuple[str, str, str], NearMiss] = {}
    for near in found:
        group = "" if near.kind == "main" else near.code  # ADRGs are tried in order: the first one wins
        unique.setdefault((near.kind, group, near.instead), near)
    return sorted(unique.values(), key=lambda miss: _FIRST.index(miss.kind))


def _one_away(evaluator: Evaluator, condition: Condition) -> Iterator[Condition]:
    """The parts of which any one would make the condition hold, all else being there."""
    failing = evaluator.failing(condition)
    if len(failing) != 1:
        return
    if not isinstance(failing[0], Or):
        yield failing[0]
        return
    for item in failing[0].items:
        inner = evaluator.failing(item)
        if len(inner) == 1 and not isinstance(inner[0], Or):
            yield inner[0]


def _of(evaluator: Evaluator, code: str, name: str, miss: Condition) -> NearMiss | None:
    case, lists = evaluator.case, evaluator.scheme.lists
    if isinstance(miss, Compare):
        if miss.field in _OF_BODY and evaluator.holds(miss) is not None:
            return None
        return NearMiss(code, name, miss, kind="number")
    if isinstance(miss, Department | Discharge):
        return NearMiss(code, name, miss, kind="number")
    if not isinstance(miss, In):
        return None
    if miss.subject == "principal_proc":
        fitting = [c for c in case.procedures[1:] if c in lists[miss.list]]
        return NearMiss(code, name, miss, fitting[0], kind="main") if fitting else None
    if miss.subject in ("other_dx", "any_dx"):
        return NearMiss(code, name, miss, kind="diagnosis", samples=_samples(case, lists[miss.list], miss))
    if miss.subject in ("other_proc", "any_proc") and case.procedures and _has_another(evaluator, code):
        return NearMiss(code, name, miss, kind="procedure", samples=_samples(case, lists[miss.list], miss))
    return None


def _has_another(evaluator: Evaluator, code: str) -> bool:
    """One of the procedures is in a list of this ADRG: what is lacking is a second one."""
    own = (codes for name, codes in evaluator.scheme.lists.items() if name.startswith(f"{code}.proc"))
    recorded = set(evaluator.case.procedures)
    return any(not recorded.isdisjoint(codes) for codes in own)


def _samples(case: Case, codes: frozenset[str], miss: In) -> tuple[tuple[str, str], ...]:
    """Some codes of a list, those of the subcategories that are recorded first."""
    diagnosis = miss.subject.endswith("dx")
    names = icd.diagnoses() if diagnosis else icd.procedures()
    recorded = {code[:5] for code in (case.diagnoses if diagnosis else case.procedures)}
    first = heapq.nsmallest(_SAMPLES, codes, key=lambda code: (code[:5] not in recorded, code))
    return tuple((code, names.get(code, "")) for code in first)


def _grey(codes: Sequence[CodeStep], result: Result | None) -> Iterator[NearMiss]:
    """The specific codes beside one that the scheme does not use, where they give another group."""
    for step in codes:
        for other in step.instead:
            if other.drg and (result is None or other.drg != result.drg):
                yield NearMiss(other.drg, other.drg_name or "", None, other.code, kind="grey", of=step.code)


def _excluded(compiled: CompiledScheme, evaluator: Evaluator, result: Result | None) -> Iterator[NearMiss]:
    """The group that a complication would give, did the principal diagnosis not exclude it."""
    if result is None or not result.adrg:
        return
    for adrg in compiled.scheme.adrgs:
        if adrg.adrg != result.adrg or adrg.mdc != result.mdc:
            continue
        groups = compiled.scheme.drgs.get(adrg.variant, ())
        conditions = compiled.group_conditions.get(adrg.variant, ())
        for hit in evaluator.hits:
            if not hit.excluded or hit.levels <= evaluator.levels:
                continue
            other = Evaluator(compiled.scheme, evaluator.case)
            other.levels |= hit.levels
            held = [g for g, c in zip(groups, conditions, strict=True) if other.holds(c)]
            if held and held[0].drg != result.drg:
                yield NearMiss(
                    held[0].drg, held[0].name, None, hit.code, kind="excluded", of=evaluator.case.principal
                )


def because(evaluator: Evaluator, *conditions: Condition) -> list[Because]:
    """The codes that made conditions hold, with the lists that have them, in the order of the conditions."""
    found: dict[tuple[str, str], Because] = {}
    for condition in conditions:
        for leaf in _leaves(condition):
            if not evaluator.holds(leaf):
                continue
            for code in evaluator.case.at(leaf.subject):
                if code in evaluator.scheme.lists[leaf.list]:
                    found.setdefault((leaf.subject[-2:], code), Because(leaf.subject, code, leaf.list))
    return list(found.values())


def _leaves(condition: Condition) -> Iterator[In]:
    """The lists that a condition asks for; what it forbids is none of them."""
    if isinstance(condition, In):
        yield condition
    elif isinstance(condition, And | Or):
        for item in condition.items:
            yield from _leaves(item)
