"""The steps of a DIP record as data: codes, packets, lists, mixed groups, auxiliary classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grouper.grouping import explaining
from grouper.grouping.dip.trace import RuleStep


@dataclass(frozen=True)
class CodeStep(explaining.CodeStep):
    """``cls`` is the class of an operation, "" otherwise. ``dropped``: an operation that the options delete.
    ``grey``: a grey code; ``instead``: the specific codes of its subcategory.
    """

    cls: str = ""
    dropped: bool = False
    grey: bool = False
    instead: tuple[str, ...] = ()


@dataclass(frozen=True)
class PacketStep:
    """An operative packet under the diagnosis key.

    ``verdict``: candidate, missing-terms, repeats-short (a code is not recorded often enough) or
    not-first (the main operation of the record is another). ``missing``: terms that nothing meets.
    """

    code: str
    name: str
    score: str
    verdict: str
    matched: tuple[str, ...]
    unmatched: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class ListStep:
    """One list of packets: ``core`` or ``primary_care``.

    ``conservative``: won (the conservative packet stands), barred (the rule keeps it out) or "".
    """

    list: str
    packets: tuple[PacketStep, ...]
    rules: tuple[RuleStep, ...]
    winner: str
    conservative: str

    @property
    def decided_by(self) -> str:
        """The last rule that took somebody out."""
        return next((rule.rule for rule in reversed(self.rules) if rule.after != rule.before), "")


@dataclass(frozen=True)
class MixedStep:
    """The search for a mixed group: the class of the case, the keys tried, what was found."""

    cls: str
    tried: tuple[str, ...]
    code: str
    name: str


@dataclass(frozen=True)
class AuxiliaryStep:
    """How the row of the chosen packet was found: the case's levels of the packet's types, and the hit."""

    levels: Mapping[str, tuple[int, ...]]
    rows: Mapping[str, tuple[int, ...]]
    hit: str


@dataclass(frozen=True)
class Tools:
    """The classes that the auxiliary tools give a case, whether the scheme uses them or not.

    ``levels``: per tool, the preferred level first, none where it gives no class. ``charlson``: the
    index. ``complication``: MCC or CC where a secondary diagnosis counts as one.
    """

    levels: Mapping[str, tuple[int, ...]]
    charlson: int
    complication: str
    used: bool
