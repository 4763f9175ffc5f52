"""The code lists of the rules: derived from the ICD tables and the reference scheme, or given by prefixes.

``lists.toml`` says how a list is derived, ``codes.csv`` holds those that nothing gives. A list is asked
code by code, so that only the codes that occur are looked at.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from grouper.base.errors import TableError
from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table
from grouper.base.toml_in import read_toml
from grouper.codes import icd
from grouper.grouping.locate import locate

Test = Callable[[str], bool]
SIDES = ("diagnosis", "procedure")
_CODES = ("list", "side", "code", "note", "source", "verified")
_UNSPECIFIED = re.compile(r"[A-Z]\d\d\.9(?:00)?")
_HALVES = re.compile(r"(.+)\+(.+\*)")


class CodeLists:
    """All lists by name: ``side`` of each, and whether a code or what was noted of its text is in it."""

    def __init__(self, where: Path) -> None:
        self.side: dict[str, str] = {}
        self._prefixes: dict[str, tuple[str, ...]] = _prefixes(where / "codes.csv", self.side)
        raw = read_toml(where / "lists.toml", kind=TableError)
        self.reference = str(raw["reference"])
        self._derived: dict[str, Mapping[str, Any]] = raw["lists"]
        for name, spec in self._derived.items():
            if name in self.side or spec.get("side") not in SIDES:
                raise TableError(
                    zh=f"lists.toml：集合 {name} 有误", en=f"lists.toml: the list {name} is wrong"
                )
            self.side[name] = spec["side"]
        self._sets: dict[str, frozenset[str]] = {}

    def has(self, name: str, code: str, issue: str) -> bool:
        """Whether a code is in the list; ``issue``: what was noted of its text (grouper.codes.book)."""
        if name in self._prefixes:
            return code.startswith(self._prefixes[name])
        spec = self._derived[name]
        if "issue" in spec:
            return issue in spec["issue"]
        if any(self.has(other, code, issue) for other in spec.get("without_codes", ())):
            return False
        return code in self._codes(name) or any(self.has(n, code, issue) for n in spec.get("codes", ()))

    def _codes(self, name: str) -> frozenset[str]:
        if name not in self._sets:
            self._sets[name] = self._derive(self._derived[name])
        return self._sets[name]

    def _derive(self, spec: Mapping[str, Any]) -> frozenset[str]:
        if "icd" in spec:
            return _ICD[spec["icd"]](spec["side"])
        scheme = _reference(self.reference)
        if "level" in spec:
            levels = scheme.complications.items()
            return frozenset(code for code, (held, _) in levels if spec["level"] in held)
        if "only_mdc" in spec:
            return _only(scheme, {mdc[-1] for mdc in spec["only_mdc"]})
        taken = frozenset().union(*(scheme.lists[name] for name in spec.get("scheme", ())))
        return taken.difference(*(scheme.lists[name] for name in spec.get("without_scheme", ())))


@cache
def code_lists() -> CodeLists:
    """The shipped lists. Raises TableError."""
    return CodeLists(tables_dir() / "checks")


def _prefixes(where: Path, side: dict[str, str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for row in read_table(where, needed=_CODES, known=(), kind=TableError):
        name = row.text("list")
        if row.text("side") not in SIDES or side.setdefault(name, row.text("side")) != row.text("side"):
            raise row.error("side", "应为 diagnosis 或 procedure", "should be diagnosis or procedure")
        found[name].append(row.text("code"))
    return {name: tuple(codes) for name, codes in found.items()}


@lru_cache(maxsize=16)
def _reference(name: str) -> Any:
    """The scheme whose lists are read."""
    return locate(name, None).load(None)


def _only(scheme: Any, letters: set[str]) -> frozenset[str]:
    """Operations that stand in lists of these MDC and in those of no other."""
    of: dict[str, set[str]] = defaultdict(set)
    for name, codes in scheme.lists.items():
        if ".proc" in name:
            for code in codes:
                of[code].add(name[0])
    return frozenset(code for code, found in of.items() if found <= letters)


def _grey(side: str) -> frozenset[str]:
    return icd.grey_diagnoses() if side == "diagnosis" else icd.grey_procedures()


def _dagger_halves(side: str) -> frozenset[str]:
    """Codes that the edition has as one half of a pair only."""
    halves = {match[1] for code in icd.diagnoses() if (match := _HALVES.fullmatch(code))}
    return frozenset(halves - icd.diagnoses().keys())


def _unspecified(side: str) -> frozenset[str]:
    """Unspecified codes (.9) of a category that has more specific ones which are in use."""
    codes, cases, *_ = icd.read_columns("diagnosis_frequency", "code,cases,lists,groups")
    used = {code for code, number in zip(codes, cases, strict=True) if number}
    categories = {code[:3] for code in used if not _UNSPECIFIED.fullmatch(code)}
    return frozenset(c for c in icd.diagnoses() if _UNSPECIFIED.fullmatch(c) and c[:3] in categories)


_ICD: dict[str, Callable[[str], frozenset[str]]] = {
    "grey": _grey,
    "dagger-half": _dagger_halves,
    "unspecified": _unspecified,
}
