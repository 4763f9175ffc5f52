"""Compile a scheme into the flat arrays that the kernel runs (see grouper/_fast/drg.pyx).

Every ADRG condition, joined with the entry condition of its MDC, is brought into
disjunctive form; each conjunction is one row. Of a conjunction, the tests that depend on
the codes alone become bits ("this code class can satisfy this row"); what is left becomes
a short postfix program. Rows stand in the order in which the scheme tries its ADRGs, so
the first row that holds names the ADRG.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain
from typing import Any

from grouper.base.errors import TableError
from grouper.base.reasons import REASON_NUMBER
from grouper.grouping.drg.bitsets import Slots, code_classes, joined, named, words_of
from grouper.grouping.drg.conditions import (
    And,
    Compare,
    Condition,
    Const,
    Count,
    Department,
    Discharge,
    In,
    NoProcedure,
    Not,
    Or,
    Severity,
    atoms,
    conjunction,
    disjunction,
    parse,
)
from grouper.grouping.drg.tables.model import UNGROUPED, Adrg, Scheme
from grouper.grouping.drg.tables.store import KEPT

# The numbers of a record, in the order of the kernel's fields, with the canonical column. Which
# weight a scheme reads is an option of it: see ``columns_of``.
FIELDS: dict[str, str] = {
    "sex": "sex",
    "age": "age_years",
    "age_days": "age_days",
    "weight": "birth_weight_g",
    "los": "los_days",
    "icu_hours": "icu_hours",
    "discharge": "discharge_way",
    "department": "department",
}
WEIGHTS = {"birth": "birth_weight_g", "admission": "admission_weight_g"}
MISSING_WEIGHT = {"birth": "missing-birth-weight", "admission": "missing-admission-weight"}
FIELD_NUMBER = {name: number for number, name in enumerate(FIELDS)}
_COMPARISON = {"<": 0, "<=": 1, ">": 2, ">=": 3, "=": 4}
_WHERE = {"principal": 1, "other": 2, "any": 3}
(_CONST, _NUMBER, _DX, _PROC, _NO_PROC, _SEVERITY, _SITES, _COUNT_DX, _COUNT_PROC, _AND, _OR, _NOT) = range(
    12
)
_MAX_CONJUNCTIONS = 64
# Rows that end the search with their own result; an ambiguous one that asks for no procedure has its reason.
_BLOCKS = {"ambiguous": 2, "ungrouped": 3, "unfitting": 4}


@dataclass(frozen=True, slots=True)
class Result:
    """What a record can end with; number 0 of a program is the ungrouped result."""

    mdc: str
    adrg: str
    drg: str
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """One conjunction: the lists that bits decide, and the rest that a program decides."""

    block: int
    slots: Mapping[str, tuple[str, ...]]
    rest: Condition


@dataclass(frozen=True)
class CompiledScheme:
    """A scheme ready to run: parsed conditions for the explanation, arrays for the kernel.

    ``diagnoses`` and ``procedures`` are the codes behind the ids 1, 2, …; id 0 is a code
    that neither the scheme nor its code edition knows. The codes that the scheme uses
    come first, ``scheme_dx`` and ``scheme_proc`` of them.
    """

    scheme: Scheme
    entries: Mapping[str, Condition]
    conditions: Mapping[str, Condition]
    group_conditions: Mapping[str, tuple[Condition, ...]]
    diagnoses: tuple[str, ...]
    procedures: tuple[str, ...]
    scheme_dx: int
    scheme_proc: int
    results: tuple[Result, ...]
    departments: tuple[str, ...]
    columns: Mapping[str, str]  # field of FIELDS -> canonical column
    fields: tuple[str, ...]  # canonical columns that some condition reads
    spec: dict[str, Any] = field(repr=False)

    @cached_property
    def kernel(self) -> Any:
        """The program of the kernel; building it checks every index once."""
        from grouper._fast.drg import DrgProgram

        return DrgProgram(self.spec)


def columns_of(scheme: Scheme) -> dict[str, str]:
    """FIELDS with the weight that the scheme reads: at birth, or on admission (option ``weight``).

    Raises TableError when the option has another value.
    """
    weight = scheme.options.weight
    if weight not in WEIGHTS:
        raise TableError(
            zh=f"方案 {scheme.id}：scheme.toml [options] weight = {weight}，应为 birth 或 admission",
            en=f"scheme {scheme.id}: scheme.toml [options] weight = {weight}, expected birth or admission",
        )
    return {**FIELDS, "weight": WEIGHTS[weight]}


def compile_scheme(
    scheme: Scheme, edition_dx: Collection[str] = (), edition_proc: Collection[str] = ()
) -> CompiledScheme:
    """Compile ``scheme``; the codes of its edition are known codes even where it uses them nowhere.

    Raises TableError when a condition cannot be read or names a list that does not exist.
    """
    return _Compiler(scheme).compile(edition_dx, edition_proc)


class _Compiler:
    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        self.columns = columns_of(scheme)
        self.entries = {mdc.mdc: self.parsed(mdc.entry) for mdc in scheme.mdcs}
        self.conditions = {adrg.variant: self.parsed(adrg.condition) for adrg in scheme.adrgs}
        self.group_conditions = {
            variant: tuple(self.parsed(drg.condition) for drg in groups)
            for variant, groups in scheme.drgs.items()
        }
        everything = {*self.entries.values(), *self.conditions.values()}
        everything.update(c for group in self.group_conditions.values() for c in group)
        self.atoms = {atom for condition in everything for atom in atoms(condition)}
        self.departments: list[str] = []
        self.list_bits: dict[str, dict[str, int]] = {"dx": {}, "proc": {}}
        self.code = array("i")
        self.results = [Result(UNGROUPED, UNGROUPED, UNGROUPED, "")]

    def parsed(self, text: str) -> Condition:
        condition = parse(text)
        for atom in atoms(condition):
            if isinstance(atom, In | Count) and atom.list not in self.scheme.lists:
                raise TableError(
                    zh=f"方案 {self.scheme.id}：条件“{text}”用到不存在的编码集合 {atom.list}",
                    en=f"scheme {self.scheme.id}: condition {text!r} names the list {atom.list}, "
                    "which does not exist",
                )
        return condition

    def compile(self, edition_dx: Collection[str], edition_proc: Collection[str]) -> CompiledScheme:
        sites = self.scheme.sites
        for name in sites:  # consecutive bits, which the kernel counts
            self.bit("dx", name)
        rows, blocks = self.rows_and_blocks()
        row_check = array("i")
        for row in rows:
            row_check.extend(self.program(row.rest))
        group_check, group_result = blocks.pop("group_check"), blocks.pop("group_result")
        entry_check = array("i")
        for entry in self.entries.values():
            if any(isinstance(atom, In) and atom.subject.endswith("_dx") for atom in atoms(entry)):
                entry_check.extend(self.program(entry))
        dx_codes, scheme_dx = self.codes("dx", edition_dx)
        proc_codes, scheme_proc = self.codes("proc", edition_proc)
        words = (len(rows) + 63) // 64
        spec = {
            "words": words,
            "site_first": 0,
            "site_count": len(sites),
            "retry_other_procedures": bool(self.scheme.options.retry_other_procedures),
            "principal_counts": not self.scheme.options.severity_from_other_diagnoses_only,
            "scheme_dx": scheme_dx,
            "results": len(self.results),
            "reasons": REASON_NUMBER,
            "missing_weight": MISSING_WEIGHT[self.scheme.options.weight],
            "row_block": array("i", [row.block for row in rows]),
            "row_check": row_check,
            "group_check": group_check,
            "group_result": group_result,
            "entry_check": entry_check,
            "code": self.code,
            "row_mask": words_of((1 << len(rows)) - 1, words),
            "infant_rows": _rows_with(rows, Compare("age", "=", 0), words),
            "male_rows": _rows_with(rows, Compare("sex", "=", 1), words),
            "female_rows": _rows_with(rows, Compare("sex", "=", 2), words),
            **blocks,
            **self.class_tables(rows, words, dx_codes, proc_codes),
            **self.complication_tables(dx_codes),
        }
        return CompiledScheme(
            scheme=self.scheme,
            entries=self.entries,
            conditions=self.conditions,
            group_conditions=self.group_conditions,
            diagnoses=tuple(dx_codes[1:]),
            procedures=tuple(proc_codes[1:]),
            scheme_dx=scheme_dx,
            scheme_proc=scheme_proc,
            results=tuple(self.results),
            departments=tuple(self.departments),
            columns=self.columns,
            fields=self.fields_used(),
            spec=spec,
        )

    def fields_used(self) -> tuple[str, ...]:
        names: set[str] = set()
        for atom in self.atoms:
            if isinstance(atom, Compare) and atom.field in FIELDS:
                names.add(atom.field)
            elif isinstance(atom, Discharge):
                names.add("discharge")
            elif isinstance(atom, Department):
                names.add("department")
        return tuple(column for name, column in self.columns.items() if name in names)

    # --- rows ---------------------------------------------------------------------------

    def rows_and_blocks(self) -> tuple[list[Row], dict[str, array[int]]]:
        """The rows of all ADRGs, and what each ADRG ("block") does when one of its rows holds."""
        rows: list[Row] = []
        kind, result, starts = array("i"), array("i"), array("i", [0])
        group_check, group_result = array("i"), array("i")
        by_mdc: dict[str, list[Adrg]] = {mdc.mdc: [] for mdc in self.scheme.mdcs}
        for adrg in self.scheme.adrgs:
            by_mdc[adrg.mdc].append(adrg)
        for mdc, adrgs in by_mdc.items():
            for adrg in adrgs:
                block = len(kind)
                whole = conjunction(self.entries[mdc], self.conditions[adrg.variant])
                rows += [_row(block, conjunct) for conjunct in _conjunctions(whole)]
                own = Result(mdc, adrg.adrg, adrg.own_group, adrg.name)
                kind.append(_BLOCKS.get(self.end_of(adrg), 1 if self.scheme.stops_without_drg else 0))
                result.append(self.result(own) if kind[-1] else 0)
                groups = self.scheme.drgs.get(adrg.variant, ())
                for drg, condition in zip(groups, self.group_conditions.get(adrg.variant, ()), strict=True):
                    group_check.extend(self.program(condition))
                    group_result.append(self.result(Result(mdc, adrg.adrg, drg.drg, drg.name)))
                starts.append(len(group_result))
        return rows, {
            "block_kind": kind,
            "block_result": result,
            "block_groups": starts,
            "group_check": group_check,
            "group_result": group_result,
        }

    def end_of(self, adrg: Adrg) -> str:
        """The kind of an ADRG, told apart where it is ambiguous without asking for a procedure."""
        asked = atoms(self.conditions[adrg.variant])
        operations = any(
            isinstance(a, NoProcedure) or getattr(a, "subject", "").endswith("_proc") for a in asked
        )
        return "unfitting" if adrg.kind == "ambiguous" and not operations else adrg.kind

    def result(self, result: Result) -> int:
        self.results.append(result)
        return len(self.results) - 1

    # --- programs -----------------------------------------------------------------------

    def program(self, condition: Condition) -> tuple[int, int]:
        """Where the postfix program of a condition starts, and its length; (0, 0) always holds."""
        if condition == Const(True):
            return 0, 0
        start = len(self.code) // 4
        self.emit(condition)
        return start, len(self.code) // 4 - start

    def emit(self, condition: Condition) -> None:
        match condition:
            case And(items) | Or(items):
                for item in items:
                    self.emit(item)
                self.step(_AND if isinstance(condition, And) else _OR, len(items))
            case Not(item):
                self.emit(item)
                self.step(_NOT)
            case Const(value):
                self.step(_CONST, 2 if value else 0)
            case NoProcedure():
                self.step(_NO_PROC)
            case Severity(level):
                self.step(_SEVERITY, 2 if level == "mcc" else 1)
            case Compare("injured_sites", op, value):
                self.step(_SITES, _COMPARISON[op], value)
            case Compare(name, op, value):
                self.step(_NUMBER, FIELD_NUMBER[name], _COMPARISON[op], value)
            case Department(text):
                if text not in self.departments:
                    self.departments.append(text)
                self.step(_NUMBER, FIELD_NUMBER["department"], _COMPARISON["="], self.departments.index(text))
            case Discharge(ways):
                for way in ways:
                    self.step(_NUMBER, FIELD_NUMBER["discharge"], _COMPARISON["="], way)
                self.step(_OR, len(ways))
            case In(subject, name):
                where, kind = subject.split("_")
                self.step(_DX if kind == "dx" else _PROC, _WHERE[where], self.bit(kind, name))
            case Count(subject, name, op, value):
                where, kind = subject.split("_")
                step = _COUNT_DX if kind == "dx" else _COUNT_PROC
                self.step(
                    step, _WHERE[where], self.bit(kind, name), _COMPARISON[op] << 16 | min(value, 65535)
                )

    def step(self, *numbers: int) -> None:
        self.code.extend([*numbers, 0, 0, 0][:4])

    def bit(self, kind: str, name: str) -> int:
        bits = self.list_bits[kind]
        return bits.setdefault(name, len(bits))

    # --- tables -------------------------------------------------------------------------

    def codes(self, kind: str, edition: Iterable[str]) -> tuple[list[str], int]:
        """The codes behind the ids, the scheme's own first; id 0 stands for an unknown code."""
        own: set[str] = set()
        for name, codes in self.lists_of(kind).items():
            if name not in KEPT:
                own |= codes
        if kind == "dx":
            own.update(self.scheme.complications)
            own.update(*self.scheme.exclusions.values())
        return ["", *sorted(own), *sorted(set(edition) - own)], len(own)

    def lists_of(self, kind: str) -> dict[str, frozenset[str]]:
        """The lists that conditions ask of diagnoses (of procedures)."""
        names: set[str] = set(self.list_bits[kind])
        for atom in self.atoms:
            if isinstance(atom, In | Count) and atom.subject.endswith("_" + kind):
                names.add(atom.list)
        return {name: self.scheme.lists[name] for name in sorted(names)}

    def class_tables(
        self, rows: Sequence[Row], words: int, dx_codes: Sequence[str], proc_codes: Sequence[str]
    ) -> dict[str, Any]:
        """Classes of codes with the same lists, and what each class can satisfy."""
        tables: dict[str, Any] = {}
        for kind, codes in (("dx", dx_codes), ("proc", proc_codes)):
            lists = self.lists_of(kind)
            classes, of_code = code_classes(lists, codes)
            list_words = max(1, (len(self.list_bits[kind]) + 63) // 64)
            names = [named(mask, list(lists)) for mask in classes]
            bits = self.list_bits[kind]
            tables[f"{kind}_class"] = of_code
            tables[f"{kind}_classes"] = len(classes)
            tables[f"{kind}_list_words"] = list_words
            tables[f"{kind}_bits"] = joined(
                [sum(1 << bits[name] for name in held if name in bits) for held in names], list_words
            )
            asked = [row.slots for row in rows]
            principal = Slots(asked, f"principal_{kind}")
            tables[f"{kind}_rows"] = joined([principal.rows(held) for held in names], words)
            if kind == "proc":
                tables["no_proc_rows"] = words_of(principal.always(), words)
                for number, slot in ((1, "any_proc"), (2, "any_proc_2")):
                    anywhere = Slots(asked, slot)
                    tables[f"any{number}_rows"] = joined([anywhere.held(held) for held in names], words)
                    tables[f"any{number}_always"] = words_of(anywhere.always(), words)
            else:
                anywhere = Slots(asked, "any_dx")
                tables["any_dx_rows"] = joined([anywhere.held(held) for held in names], words)
                tables["any_dx_always"] = words_of(anywhere.always(), words)
        return tables

    def complication_tables(self, dx_codes: Sequence[str]) -> dict[str, array[int]]:
        """Per diagnosis: its level and exclusion table, and the tables that it is excluded by."""
        numbers = {name: i + 1 for i, name in enumerate(self.scheme.exclusions)}
        within: dict[str, list[int]] = {}
        for name, codes in self.scheme.exclusions.items():
            for code in codes:
                within.setdefault(code, []).append(numbers[name])
        size = len(dx_codes)
        level, table = array("i", bytes(4 * size)), array("i", bytes(4 * size))
        for position, code in enumerate(dx_codes):
            if code in self.scheme.complications:
                levels, name = self.scheme.complications[code]
                level[position] = ("CC" in levels) | ("MCC" in levels) << 1
                table[position] = numbers.get(name, 0)
        held = [within.get(code, ()) for code in dx_codes]
        starts = array("i", accumulate(map(len, held), initial=0))
        excluded = array("i", chain.from_iterable(held))
        return {"level": level, "table": table, "excluded_start": starts, "excluded": excluded}


def _row(block: int, conjunct: Condition) -> Row:
    """Split a conjunction into what the bitsets decide and what is left."""
    items = conjunct.items if isinstance(conjunct, And) else (conjunct,)
    slots: dict[str, list[str]] = {}
    rest: list[Condition] = []
    for item in items:
        if isinstance(item, In) and item.subject in ("principal_dx", "principal_proc"):
            slots.setdefault(item.subject, []).append(item.list)
        elif isinstance(item, In) and item.subject == "any_dx" and "any_dx" not in slots:
            slots["any_dx"] = [item.list]
        elif isinstance(item, In) and item.subject == "any_proc" and "any_proc_2" not in slots:
            slots["any_proc_2" if "any_proc" in slots else "any_proc"] = [item.list]
        elif item != Const(True):
            rest.append(item)
    return Row(block, {name: tuple(lists) for name, lists in slots.items()}, conjunction(*rest))


def _rows_with(rows: Sequence[Row], test: Condition, words: int) -> array[int]:
    """Rows one part of which is ``test``: a record that fails it need not try them."""
    bits = 0
    for number, row in enumerate(rows):
        if row.rest == test or (isinstance(row.rest, And) and test in row.rest.items):
            bits |= 1 << number
    return words_of(bits, words)


def _conjunctions(condition: Condition) -> list[Condition]:
    """The disjunctive form; a condition with too many branches stays whole, in one program."""
    branches = _branches(condition)
    return [condition] if len(branches) > _MAX_CONJUNCTIONS else branches


def _branches(condition: Condition) -> list[Condition]:
    match condition:
        case Or(items):
            return [branch for item in items for branch in _branches(item)]
        case And(items):
            result: list[Condition] = [Const(True)]
            for item in items:
                result = [conjunction(left, right) for left in result for right in _branches(item)]
                if len(result) > _MAX_CONJUNCTIONS:
                    return [condition] * (_MAX_CONJUNCTIONS + 1)
            return result
        case Not(And(items)):
            return [branch for item in items for branch in _branches(_not(item))]
        case Not(Or(items)):
            return _branches(conjunction(*(_not(item) for item in items)))
    return [condition]


def _not(item: Condition) -> Condition:
    match item:
        case Not(inner):
            return inner
        case And(items):
            return disjunction(*(_not(part) for part in items))
        case Or(items):
            return conjunction(*(_not(part) for part in items))
    return Not(item)
