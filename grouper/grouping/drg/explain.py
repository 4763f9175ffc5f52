"""Explain one record: every step from its codes to its group, and what came close.

The steps are found by walking the same compiled scheme that the kernel runs, and the
kernel groups the record as well; should the two ever differ, that is an error, not an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from grouper._fast.codes import BLANK
from grouper.base.arrow import text_array
from grouper.codes.book import Resolved
from grouper.grouping.drg.compile import CompiledScheme, Result
from grouper.grouping.drg.conditions import Condition
from grouper.grouping.drg.engine import DrgEngine
from grouper.grouping.drg.evaluate import Case, Evaluator
from grouper.grouping.drg.explanation import Because, CodeStep, Explanation, MdcStep, Sibling, Tried
from grouper.grouping.drg.near import because, near_misses
from grouper.grouping.drg.tables.criteria import warned_groups
from grouper.grouping.drg.tables.model import Adrg, Drg
from grouper.grouping.drg.tables.store import NOT_NAMED
from grouper.grouping.explaining import by_kernel, must_agree, number_columns, read_codes

_SIBLINGS = 12  # so many specific codes are tried in the place of a grey one


@dataclass
class _Walk:
    """The outcome of walking the scheme with one record."""

    refused: list[Tried] = field(default_factory=list)
    mdcs: list[MdcStep] = field(default_factory=list)
    groups: list[Tried] = field(default_factory=list)
    result: Result | None = None


def explain(engine: DrgEngine, record: Mapping[str, Any]) -> Explanation:
    """Explain a record given as canonical columns (grouper.records.schema).

    Raises DataError when the record has no list of diagnoses, and GrouperError when the
    walk and the kernel disagree, which would be a defect of this program.
    """
    compiled = engine.compiled
    diagnoses = read_codes(engine.diagnoses.resolve, record, "diagnoses")
    procedures = [
        pair for pair in read_codes(engine.procedures.resolve, record, "procedures") if pair[1].id != BLANK
    ]
    result = _by_kernel(engine, record)
    codes = _marked(engine, record, "diagnosis", diagnoses)
    codes += _marked(engine, record, "procedure", procedures)
    case = Case(
        diagnoses=tuple(r.code for _, r in diagnoses if r.id >= 0),
        procedures=tuple(r.code for _, r in procedures if r.id >= 0),
        numbers=_numbers(record, compiled),
        department=record.get("department"),
    )
    usable = result["status"] != "invalid"
    walk, retried = _walk_with_retry(compiled, case) if usable else (_Walk(), [])
    if usable:
        found = walk.result
        must_agree(
            (found.mdc, found.adrg, found.drg) if found else None,
            (result["mdc"], result["adrg"], result["drg"]),
        )
    walked = case.with_only(retried[-1]) if retried else case
    severity = Evaluator(compiled.scheme, case).hits if case.diagnoses else []
    untested = warned_groups(compiled.scheme).get(result["drg"] or "")
    return Explanation(
        scheme=compiled.scheme.id,
        weight=compiled.scheme.options.weight,
        codes=codes,
        numbers=dict(case.numbers),
        department=case.department,
        severity=severity,
        refused=walk.refused,
        mdcs=walk.mdcs,
        groups=walk.groups,
        retried=retried,
        near=near_misses(compiled, walked, walk.mdcs, walk.result, codes) if usable else [],
        because=_because(compiled, walked, walk) if usable else [],
        result=result,
        untested=[untested] if untested else [],
        lists=engine.lists,
        tables=engine.exclusions,
    )


def _because(compiled: CompiledScheme, case: Case, walk: _Walk) -> list[Because]:
    """The codes on which the ADRG rests: by its own condition, then by that of its MDC."""
    held = [tried for step in walk.mdcs[-1:] for tried in step.adrgs[-1:] if tried.truth is True]
    groups = [tried for tried in walk.groups[-1:] if tried.truth is True]
    entered = [step.mdc for step in walk.mdcs[-1:]] if held else []
    conditions = [tried.condition for tried in (*held, *groups, *entered)]
    return because(Evaluator(compiled.scheme, case), *conditions)


def _code_steps(kind: str, resolved: Sequence[tuple[str, Resolved]]) -> list[CodeStep]:
    from grouper.codes import icd

    names = icd.diagnoses() if kind == "diagnosis" else icd.procedures_of(icd.EDITIONS[-1])
    return [
        CodeStep(kind, position, raw, r.code, names.get(r.code, ""), r.issue)
        for position, (raw, r) in enumerate(resolved, start=1)
        if position == 1 or r.id != BLANK
    ]


def _marked(
    engine: DrgEngine, record: Mapping[str, Any], kind: str, resolved: Sequence[tuple[str, Resolved]]
) -> list[CodeStep]:
    """The codes of one kind; those that the scheme does not use with the specific codes beside them."""
    steps = []
    for step in _code_steps(kind, resolved):
        id_ = resolved[step.position - 1][1].id
        mark = engine.marks.of(kind, id_, first=step.position == 1) or _grey(engine, kind, step.code)
        instead = _siblings(engine, record, step, [r.code for _, r in resolved]) if mark else ()
        steps.append(replace(step, mark=mark, instead=instead))
    return steps


def _all_grey(kind: str) -> frozenset[str]:
    from grouper.codes import icd

    return frozenset(icd.grey_diagnoses() if kind == "diagnosis" else icd.grey_procedures())


def _grey(engine: DrgEngine, kind: str, code: str) -> str:
    """The mark of a grey code that changes no warning: another diagnosis, or one that the scheme names."""
    if code not in _all_grey(kind):
        return ""
    scheme = engine.compiled.scheme
    named = any(code in codes for name, codes in scheme.lists.items() if name not in NOT_NAMED)
    return "grey-used" if named or code in scheme.complications else "grey"


def _siblings(
    engine: DrgEngine, record: Mapping[str, Any], step: CodeStep, codes: Sequence[str]
) -> tuple[Sibling, ...]:
    """The codes of the same subcategory that the scheme uses, each with the group that it would give."""
    from grouper.codes import icd

    diagnosis = step.kind == "diagnosis"
    names = icd.diagnoses() if diagnosis else icd.procedures()
    used = engine.marks.used - _all_grey(step.kind)
    found = []
    for code in sorted(code for code in names if code[:5] == step.code[:5] and code in used):
        changed = [code if number == step.position else old for number, old in enumerate(codes, 1)]
        other = {**record, ("diagnoses" if diagnosis else "procedures"): changed}
        result = _by_kernel(engine, other)
        found.append(Sibling(code, names[code], result["drg"], result["drg_name"]))
        if len(found) == _SIBLINGS:
            break
    return tuple(found)


def _numbers(record: Mapping[str, Any], compiled: CompiledScheme) -> dict[str, float]:
    return {
        name: float(record[column])
        for name, column in compiled.columns.items()
        if name != "department" and record.get(column) is not None
    }


def _by_kernel(engine: DrgEngine, record: Mapping[str, Any]) -> dict[str, str | None]:
    """The result columns that the batch would give this record."""
    columns = number_columns(record, [c for n, c in engine.compiled.columns.items() if n != "department"])
    if record.get("department") is not None:
        columns["department"] = text_array([record["department"]])
    return by_kernel(engine, record, columns)


def _walk_with_retry(compiled: CompiledScheme, case: Case) -> tuple[_Walk, list[str]]:
    """Walk the scheme; where it says so, again with each other procedure alone."""
    walk = _walk(compiled, case)
    retried: list[str] = []
    if compiled.scheme.options.retry_other_procedures and walk.result == compiled.results[0]:
        for procedure in case.procedures[1:]:
            retried.append(procedure)
            again = _walk(compiled, case.with_only(procedure))
            if again.result != compiled.results[0]:
                return again, retried
    return walk, retried


def _walk(compiled: CompiledScheme, case: Case) -> _Walk:
    """Every MDC and ADRG in order until one gives a result."""
    walk = _Walk()
    evaluator = Evaluator(compiled.scheme, case)
    for mdc in compiled.scheme.mdcs:
        entry = _tried(evaluator, mdc.mdc, mdc.name, compiled.entries[mdc.mdc])
        inside = compiled.scheme.inside[mdc.mdc]
        if entry.truth is not True:
            hopes = (evaluator.holds(compiled.conditions[adrg.variant]) for adrg in inside)
            idle = entry.truth is None and all(hope is False for hope in hopes)
            walk.refused.append(replace(entry, idle=idle))
            continue
        step = MdcStep(entry)
        walk.mdcs.append(step)
        for adrg in inside:
            tried = _tried(evaluator, adrg.adrg, adrg.name, compiled.conditions[adrg.variant])
            step.adrgs.append(tried)
            if tried.truth is True:
                walk.result = _outcome(compiled, evaluator, adrg, walk)
                if walk.result:
                    return walk
    walk.result = compiled.results[0]
    return walk


def _outcome(compiled: CompiledScheme, evaluator: Evaluator, adrg: Adrg, walk: _Walk) -> Result | None:
    """The result inside an ADRG that holds; None when the search goes on."""
    own = Result(adrg.mdc, adrg.adrg, adrg.own_group, adrg.name)
    if adrg.kind in ("ambiguous", "ungrouped"):
        return own
    walk.groups.clear()
    groups: Sequence[Drg] = compiled.scheme.drgs.get(adrg.variant, ())
    for drg, condition in zip(groups, compiled.group_conditions.get(adrg.variant, ()), strict=True):
        tried = _tried(evaluator, drg.drg, drg.name, condition)
        walk.groups.append(tried)
        if tried.truth is True:
            return Result(adrg.mdc, adrg.adrg, drg.drg, drg.name)
    return own if compiled.scheme.stops_without_drg else None


def _tried(evaluator: Evaluator, code: str, name: str, condition: Condition) -> Tried:
    truth = evaluator.holds(condition)
    failing = () if truth is True else tuple(evaluator.failing(condition))
    return Tried(code, name, condition, truth, failing)
