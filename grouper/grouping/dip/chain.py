"""Whether a rule of the chain holds for a case: three-valued, as a missing number may decide."""

from __future__ import annotations

from collections.abc import Iterable

from grouper.grouping.dip.options import CONSERVATIVE, DipOptions
from grouper.grouping.dip.tables.packets import Term
from grouper.grouping.dip.tables.rules import Need, Rule, stands_in
from grouper.grouping.dip.trace import Case, RuleMet, meet


def rule_met(rule: Rule, case: Case, options: DipOptions) -> RuleMet:
    """How a rule stands whose main diagnosis fits."""
    main = rule.main_only
    met = meet(rule.packet, case.operations, options, False, main, case.main, own_main=main)
    days, weight = _days(rule, case), _weight(rule, case)
    holds = {
        "treatment": _treatment(rule, case, options),
        "other_dx": _all_stand(rule.other_dx, case.others),
        "any_dx": _all_stand(rule.any_dx, (case.principal, *case.others)),
        "listed": _listed(rule, case, False),
        "not_listed": _listed(rule, case, True),
        "age_days": days is not False,
        "weight": weight is not False,
        "position": not met.wrong_first,
        "procedures": not met.missing and not met.repeats_short,
    }
    lacking = {"age_days": days, "birth_weight_g": weight}
    return RuleMet(
        rule,
        met,
        tuple(name for name, held in holds.items() if not held),
        tuple(name for name, held in lacking.items() if held is None),
    )


def unmet(terms: Iterable[Term], codes: Iterable[str]) -> list[Term]:
    """The terms of diagnoses that none of ``codes`` meets."""
    known = list(codes)
    return [term for term in terms if not any(stands_in(code, term) for code in known)]


def _all_stand(terms: Iterable[Term], codes: Iterable[str]) -> bool:
    return not unmet(terms, codes)


def holds(need: Need, case: Case) -> bool:
    """Whether the diagnoses of a case show what they must."""
    main = need.main is not None and stands_in(case.principal, need.main)
    other = need.other is not None and any(stands_in(code, need.other) for code in case.others)
    return (main or other) is not need.denied


def _listed(rule: Rule, case: Case, denied: bool) -> bool:
    found = rule.not_listed if denied else rule.listed
    return found is None or holds(Need(found.main, found.other, denied), case)


def conservative(case: Case, options: DipOptions) -> bool:
    """Whether a case counts as conservative, as option ``conservative_rule`` says."""
    if options.conservative_rule == "class":
        return case.cls == CONSERVATIVE
    return options.conservative_rule == "always" or not case.operations


def _treatment(rule: Rule, case: Case, options: DipOptions) -> bool:
    if rule.treatment == CONSERVATIVE:
        return conservative(case, options)
    return rule.treatment in (-1, case.cls)


def _days(rule: Rule, case: Case) -> bool | None:
    """Age in days, which belongs to the first year only; None where it is missing."""
    if rule.age_days is None:
        return True
    if case.numbers.get("age_years", 0) >= 1:
        return False
    return _within(case.numbers.get("age_days"), rule.age_days)


def _weight(rule: Rule, case: Case) -> bool | None:
    if rule.weight is None:
        return True
    return _within(case.numbers.get("birth_weight_g"), rule.weight)


def _within(value: float | None, limits: tuple[int, int]) -> bool | None:
    """Both ends included, fractions with the whole number below them."""
    return None if value is None else limits[0] <= value < limits[1] + 1
