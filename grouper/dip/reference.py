"""DIP grouping one record at a time, in plain Python: the meaning of the options, with every step kept.

The explanation is made from the trace; the tests compare the kernel with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from grouper.dip import auxiliary, facts, normalise
from grouper.dip.auxiliary import AuxCase, Choice
from grouper.dip.catalogue import Catalogue, Packet, Row, Term
from grouper.dip.options import CONSERVATIVE, DIAGNOSTIC, SURGICAL, DipOptions

NUMBERS = ("age_years", "age_days", "los_days", "discharge_way", "icu_hours")
# Values on either side of every limit, tried for a field that is missing.
PROBES: dict[str, tuple[float, ...]] = {
    "age_years": (0, 1, 7, 18, 66),
    "age_days": (0, auxiliary.NEWBORN_DAYS + 1),
    "los_days": (0, 10**6),
    "discharge_way": (1, auxiliary.DIED),
}


@dataclass(frozen=True)
class Operation:
    """A recorded operation that counts, in capitals, with its class and whether the lists know it."""

    code: str
    cls: int
    known: bool


@dataclass(frozen=True)
class Case:
    """One record after step 1. ``dropped``: operations that the options delete."""

    principal: str
    others: tuple[str, ...]
    operations: tuple[Operation, ...]
    dropped: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    total_cost: Decimal | None = None

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
class Trace:
    """Every step of one record. ``row`` is None when it is invalid or ungrouped."""

    case: Case | None
    reason: str
    row: Row | None = None
    packet: Packet | None = None
    won_by: str = ""  # core, primary_care, mixed or blank
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


class Reference:
    """A catalogue with its options, ready to group single records."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.options = catalogue.options
        self.ignored = {normalise.procedure(code) for code in self.options.ignored_procedures}
        packets = (packet for members in catalogue.operative.values() for packet in members)
        named = {c.upper() for p in packets for term in (*p.main, *p.related) for c in term}
        self.known = named | facts.procedure_kinds().keys()

    # --- the record -------------------------------------------------------------------------

    def group(self, record: Mapping[str, Any]) -> Trace:
        """Group a record of canonical columns; lists of texts for diagnoses and procedures."""
        diagnoses = [normalise.diagnosis(text or "") for text in record.get("diagnoses") or [""]]
        procedures = [normalise.procedure(text or "") for text in record.get("procedures") or []]
        reason = self._unusable(diagnoses[0], procedures)
        if reason:
            return Trace(None, reason)
        numbers = {n: float(record[n]) for n in NUMBERS if record.get(n) is not None}
        case = self._case(diagnoses, procedures, numbers, record.get("total_cost"))
        trace = self.trace(case)
        return replace(trace, missing=self._missing(case, trace))

    def _unusable(self, principal: str, procedures: Sequence[str]) -> str:
        if not principal:
            return "no-principal-diagnosis"
        if not normalise.PRINCIPAL.match(principal):
            return "principal-malformed"
        if self.options.unknown_principal == "reject" and principal not in facts.diagnoses():
            return "principal-unlisted"
        if self.options.grey_principal == "reject" and principal in facts.grey_diagnoses():
            return "principal-grey"
        if any(c not in self.known and normalise.with_zeros(c) in self.known for c in procedures):
            return "lost-zero"
        return ""

    def _case(
        self, diagnoses: Sequence[str], procedures: Sequence[str], numbers: Mapping[str, float], cost: Any
    ) -> Case:
        operations, dropped = [], []
        for code in filter(None, procedures):
            if self.is_dropped(code):
                dropped.append(code)
            else:
                cls = facts.procedure_class(code, self.options)
                operations.append(Operation(code, cls, code in facts.procedure_kinds()))
        return Case(
            diagnoses[0],
            tuple(filter(None, diagnoses[1:])),
            tuple(operations),
            tuple(dropped),
            numbers,
            None if cost is None else Decimal(str(cost)),
        )

    def is_dropped(self, code: str) -> bool:
        """Whether the options delete an operation."""
        grey = self.options.grey_procedure == "ignore" and code in facts.grey_procedures()
        return grey or code in self.ignored

    def _missing(self, case: Case, trace: Trace) -> str:
        """The first missing field that could change the row: it is tried on both sides of its limits."""
        if "closest_cost" in self.options.tie_breaks and case.total_cost is None:
            steps = (step for contest in trace.contests for step in contest.rules)
            if any(step.rule == "closest_cost" and len(step.before) > 1 for step in steps):
                return "total_cost"
        if self.options.auxiliary == "off":
            return ""
        for name, values in PROBES.items():
            if name in case.numbers or (name == "age_days" and case.numbers.get("age_years") != 0):
                continue
            for value in values:
                other = self.trace(replace(case, numbers={**case.numbers, name: value}))
                if other.row is not trace.row:
                    return name
        return ""

    def trace(self, case: Case) -> Trace:
        """Steps 3 to 9 for a sound case."""
        case_levels = self._levels(case)
        key = normalise.key(case.principal)
        family = False
        contests = self._contests(case, key, case_levels, family)
        if self.options.procedure_match == "family" and not any(c.candidates for c in contests):
            family = True
            contests = self._contests(case, key, case_levels, family)
        cls, tried, mixed = self._mixed(case, case_levels)
        chosen, order, unmatched = self._select(case, contests, mixed)
        row = chosen.row if chosen else self.catalogue.blank
        won_by = self._list_of(chosen, mixed) if chosen else ("blank" if row else "")
        return Trace(
            case=case,
            reason="grouped" if chosen else "blank-packet" if row else "no-packet",
            row=row,
            packet=chosen.packet if chosen else None,
            won_by=won_by,
            family_pass=family,
            contests=contests,
            mixed=mixed,
            mixed_class=cls,
            mixed_tried=tried,
            order=order,
            surgery_unmatched=unmatched,
            levels=case_levels or {},
            chosen=chosen,
        )

    def _levels(self, case: Case) -> dict[str, tuple[int, ...]] | None:
        if self.options.auxiliary == "off":
            return None
        codes = [operation.code for operation in case.operations]
        short = self.options.severity_min_stay
        return auxiliary.levels(AuxCase(case.principal, case.others, codes, case.numbers, short))

    # --- steps 3 to 5 -----------------------------------------------------------------------

    def _contests(
        self, case: Case, key: str, levels: Mapping[str, tuple[int, ...]] | None, family: bool
    ) -> tuple[Contest, ...]:
        return tuple(self._contest(case, key, levels, family, primary) for primary in (False, True))

    def _contest(
        self,
        case: Case,
        key: str,
        levels: Mapping[str, tuple[int, ...]] | None,
        family: bool,
        primary: bool,
    ) -> Contest:
        packets = [p for p in self.catalogue.operative.get(key, ()) if p.primary_care == primary]
        tried = [(packet, meet(packet, case.operations, self.options, family)) for packet in packets]
        candidates = [
            self._candidate(case, packet, met, levels)
            for packet, met in tried
            if not (met.missing or met.repeats_short or met.wrong_first)
        ]
        if candidates:
            rules, winner = self._decide(case, candidates, family)
            return Contest(primary, tuple(tried), tuple(candidates), tuple(rules), winner)
        still = [p for p in self.catalogue.conservative.get(key, ()) if p.primary_care == primary]
        if not still:
            return Contest(primary, tuple(tried))
        if not self._conservative_allowed(case):
            return Contest(primary, tuple(tried), conservative_barred=True)
        choices = [Candidate(p, auxiliary.choose(p, levels), CONSERVATIVE) for p in still]
        return Contest(primary, tuple(tried), winner=min(choices, key=lambda c: c.row.order))

    def _candidate(
        self, case: Case, packet: Packet, met: Met, levels: Mapping[str, tuple[int, ...]] | None
    ) -> Candidate:
        unmatched = tuple(i for i in range(len(case.operations)) if i not in met.matched)
        cls = max(DIAGNOSTIC, *(case.operations[i].cls for i in met.matched))
        return Candidate(packet, auxiliary.choose(packet, levels), cls, met, unmatched)

    def _conservative_allowed(self, case: Case) -> bool:
        rule = self.options.conservative_rule
        if rule == "class":
            return case.cls == CONSERVATIVE
        return rule == "always" or not case.operations

    def _decide(
        self, case: Case, candidates: Sequence[Candidate], family: bool
    ) -> tuple[list[RuleStep], Candidate]:
        """The tie-break rules in order, each keeping the best; code order at the end."""
        left = list(candidates)
        steps = []
        for rule in (*self.options.tie_breaks, "code_order"):
            if len(left) == 1:
                break
            score = self._scores(rule, case, family)
            best = max(score(candidate) for candidate in left)
            kept = [candidate for candidate in left if score(candidate) == best]
            if rule == "code_order":
                kept = [min(left, key=lambda candidate: candidate.row.order)]
            steps.append(RuleStep(rule, tuple(c.row.code for c in left), tuple(c.row.code for c in kept)))
            left = kept
        return steps, left[0]

    def _scores(self, rule: str, case: Case, family: bool) -> Callable[[Candidate], Any]:
        """What a rule compares, the highest being best; a yes-or-no rule that nobody meets keeps all."""

        def unmatched_surgery(candidate: Candidate) -> bool:
            return any(case.operations[i].cls == SURGICAL for i in candidate.unmatched)

        def first_meets(candidate: Candidate, terms_: Sequence[Term]) -> bool:
            first = case.operations[0].code
            return any(meets(first, code, self.options, family) for term in terms_ for code in term)

        def distance(candidate: Candidate) -> Decimal:
            return abs((candidate.row.average_cost or Decimal(0)) - (case.total_cost or Decimal(0)))

        scores: dict[str, Callable[[Candidate], Any]] = {
            "exact_code": lambda c: -c.met.inexact if c.met else 0,
            "first_procedure_is_main": lambda c: first_meets(c, c.packet.main),
            "first_procedure_in_packet": lambda c: first_meets(c, (*c.packet.main, *c.packet.related)),
            "most_matched": lambda c: len(c.met.terms) if c.met else 0,
            "no_unmatched_surgery": lambda c: not unmatched_surgery(c),
            "exact": lambda c: not c.unmatched,
            "higher_class": lambda c: c.cls,
            "higher_score": lambda c: c.row.score,
            "closest_cost": lambda c: -distance(c),
            "code_order": lambda c: 0,
        }
        return scores[rule]

    # --- steps 6 and 7 ----------------------------------------------------------------------

    def _mixed(
        self, case: Case, levels: Mapping[str, tuple[int, ...]] | None
    ) -> tuple[int, tuple[str, ...], Candidate | None]:
        """The class used, the keys tried, and the mixed candidate."""
        cls = case.cls
        if self.options.mixed_class_from == "first":
            cls = case.operations[0].cls if case.operations else CONSERVATIVE
        lowest = CONSERVATIVE if self.options.mixed_missing_class == "step_down" else cls
        tried: list[str] = []
        for wanted in range(cls, lowest - 1, -1):
            for packets in self.mixed_packets(case.principal[:3], wanted, tried):
                choices = [Candidate(p, auxiliary.choose(p, levels), wanted) for p in packets]
                return cls, tuple(tried), min(choices, key=lambda c: c.row.order)
        return cls, tuple(tried), None

    def mixed_packets(self, category: str, cls: int, tried: list[str]) -> list[Sequence[Packet]]:
        """The mixed packets of the first key that has some; at most one element. ``tried`` gains the keys."""
        for length in (3, 2, 1):
            tried.append(f"{category[:length]}:{cls}")
            packets = self.catalogue.mixed.get((category[:length], cls))
            if packets:
                return [packets]
        fitting = [p for p in self.catalogue.ranges if p.treatment == cls and _inside(category, p.key)]
        if not fitting:
            return []
        width = min(_width(packet.key) for packet in fitting)
        best = [packet for packet in fitting if _width(packet.key) == width]
        tried.append(f"{best[0].key}:{cls}")
        return [best]

    def _select(
        self, case: Case, contests: Sequence[Contest], mixed: Candidate | None
    ) -> tuple[Candidate | None, tuple[str, ...], bool]:
        """The winner, all candidates in the order of preference, and whether unmatched surgery decided."""
        core, primary = (contest.winner for contest in contests)
        named = [(c, rank) for rank, c in enumerate((core, primary, mixed)) if c is not None]
        if not named:
            return None, (), False
        named.sort(key=lambda pair: self.preference(pair[0].cls, pair[1]))
        order = tuple(candidate.row.code for candidate, _ in named)
        operative = [candidate for contest in contests for candidate in contest.candidates]
        if self.options.unmatched_surgery_to_mixed and mixed and mixed.cls == SURGICAL and operative:
            leaves = [any(case.operations[i].cls == SURGICAL for i in c.unmatched) for c in operative]
            if all(leaves):
                return mixed, order, True
        return named[0][0], order, False

    def preference(self, cls: int, rank: int) -> tuple[int, ...]:
        """Where a candidate stands in step 7, the smallest first; ``rank``: core 0, primary 1, mixed 2."""
        if self.options.selection_order == "kind_first":
            return (rank,)
        if self.options.selection_order == "by_class":
            return (-cls, rank)
        if cls == CONSERVATIVE:
            return (2, rank)
        return (1, -cls) if rank == 2 else (0, -cls, rank)

    def _list_of(self, chosen: Candidate, mixed: Candidate | None) -> str:
        return "mixed" if chosen is mixed else "primary_care" if chosen.packet.primary_care else "core"


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


def meet(packet: Packet, operations: Sequence[Operation], options: DipOptions, family: bool) -> Met:
    """How the recorded operations meet a packet's terms."""
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
    short = not missing and options.repeats == "multiset" and not _all_own(fits)
    main = range(len(packet.main))
    wrong_first = (
        options.main_position == "first"
        and bool(operations)
        and not any(meets(operations[0].code, code, options, family) for i in main for code in packet.main[i])
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


def _inside(category: str, key: str) -> bool:
    low, _, high = key.partition("-")
    return low <= category <= high


def _width(key: str) -> int:
    """How many categories a range spans."""
    low, _, high = key.partition("-")
    return _number(high) - _number(low)


def _number(category: str) -> int:
    return (ord(category[0]) - ord("A")) * 100 + int(category[1:])
