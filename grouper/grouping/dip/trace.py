"""What the reference keeps of one record: every step, and how a packet's operations are met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from grouper.grouping.dip.auxiliary import Choice
from grouper.grouping.dip.options import CONSERVATIVE, DipOptions
from grouper.grouping.dip.tables.packets import Packet, Row, Term
from grouper.grouping.dip.tables.rules import Rule


@dataclass(frozen=True)
class Operation:
    """A recorded operation that counts, in capitals, with its class and whether the lists know it."""

    code: str
    cls: int
    known: bool


@dataclass(frozen=True)
class Case:
    """One record after step 1. ``dropped``: operations that the options delete.

    ``main``: the place of the main operation; those before it may not be main ones.
    """

    principal: str
    others: tuple[str, ...]
    operations: tuple[Operation, ...]
    dropped: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    total_cost: Decimal | None = None
    main: int = 0

    @property
    def main_operation(self) -> Operation | None:
        return self.operations[self.main] if self.operations else None

    @property
    def cls(self) -> int:
        """The highest class of the operations."""
        return max((operation.cls for operation in self.operations), default=CONSERVATIVE)


@dataclass(frozen=True)
class Met:
    """How the terms of a packet are met. ``missing``: terms that are not; then it is no candidate."""

    terms: tuple[Term, ...]
    missing: tuple[Term, ...]
    inexact: int
    matched: tuple[int, ...]  # recorded operations that meet some code of the packet, by place
    repeats_short: bool = False  # every term is met, but not by operations of their own
    wrong_first: bool = False  # the first operation does not meet the main part, as main_position asks


@dataclass(frozen=True)
class Candidate:
    """A packet that the record could go to, with the row chosen in it."""

    packet: Packet
    choice: Choice
    cls: int
    met: Met | None = None
    unmatched: tuple[int, ...] = ()

    @property
    def row(self) -> Row:
        return self.choice.row


@dataclass(frozen=True)
class RuleStep:
    """One tie-break rule: who was left before, who after."""

    rule: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Contest:
    """One list of packets (core or primary care): tried, candidates, rules, and the one left."""

    primary_care: bool
    tried: tuple[tuple[Packet, Met], ...] = ()
    candidates: tuple[Candidate, ...] = ()
    rules: tuple[RuleStep, ...] = ()
    winner: Candidate | None = None
    conservative_barred: bool = False  # a conservative packet is there, but the rule keeps it out


@dataclass(frozen=True)
class RuleMet:
    """How one rule of the chain stands.

    ``failed``: the conditions that do not hold, by their column in rules.csv. ``open``: the missing
    fields on which it hangs.
    """

    rule: Rule
    met: Met
    failed: tuple[str, ...]
    open: tuple[str, ...]


@dataclass(frozen=True)
class ChainStep:
    """One step of the chain.

    ``open``: a rule that would have won, had the missing number been right. In the step of exclusions,
    ``excluded``: ``diagnosis`` or ``procedure`` where the main one is in the list; ``passed``: operations
    that may not be main ones, and ``main``: the one that is.
    """

    step: str
    tried: tuple[RuleMet, ...] = ()
    rules: tuple[RuleStep, ...] = ()
    winner: Candidate | None = None
    open: RuleMet | None = None
    excluded: str = ""
    passed: tuple[str, ...] = ()
    main: str = ""


@dataclass(frozen=True)
class Trace:
    """Every step of one record. ``row`` is None when it is invalid or ungrouped."""

    case: Case | None
    reason: str
    row: Row | None = None
    packet: Packet | None = None
    won_by: str = ""  # a step of the chain, core, primary_care, mixed or blank
    primary_care: bool = False  # a condition of the overlay of primary care holds
    chain: tuple[ChainStep, ...] = ()
    family_pass: bool = False
    contests: tuple[Contest, ...] = ()
    mixed: Candidate | None = None
    mixed_class: int = CONSERVATIVE
    mixed_tried: tuple[str, ...] = ()
    order: tuple[str, ...] = ()  # the candidates of step 7 in the order of preference
    surgery_unmatched: bool = False  # the rule unmatched_surgery_to_mixed decided
    levels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    missing: str = ""  # the field that is missing and could change the row
    chosen: Candidate | None = None

    @property
    def kind(self) -> str:
        """The kind of the row, or ungrouped, or invalid."""
        if self.row is not None:
            return self.row.kind
        return "invalid" if self.case is None else "ungrouped"


# --- meeting the requirement of a packet -----------------------------------------------------------


def meets(recorded: str, code: str, options: DipOptions, family: bool) -> bool:
    """Whether a recorded operation (in capitals) meets a code of a packet."""
    wanted = code.upper()
    if recorded == wanted:
        return True
    if options.procedure_match == "exact":
        return False
    if len(wanted) < 7 and recorded.startswith(wanted):
        return True
    return family and recorded[:5] == wanted[:5]


def meet(
    packet: Packet,
    operations: Sequence[Operation],
    options: DipOptions,
    family: bool,
    main_only: bool,
    main_place: int = 0,
    own_main: bool = False,
) -> Met:
    """How the recorded operations meet a packet's terms.

    ``main_only``: the main operation, that at ``main_place``, must be one of the packet's main ones.
    ``own_main``: it then serves no related term (where repeats count).
    """
    terms = [*packet.main, *packet.related]
    if options.repeats == "set":
        terms = list({frozenset(code.upper() for code in term): term for term in terms}.values())
    fits = [
        [
            i
            for i, operation in enumerate(operations)
            if any(meets(operation.code, code, options, family) for code in term)
        ]
        for term in terms
    ]
    recorded = {operation.code for operation in operations}
    missing = tuple(term for term, places in zip(terms, fits, strict=True) if not places)
    inexact = sum(recorded.isdisjoint(code.upper() for code in term) for term in terms)
    own = [
        [at for at in places if at != main_place] if own_main and i >= len(packet.main) else places
        for i, places in enumerate(fits)
    ]
    short = not missing and options.repeats == "multiset" and not _all_own(own)
    first = operations[main_place].code if operations else ""
    wrong_first = (
        main_only
        and bool(operations)
        and not any(meets(first, code, options, family) for term in packet.main for code in term)
    )
    matched = tuple(sorted({place for places in fits for place in places}))
    return Met(tuple(terms), missing, inexact, matched, short, wrong_first)


def _all_own(fits: Sequence[Sequence[int]]) -> bool:
    """Whether every term can have an operation of its own (a maximum matching)."""
    owner: dict[int, int] = {}

    def place(term: int, seen: set[int]) -> bool:
        for at in fits[term]:
            if at not in seen:
                seen.add(at)
                if at not in owner or place(owner[at], seen):
                    owner[at] = term
                    return True
        return False

    return all(place(term, set()) for term in range(len(fits)))
