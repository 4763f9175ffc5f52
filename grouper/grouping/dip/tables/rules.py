"""The chain of DIP 3.0 before the basic packets: exclusions, and rules by step (docs/dip.md).

Three optional files of a catalogue folder: ``rules.csv``, ``exclusions.csv`` and ``primary_care.csv``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from grouper.base.errors import TableError
from grouper.grouping.dip import normalise
from grouper.grouping.dip.options import CLASSES, DipOptions
from grouper.grouping.dip.tables.packets import (
    STEPS,
    Packet,
    Row,
    Term,
    broken,
    decimal_of,
    lines_of,
    need_columns,
    one_notation,
    sound_terms,
    terms,
)

RULES, EXCLUSIONS, PRIMARY_CARE = "rules.csv", "exclusions.csv", "primary_care.csv"
EXCLUSION = "exclusion"
BEGINNING = 5  # a diagnosis of up to so many characters stands for all that begin with it
_NEEDED = ("code", "name", "step", "dx", "procedures", "position", "score")
_OPTIONAL = ("related", "other_dx", "any_dx", "treatment", "age_days", "weight", "average_cost")
_DX = re.compile(r"[A-Z][0-9]{2}(\.[0-9A-Z]+)?")
_RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


@dataclass(frozen=True)
class Rule:
    """One rule of a step. Everything that it asks must hold; what it does not name, it does not ask.

    ``dx``: beginnings, one of which the main diagnosis has. ``other_dx`` and ``any_dx``: terms that a
    secondary, or any, diagnosis must each meet. ``main_only``: the record's main operation must be one of
    the packet's main ones. ``treatment``: the class of the case, -1 for any. ``age_days`` and ``weight``
    (birth weight in grams): both ends included.
    """

    step: str
    packet: Packet
    main_only: bool
    dx: Term = ()
    other_dx: tuple[Term, ...] = ()
    any_dx: tuple[Term, ...] = ()
    treatment: int = -1
    age_days: tuple[int, int] | None = None
    weight: tuple[int, int] | None = None

    @property
    def row(self) -> Row:
        return self.packet.rows[0]


@dataclass(frozen=True)
class Exclusions:
    """Codes kept out of grouping, in capitals: main diagnoses and main operations."""

    diagnoses: frozenset[str] = frozenset()
    procedures: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.diagnoses or self.procedures)

    def __or__(self, other: Exclusions) -> Exclusions:
        return Exclusions(self.diagnoses | other.diagnoses, self.procedures | other.procedures)


NO_EXCLUSIONS = Exclusions()


@dataclass(frozen=True)
class Chain:
    """The steps before the basic packets in order, with their rules in the order of steps and of rows."""

    steps: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    exclusions: Exclusions = NO_EXCLUSIONS

    @cached_property
    def _by_beginning(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, rule in enumerate(self.rules):
            for code in rule.dx or ("",):
                found.setdefault(code, []).append(number)
        return found

    @property
    def beginnings(self) -> frozenset[str]:
        """All that rules name as main diagnosis; "" stands for rules that name none."""
        return frozenset(self._by_beginning)

    def under(self, principal: str) -> tuple[int, ...]:
        """The rules, by number, that a main diagnosis (in capitals) can meet."""
        keys = {principal, *(principal[:n] for n in range(BEGINNING + 1))}
        return tuple(sorted({n for key in keys for n in self._by_beginning.get(key, ())}))

    def excludes_diagnosis(self, code: str) -> bool:
        """Whether the list keeps a main diagnosis (in capitals) out of grouping."""
        return stands_in(code, self.exclusions.diagnoses)


def stands_in(code: str, listed: Term | frozenset[str]) -> bool:
    """Whether a diagnosis is one of a list, by its whole code or a beginning that the list names."""
    return code in listed or any(code[:n] in listed for n in range(3, BEGINNING + 1))


def chain_of(options: DipOptions, rules: Sequence[Rule], exclusions: Exclusions, where: str) -> Chain:
    """The chain that the option names. Raises TableError when files and option do not fit together."""
    unused = next((rule for rule in rules if rule.step not in options.chain), None)
    if unused is not None:
        raise TableError(
            zh=f"{where}：{RULES} 的规则 {unused.row.code} 属于步骤 {unused.step}，而选项 chain 没有此步骤",
            en=f"{where}: the rule {unused.row.code} of {RULES} belongs to the step {unused.step}, "
            "which option chain does not name",
        )
    if (EXCLUSION in options.chain) != bool(exclusions):
        raise TableError(
            zh=f"{where}：选项 chain 含 {EXCLUSION} 时须有 {EXCLUSIONS}，反之亦然",
            en=f"{where}: the step {EXCLUSION} of option chain and the file {EXCLUSIONS} need each other",
        )
    ordered = sorted(rules, key=lambda rule: options.chain.index(rule.step))
    return Chain(options.chain, tuple(ordered), exclusions)


# --- reading ----------------------------------------------------------------------------------


def read_rules(path: Path, alternatives: str) -> list[Rule]:
    """The rules of a file; ``alternatives`` is its sign for "or".

    Raises TableError naming line and column.
    """
    header, lines = lines_of(path)
    need_columns(path, header, _NEEDED)
    blank = dict.fromkeys(_OPTIONAL, "")
    return [
        _rule(blank | dict(zip(header, cells, strict=True)), path, line, alternatives)
        for line, cells in lines
    ]


def _rule(raw: Mapping[str, str], path: Path, line: int, alternatives: str) -> Rule:
    named = ("dx", "procedures", "related", "other_dx", "any_dx")
    cells = {**raw, **{name: one_notation(raw[name], alternatives) for name in named}}
    operative = bool(cells["procedures"])
    checks = {
        "code": bool(cells["code"]) and "|" not in cells["code"],
        "step": cells["step"] in STEPS,
        "dx": "+" not in cells["dx"] and _sound_diagnoses(cells["dx"]),
        "procedures": sound_terms(cells["procedures"])
        and bool(operative or cells["dx"] or cells["any_dx"] or cells["other_dx"]),
        "related": sound_terms(cells["related"]) and (operative or not cells["related"]),
        "position": cells["position"] in (("any", "main") if operative else ("",)),
        "other_dx": _sound_diagnoses(cells["other_dx"]),
        "any_dx": _sound_diagnoses(cells["any_dx"]),
        "treatment": cells["treatment"] in ("", *CLASSES),
        "age_days": _sound_range(cells["age_days"]),
        "weight": _sound_range(cells["weight"]),
        "score": decimal_of(cells["score"]) is not None,
        "average_cost": not cells["average_cost"] or decimal_of(cells["average_cost"]) is not None,
    }
    for column, sound in checks.items():
        if not sound:
            broken(path, line, column, raw[column])
    return _sound_rule(cells)


def _sound_rule(cells: Mapping[str, str]) -> Rule:
    score = decimal_of(cells["score"])
    assert score is not None
    row = Row(
        code=cells["code"],
        name=cells["name"],
        kind=cells["step"],
        dx=cells["dx"].upper(),
        procedures=cells["procedures"],
        related=cells["related"],
        treatment=-1,
        score=score,
        average_cost=decimal_of(cells["average_cost"]),
        aux=None,
        packet=cells["code"],
    )
    dx = _diagnoses(cells["dx"])
    return Rule(
        step=cells["step"],
        packet=Packet(row.packet, (row,), terms(row.procedures), terms(row.related)),
        main_only=cells["position"] == "main",
        dx=dx[0] if dx else (),
        other_dx=_diagnoses(cells["other_dx"]),
        any_dx=_diagnoses(cells["any_dx"]),
        treatment=CLASSES.index(cells["treatment"]) if cells["treatment"] else -1,
        age_days=_range(cells["age_days"]),
        weight=_range(cells["weight"]),
    )


def _diagnoses(text: str) -> tuple[Term, ...]:
    """Terms of diagnoses in the spelling in which they are compared."""
    return tuple(tuple(normalise.diagnosis(code) for code in term) for term in terms(text))


def _sound_diagnoses(text: str) -> bool:
    return all(_DX.fullmatch(code) for term in _diagnoses(text) for code in term)


def _range(text: str) -> tuple[int, int] | None:
    match = _RANGE.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


def _sound_range(text: str) -> bool:
    found = _range(text)
    return not text or (found is not None and found[0] <= found[1])


def read_exclusions(path: Path) -> Exclusions:
    """The codes kept out of grouping. Raises TableError naming line and column."""
    header, lines = lines_of(path)
    need_columns(path, header, ("kind", "code"))
    kind, code = header.index("kind"), header.index("code")
    found: dict[str, set[str]] = {"diagnosis": set(), "procedure": set()}
    for line, cells in lines:
        if cells[kind] not in found:
            broken(path, line, "kind", cells[kind])
        folded = (normalise.diagnosis if cells[kind] == "diagnosis" else normalise.procedure)(cells[code])
        if not folded or (cells[kind] == "diagnosis" and not normalise.PRINCIPAL.match(folded)):
            broken(path, line, "code", cells[code])
        found[cells[kind]].add(folded)
    return Exclusions(frozenset(found["diagnosis"]), frozenset(found["procedure"]))


def read_primary_care(path: Path, rows: Sequence[Row]) -> frozenset[str]:
    """The packets (in capitals) of an overlay list of primary-care packets, by packet or by code of a row.

    Raises TableError naming the line of a code that ``rows`` do not have.
    """
    header, lines = lines_of(path)
    need_columns(path, header, ("code",))
    place = header.index("code")
    known = {row.order: row.packet.upper() for row in rows} | {
        row.packet.upper(): row.packet.upper() for row in rows
    }
    found = set()
    for line, cells in lines:
        packet = known.get(cells[place].upper())
        if packet is None:
            raise TableError(
                zh=f"{path} 第 {line} 行列 code：目录中没有病种 {cells[place]}",
                en=f"{path}, line {line}, column code: the catalogue has no {cells[place]}",
            )
        found.add(packet)
    return frozenset(found)
