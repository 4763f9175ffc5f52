"""DIP grouping one record at a time, in plain Python: the meaning of the options, with every step kept.

The explanation is made from the trace; the tests compare the kernel with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from grouper.grouping.dip import auxiliary, chain, facts, normalise
from grouper.grouping.dip.auxiliary import AuxCase
from grouper.grouping.dip.options import CONSERVATIVE, DIAGNOSTIC, SURGICAL
from grouper.grouping.dip.tables.catalogue import Catalogue
from grouper.grouping.dip.tables.packets import STEPS, Packet, Term
from grouper.grouping.dip.tables.rules import EXCLUSION, IN_SCOPE, NOT_MAIN, stands_in
from grouper.grouping.dip.trace import (
    Candidate,
    Case,
    ChainStep,
    Contest,
    Met,
    Operation,
    RuleMet,
    RuleStep,
    Trace,
    meet,
    meets,
)

NUMBERS = ("age_years", "age_days", "los_days", "discharge_way", "icu_hours")
WEIGHT = "birth_weight_g"
# Values on either side of every limit, tried for a field that is missing.
PROBES: dict[str, tuple[float, ...]] = {
    "age_years": (0, 1, 7, 18, 66),
    "age_days": (0, auxiliary.NEWBORN_DAYS + 1),
    "los_days": (0, 10**6),
    "discharge_way": (1, auxiliary.DIED),
}


class Reference:
    """A catalogue with its options, ready to group single records."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.options = catalogue.options
        self.ignored = {normalise.procedure(code) for code in self.options.ignored_procedures}
        self.place = {row.order: place for place, row in enumerate(catalogue.rows)}
        packets = [packet for members in catalogue.operative.values() for packet in members]
        packets += [rule.packet for rule in catalogue.chain.every]
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
        numbers = {n: float(record[n]) for n in (*NUMBERS, WEIGHT) if record.get(n) is not None}
        if numbers.get(WEIGHT) == 0:  # nobody weighs nothing: the field was left blank
            del numbers[WEIGHT]
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
            contests = [contest.rules for contest in trace.contests]
            steps = [s for rules in (*contests, *(link.rules for link in trace.chain)) for s in rules]
            if any(step.rule == "closest_cost" and len(step.before) > 1 for step in steps):
                return "total_cost"
        hanging = next((step.open for step in trace.chain if step.open), None)
        if hanging is not None:
            return hanging.open[0]
        if self.options.auxiliary == "off" or trace.won_by in STEPS:
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
        """The chain, and steps 3 to 9, for a sound case."""
        case_levels = self._levels(case)
        steps, left, winner, excluded = self._chain(case)
        found = Trace(case, "grouped", chain=steps, levels=case_levels or {})
        if excluded:
            return replace(found, reason="principal-excluded")
        found = replace(found, primary_care=self._overlay(left))
        if winner is not None:
            step = steps[-1].step
            return replace(found, row=winner.row, packet=winner.packet, won_by=step, chosen=winner)
        return self._basic(found, left, case_levels)

    def _basic(self, found: Trace, case: Case, case_levels: Mapping[str, tuple[int, ...]] | None) -> Trace:
        """Steps 3 to 8, for what the chain left of a case."""
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
        return replace(
            found,
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
            chosen=chosen,
        )

    # --- the chain --------------------------------------------------------------------------

    def _chain(self, case: Case) -> tuple[tuple[ChainStep, ...], Case, Candidate | None, bool]:
        """The steps taken, the case behind them, who won, and whether the main diagnosis is excluded."""
        data = self.catalogue.chain
        rules = [data.every[number] for number in data.under(case.principal)]
        steps: list[ChainStep] = []
        for name in data.steps:
            if name == "exclusion":
                step, case = self._exclusion(case)
                steps.append(step)
                if step.excluded == "diagnosis":
                    return tuple(steps), case, None, True
                continue
            tried = [chain.rule_met(rule, case, self.options) for rule in rules if rule.step == name]
            steps.append(self._step(name, case, tried))
            if steps[-1].winner is not None:
                return tuple(steps), case, steps[-1].winner, False
        return tuple(steps), case, None, False

    def _exclusion(self, case: Case) -> tuple[ChainStep, Case]:
        """The step of exclusions, and what it leaves of a case: no operations, or another main one."""
        if self.catalogue.chain.excludes_diagnosis(case.principal):
            return ChainStep(EXCLUSION, excluded="diagnosis"), case
        passed: list[str] = []
        for place, operation in enumerate(case.operations):
            how = self._barred(case, operation.code)
            if how == NOT_MAIN and self.options.not_main == "next":
                passed.append(operation.code)
            elif how:
                break
            else:
                left = replace(case, main=place)
                return ChainStep(EXCLUSION, passed=tuple(passed), main=operation.code), left
        excluded = "procedure" if case.operations else ""
        return ChainStep(EXCLUSION, excluded=excluded, passed=tuple(passed)), replace(case, operations=())

    def _barred(self, case: Case, code: str) -> str:
        """What keeps an operation from being the main one of a case, "" nothing."""
        exact = self.options.procedure_match == "exact"
        how, scope = self.catalogue.chain.exclusions.of_procedure(code, exact)
        if how == IN_SCOPE:
            return "" if stands_in(case.principal, scope) else NOT_MAIN
        return how

    def _overlay(self, case: Case) -> bool:
        """Whether a condition of the overlay of primary care holds."""
        data = self.catalogue.chain
        conditions = [data.every[n] for n in data.under(case.principal) if n >= len(data.rules)]
        return any(not chain.rule_met(rule, case, self.options).failed for rule in conditions)

    def _step(self, name: str, case: Case, tried: Sequence[RuleMet]) -> ChainStep:
        """Who wins among the rules that hold; and who would, did those hold that lack a number."""
        held = [one for one in tried if not one.failed and not one.open]
        possible = [one for one in tried if not one.failed]
        rules, winner = self._best(case, held)
        _, top = self._best(case, possible)
        hanging = next((one for one in possible if one.open and top and one.rule.packet is top.packet), None)
        return ChainStep(name, tuple(tried), tuple(rules), winner, hanging)

    def _best(self, case: Case, held: Sequence[RuleMet]) -> tuple[list[RuleStep], Candidate | None]:
        candidates = [self._candidate(case, one.rule.packet, one.met, None) for one in held]
        if self.options.rule_choice == "row_order" and len(candidates) > 1:
            codes = tuple(candidate.row.code for candidate in candidates)
            return [RuleStep("row_order", codes, codes[:1])], candidates[0]
        return self._decide(case, candidates, False) if candidates else ([], None)

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
        first = self.options.main_position == "first"
        tried = [(p, meet(p, case.operations, self.options, family, first, case.main)) for p in packets]
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
        if not chain.conservative(case, self.options):
            return Contest(primary, tuple(tried), conservative_barred=True)
        choices = [Candidate(p, auxiliary.choose(p, levels), CONSERVATIVE) for p in still]
        return Contest(primary, tuple(tried), winner=min(choices, key=lambda c: c.row.order))

    def _candidate(
        self, case: Case, packet: Packet, met: Met, levels: Mapping[str, tuple[int, ...]] | None
    ) -> Candidate:
        unmatched = tuple(i for i in range(len(case.operations)) if i not in met.matched)
        cls = max([DIAGNOSTIC, *(case.operations[i].cls for i in met.matched)])
        return Candidate(packet, auxiliary.choose(packet, levels), cls, met, unmatched)

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
            main = case.main_operation
            if main is None:
                return False
            return any(meets(main.code, code, self.options, family) for term in terms_ for code in term)

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
            "higher_score": lambda c: c.row.score or Decimal(0),
            "closest_cost": lambda c: -distance(c),
            "code_order": lambda c: 0,
            "row_order": lambda c: -self.place[c.row.order],
        }
        return scores[rule]

    # --- steps 6 and 7 ----------------------------------------------------------------------

    def _mixed(
        self, case: Case, levels: Mapping[str, tuple[int, ...]] | None
    ) -> tuple[int, tuple[str, ...], Candidate | None]:
        """The class used, the keys tried, and the mixed candidate."""
        cls = case.cls
        if self.options.mixed_class_from == "first":
            cls = case.main_operation.cls if case.main_operation else CONSERVATIVE
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


# --- ranges of categories ------------------------------------------------------------------------


def _inside(category: str, key: str) -> bool:
    low, _, high = key.partition("-")
    return low <= category <= high


def _width(key: str) -> int:
    """How many categories a range spans."""
    low, _, high = key.partition("-")
    return _number(high) - _number(low)


def _number(category: str) -> int:
    return (ord(category[0]) - ord("A")) * 100 + int(category[1:])
