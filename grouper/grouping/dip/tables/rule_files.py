"""The files of a chain: rules, lists, exclusions, primary care and scores (docs/dip.md)."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from grouper.base.errors import TableError
from grouper.grouping.dip import normalise
from grouper.grouping.dip.options import CLASSES, CONSERVATIVE
from grouper.grouping.dip.tables.packets import (
    STEPS,
    Packet,
    Row,
    Term,
    broken,
    lines_of,
    need_columns,
    one_notation,
    score_of,
    sound_terms,
    terms,
)
from grouper.grouping.dip.tables.rules import EXCLUDES, IN_SCOPE, NOT_MAIN, Exclusions, Listed, Rule

LISTS, SCORES = "lists.csv", "scores.csv"
_NEEDED = ("code", "name", "step", "dx", "procedures", "position", "score")
_OPTIONAL = (
    *("related", "other_dx", "any_dx", "listed", "not_listed", "treatment", "age_days", "weight"),
    "average_cost",
)
_DX = re.compile(r"[A-Z][0-9]{2}(\.[0-9A-Z]+)?")
_CATEGORIES = re.compile(r"([A-Z])([0-9]{2})-([A-Z])([0-9]{2})")
_RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


def read_rules(path: Path, alternatives: str, lists: Mapping[str, Listed], scored: bool = True) -> list[Rule]:
    """The rules of a file; ``alternatives`` is its sign for "or", ``lists`` what its lists are.

    ``scored``: every rule has a score. Raises TableError naming line and column.
    """
    header, lines = lines_of(path)
    need_columns(path, header, _NEEDED)
    blank = dict.fromkeys(_OPTIONAL, "")
    return [
        _rule(blank | dict(zip(header, cells, strict=True)), path, line, alternatives, lists, scored)
        for line, cells in lines
    ]


def _rule(
    raw: Mapping[str, str],
    path: Path,
    line: int,
    alternatives: str,
    lists: Mapping[str, Listed],
    scored: bool,
) -> Rule:
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
        "listed": cells["listed"] in ("", *lists),
        "not_listed": cells["not_listed"] in ("", *lists),
        "treatment": cells["treatment"] in ("", *CLASSES),
        "age_days": _sound_range(cells["age_days"]),
        "weight": _sound_range(cells["weight"]),
        "score": score_of(cells["score"]) is not None or not (scored or cells["score"]),
        "average_cost": not cells["average_cost"] or score_of(cells["average_cost"]) is not None,
    }
    for column, sound in checks.items():
        if not sound:
            broken(path, line, column, raw[column])
    return sound_rule(cells, lists)


def sound_rule(cells: Mapping[str, str], lists: Mapping[str, Listed]) -> Rule:
    """The rule of cells that were checked; diagnoses and operations with ``/`` for "or"."""
    row = Row(
        code=cells["code"],
        name=cells["name"],
        kind=cells["step"],
        dx=cells["dx"].upper(),
        procedures=cells["procedures"],
        related=cells["related"],
        treatment=-1,
        score=score_of(cells["score"]),
        average_cost=score_of(cells["average_cost"]),
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
        listed=lists.get(cells["listed"]),
        not_listed=lists.get(cells["not_listed"]),
    )


# --- cells ------------------------------------------------------------------------------------


def _diagnoses(text: str) -> tuple[Term, ...]:
    """Terms of diagnoses in the spelling in which they are compared; ranges of categories one by one."""
    return tuple(tuple(code for part in term for code in _spelled(part)) for term in terms(text))


def _spelled(text: str) -> tuple[str, ...]:
    """One code, or all categories of a range such as ``C00-C75``."""
    match = _CATEGORIES.fullmatch(text.upper())
    if match is None:
        return (normalise.diagnosis(text),)
    low, high = (ord(match[n]) * 100 + int(match[n + 1]) for n in (1, 3))
    return tuple(f"{chr(n // 100)}{n % 100:02}" for n in range(low, high + 1))


def _sound_diagnoses(text: str) -> bool:
    found = _diagnoses(text)
    return all(term and all(_DX.fullmatch(code) for code in term) for term in found)


def in_ranges(term: Term) -> str:
    """A term of diagnoses with ``/`` for "or" as short as it goes: C00 … C75 as ``C00-C75``."""
    runs: list[list[str]] = []
    for code in term:
        if runs and _follows(runs[-1][-1], code):
            runs[-1].append(code)
        else:
            runs.append([code])
    return "/".join(part for run in runs for part in ([f"{run[0]}-{run[-1]}"] if len(run) > 3 else run))


def _follows(before: str, code: str) -> bool:
    return len(code) == len(before) == 3 and code[0] == before[0] and int(code[1:]) == int(before[1:]) + 1


def _range(text: str) -> tuple[int, int] | None:
    match = _RANGE.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


def _sound_range(text: str) -> bool:
    found = _range(text)
    return not text or (found is not None and found[0] <= found[1])


# --- the other files --------------------------------------------------------------------------


def read_lists(path: Path) -> dict[str, Listed]:
    """The named lists of diagnoses: columns name, place (main or other) and code.

    Raises TableError naming line and column.
    """
    header, lines = lines_of(path)
    need_columns(path, header, ("name", "place", "code"))
    found: dict[str, dict[str, list[str]]] = {}
    for line, values in lines:
        cells = dict(zip(header, values, strict=True))
        code = normalise.diagnosis(cells["code"])
        checks = {
            "name": bool(cells["name"]),
            "place": cells["place"] in ("main", "other"),
            "code": bool(_DX.fullmatch(code)),
        }
        for column, sound in checks.items():
            if not sound:
                broken(path, line, column, cells[column])
        found.setdefault(cells["name"], {"main": [], "other": []})[cells["place"]].append(code)
    return {name: Listed(name, tuple(of["main"]), tuple(of["other"])) for name, of in found.items()}


def read_exclusions(path: Path, alternatives: str = "/") -> Exclusions:
    """The codes kept out of grouping. Raises TableError naming line and column.

    Columns ``kind`` (diagnosis, procedure) and ``code``; for operations also ``rule`` (empty:
    conservative) and ``scope``, the main diagnoses of ``main_in_scope``.
    """
    header, lines = lines_of(path)
    need_columns(path, header, ("kind", "code"))
    diagnoses, found, scopes = set(), dict[str, set[str]](), dict[str, Term]()
    for line, values in lines:
        cells = {"rule": "", "scope": ""} | dict(zip(header, values, strict=True))
        diagnosis = cells["kind"] == "diagnosis"
        code = (normalise.diagnosis if diagnosis else normalise.procedure)(cells["code"])
        scope = one_notation(cells["scope"], alternatives)
        checks = {
            "kind": cells["kind"] in ("diagnosis", "procedure"),
            "code": bool(code) and (not diagnosis or bool(normalise.PRINCIPAL.match(code))),
            "rule": cells["rule"] in (("",) if diagnosis else ("", *EXCLUDES)),
            "scope": "+" not in scope
            and _sound_diagnoses(scope)
            and bool(scope) == (cells["rule"] == IN_SCOPE),
        }
        for column, sound in checks.items():
            if not sound:
                broken(path, line, column, cells[column])
        if diagnosis:
            diagnoses.add(code)
        elif cells["rule"] == IN_SCOPE:
            scopes[code] = _diagnoses(scope)[0]
        else:
            found.setdefault(cells["rule"] or EXCLUDES[0], set()).add(code)
    return Exclusions(
        frozenset(diagnoses),
        frozenset(found.get(EXCLUDES[0], ())),
        frozenset(found.get(NOT_MAIN, ())),
        scopes,
    )


def read_primary_care(
    path: Path, rows: Sequence[Row], alternatives: str = "/"
) -> tuple[frozenset[str], tuple[Rule, ...]]:
    """An overlay list of primary care: packets (in capitals), or conditions that a record meets.

    With a column ``dx`` the list has conditions: main diagnosis, and main operation (``procedures``, empty:
    conservative). Without it the column ``code`` names packets or rows. Raises TableError naming the line.
    """
    header, lines = lines_of(path)
    if "dx" in header:
        return frozenset(), _conditions(path, header, lines, alternatives)
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
    return frozenset(found), ()


def _conditions(
    path: Path, header: Sequence[str], lines: Iterator[tuple[int, list[str]]], alternatives: str
) -> tuple[Rule, ...]:
    """Conditions of primary care, as rules that no step asks for."""
    need_columns(path, header, ("code", "dx", "procedures"))
    blank = dict.fromkeys((*_NEEDED, *_OPTIONAL), "")
    found = []
    for line, values in lines:
        raw = dict(zip(header, values, strict=True))
        named = {name: one_notation(raw[name], alternatives) for name in ("dx", "procedures")}
        checks = {
            "code": bool(raw["code"]) and "|" not in raw["code"],
            "dx": bool(named["dx"]) and "+" not in named["dx"] and _sound_diagnoses(named["dx"]),
            "procedures": sound_terms(named["procedures"]),
        }
        for column, sound in checks.items():
            if not sound:
                broken(path, line, column, raw[column])
        how = {"position": "main"} if named["procedures"] else {"treatment": CLASSES[CONSERVATIVE]}
        found.append(sound_rule({**blank, **named, **how, "code": raw["code"], "step": "primary_care"}, {}))
    return tuple(found)


def read_scores(path: Path, known: Container[str]) -> dict[str, tuple[Decimal, Decimal | None]]:
    """Scores, and costs where there are some, of rows of the base by code in capitals.

    Raises TableError naming line and column, also for a code that is not ``known``.
    """
    header, lines = lines_of(path)
    need_columns(path, header, ("code", "score"))
    found: dict[str, tuple[Decimal, Decimal | None]] = {}
    for line, values in lines:
        cells = {"average_cost": ""} | dict(zip(header, values, strict=True))
        score, cost = score_of(cells["score"]), score_of(cells["average_cost"])
        code = cells["code"].upper()
        if code not in known or code in found:
            broken(path, line, "code", cells["code"])
        if score is None:
            broken(path, line, "score", cells["score"])
        if cells["average_cost"] and cost is None:
            broken(path, line, "average_cost", cells["average_cost"])
        found[code] = (score, cost)
    return found


def scored(row: Row, scores: Mapping[str, tuple[Decimal, Decimal | None]]) -> Row:
    """A row with its score of scores.csv; one that is not there stays as it is."""
    if row.order not in scores:
        return row
    score, cost = scores[row.order]
    return replace(row, score=score, average_cost=cost if cost is not None else row.average_cost)


def scored_rule(rule: Rule, scores: Mapping[str, tuple[Decimal, Decimal | None]]) -> Rule:
    """A rule with the score that its row gets."""
    return replace(rule, packet=replace(rule.packet, rows=(scored(rule.row, scores),)))
