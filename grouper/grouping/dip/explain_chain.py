"""What an explanation says of the chain, and of packets that a record misses by one thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from grouper.grouping.dip.chain import unmet
from grouper.grouping.dip.options import CLASSES
from grouper.grouping.dip.tables.catalogue import Catalogue
from grouper.grouping.dip.tables.packets import Packet, Row, Term
from grouper.grouping.dip.tables.rule_files import in_ranges
from grouper.grouping.dip.tables.rules import Listed
from grouper.grouping.dip.trace import Case, ChainStep, Contest, Met, RuleMet, RuleStep, Trace

_LISTED = 4  # codes of a list that are named


@dataclass(frozen=True)
class ChainStepView:
    """One step of the chain.

    ``verdict``: excluded-diagnosis, excluded-procedure (the case counts as conservative), none-main (no
    operation may be the main one: conservative, too), passed-over (another one is main), not-excluded,
    no-rules (none for this main diagnosis), none-holds or won. ``considered``: rules for the main
    diagnosis; ``holding``: codes of those that hold; ``open``: one that would have won, and the missing
    field that it hangs on, or "". ``passed``: operations that may not be the main one; ``main``: the one
    that is.
    """

    step: str
    verdict: str
    considered: int
    holding: tuple[str, ...]
    rules: tuple[RuleStep, ...]
    winner: str
    name: str
    open: str
    missing: str
    passed: tuple[str, ...] = ()
    main: str = ""

    @property
    def decided_by(self) -> str:
        """The last tie-break rule that took somebody out."""
        return next((rule.rule for rule in reversed(self.rules) if rule.after != rule.before), "")


@dataclass(frozen=True)
class Lack:
    """What a record lacks for a packet.

    ``what``: procedure, repeats (not recorded often enough), position (the main operation is another),
    other_dx, any_dx, listed or not_listed (a named list of diagnoses), treatment (class of the case),
    age_days, weight (g) or conservative (the operations bar it). ``wanted``: codes joined by "/", a class or
    a range.
    """

    what: str
    wanted: str


@dataclass(frozen=True)
class NearMiss:
    """A packet or rule for the main diagnosis that misses one thing; ``met``: the operations it has."""

    list: str
    code: str
    name: str
    score: str
    lack: Lack
    met: tuple[str, ...]


def chain_views(trace: Trace) -> list[ChainStepView]:
    """The steps of the chain that were taken."""
    return [_view(step) for step in trace.chain]


def _view(step: ChainStep) -> ChainStepView:
    row = step.winner.row if step.winner else None
    held = [one for one in step.tried if not one.failed and not one.open]
    return ChainStepView(
        step=step.step,
        verdict=_verdict(step),
        considered=len(step.tried),
        holding=tuple(one.rule.row.code for one in held),
        rules=step.rules,
        winner=row.code if row else "",
        name=row.name if row else "",
        open=step.open.rule.row.code if step.open else "",
        missing=step.open.open[0] if step.open else "",
        passed=step.passed,
        main=step.main,
    )


def _verdict(step: ChainStep) -> str:
    if step.step == "exclusion":
        if step.passed and step.excluded:
            return "none-main"
        return (
            f"excluded-{step.excluded}" if step.excluded else "passed-over" if step.passed else "not-excluded"
        )
    if step.winner is not None:
        return "won"
    return "none-holds" if step.tried else "no-rules"


def near_misses(trace: Trace, catalogue: Catalogue, key: str) -> list[NearMiss]:
    """Packets and rules that lack one thing, those first of which the record meets most."""
    if trace.case is None:
        return []
    found = [miss for step in trace.chain for miss in _of_rules(step, trace.case)]
    for contest in trace.contests:
        found += _of_packets(contest, trace.case)
        if contest.conservative_barred:
            found += _barred(contest, catalogue, key)
    return sorted(found, key=lambda miss: -len(miss.met))


def _of_rules(step: ChainStep, case: Case) -> Iterator[NearMiss]:
    for one in step.tried:
        lacks = list(_lacks_of_rule(one, case))
        # A pre-group of any diagnosis is near only when something of it is there.
        related = one.rule.dx or one.met.matched or (one.rule.any_dx and "any_dx" not in one.failed)
        if len(lacks) == 1 and related:
            yield _miss(step.step, one.rule.packet, one.met, lacks[0], case)


def _lacks_of_rule(one: RuleMet, case: Case) -> Iterator[Lack]:
    rule = one.rule
    yield from _lacks(rule.packet, one.met)
    yield from (Lack("other_dx", in_ranges(term)) for term in unmet(rule.other_dx, case.others))
    yield from (Lack("any_dx", in_ranges(t)) for t in unmet(rule.any_dx, (case.principal, *case.others)))
    for name, listed in (("listed", rule.listed), ("not_listed", rule.not_listed)):
        if name in one.failed and listed:
            places = [f"{place} {in_ranges(of)}" for place, of in _places(listed) if of]
            yield Lack(name, f"{listed.name} ({'; '.join(places)})")
    if "treatment" in one.failed:
        yield Lack("treatment", CLASSES[rule.treatment])
    for name, limits in (("age_days", rule.age_days), ("weight", rule.weight)):
        if name in one.failed and limits:
            yield Lack(name, f"{limits[0]}-{limits[1]}")


def _places(listed: Listed) -> tuple[tuple[str, Term], ...]:
    """The parts of a list, the longer one cut: the explanation is no table."""
    main = listed.main if len(listed.main) <= _LISTED else (*listed.main[:_LISTED], "…")
    return ("main", main), ("other", listed.other)


def _lacks(packet: Packet, met: Met) -> Iterator[Lack]:
    yield from (Lack("procedure", _term(term)) for term in met.missing)
    if met.repeats_short:
        yield Lack("repeats", "+".join(_term(term) for term in met.terms))
    if met.wrong_first and not set(packet.main) & set(met.missing):
        yield Lack("position", "+".join(_term(term) for term in packet.main))


def _of_packets(contest: Contest, case: Case) -> Iterator[NearMiss]:
    for packet, met in contest.tried:
        lacks = list(_lacks(packet, met))
        if len(lacks) == 1:
            yield _miss(_list(contest), packet, met, lacks[0], case)


def _barred(contest: Contest, catalogue: Catalogue, key: str) -> Iterator[NearMiss]:
    for packet in catalogue.conservative.get(key, ()):
        if packet.primary_care == contest.primary_care:
            row = packet.default
            lack = Lack("conservative", CLASSES[0])
            yield NearMiss(_list(contest), row.code, row.name, score_of(row), lack, ())


def _miss(list_: str, packet: Packet, met: Met, lack: Lack, case: Case) -> NearMiss:
    row = packet.default
    codes = tuple(case.operations[place].code for place in met.matched)
    return NearMiss(list_, row.code, row.name, score_of(row), lack, codes)


def _list(contest: Contest) -> str:
    return "primary_care" if contest.primary_care else "core"


def _term(term: Term) -> str:
    return "/".join(term)


def score_of(row: Row) -> str:
    """The score of a row as text, "" where the catalogue prints none."""
    return "" if row.score is None else str(row.score)
