"""One call about one record: group, why, payment, limits, what is missing, alternatives.

    answer = grouper.case(record, schemes=["chs-drg-2.0", "chs-drg-3.0"], policy="lishui")
    answer.as_dict()

The grouping is that of ``Grouper.explain``, the payment that of ``grouper pay``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from grouper.base.errors import DataError, UsageError
from grouper.base.reasons import REASONS, STATUS_NAMES, STATUS_ZH
from grouper.base.version import VERSION
from grouper.grouping.api import Grouper
from grouper.grouping.family import family
from grouper.payment.policy.policy import Policy
from grouper.records.alone import reason_alone
from grouper.records.gate import REASONS as GATE_REASONS
from grouper.records.normalise import NormaliseOptions
from grouper.workbench import loaded
from grouper.workbench.alternatives import alternatives_of
from grouper.workbench.answer import CaseAnswer
from grouper.workbench.checks import checks_of
from grouper.workbench.door import Entered, Note, enter
from grouper.workbench.grouped import Grouping
from grouper.workbench.missing import Missing, of_grouping
from grouper.workbench.plain import plain_record, plain_value
from grouper.workbench.pricer import FundShare, Pricer
from grouper.workbench.pricing import Pricing, priced_dict

LANGS = ("zh", "en")


def case(
    record: Any,
    schemes: str | Sequence[str] = (),
    policy: str | Sequence[str] = (),
    when: date | None = None,
    *,
    lang: str = "zh",
    hospital: Mapping[str, Any] | None = None,
    funds: FundShare | Mapping[str, Any] | None = None,
    what_if: Mapping[str, str] | None = None,
    stay: str = "given",
    alternatives: bool = True,
) -> CaseAnswer:
    """Everything that can be told of one record; it never raises for what the record holds.

    ``record``: values by column names of any known layout, or a 4101 message; personal data stop at the door.
    ``schemes``, ``policy``: one or several, by id, path or area; a policy brings the scheme that it goes by.
    ``when``: the day of parameters, else the day of discharge. ``hospital``: columns of the hospital
    (hospital_level, hospital_coefficient …) that the record lacks. ``funds``: what the pool mostly pays, for
    a case that is not settled yet; what is estimated by it is marked. ``what_if``: parameters of the policies
    changed, as in ``grouper pay``. ``stay``: "given", "nights" or "days", as in Options.

    Raises UsageError for a scheme or policy that is not known, with near names; for parameters that are none;
    and when neither scheme nor policy is named.
    """
    names = [schemes] if isinstance(schemes, str) else list(schemes)
    policies = [policy] if isinstance(policy, str) else list(policy)
    if not names and not policies:
        raise UsageError(zh="请给出 schemes 或 policy", en="name schemes or a policy")
    if lang not in LANGS:
        raise UsageError(zh=f"lang 应为 zh 或 en，不是 {lang!r}", en=f"lang is zh or en, not {lang!r}")
    share = None if funds is None else FundShare.of(funds)
    work = _Work(enter(record, hospital), lang, NormaliseOptions(stay=_stay(stay)), when)
    work.group(names)
    for name in policies:
        work.price(name, share, what_if)
    return work.answer(alternatives)


def _stay(stay: str) -> Any:
    if stay not in ("given", "nights", "days"):
        raise UsageError(
            zh=f"stay 应为 given、nights 或 days，不是 {stay!r}",
            en=f"stay is given, nights or days, not {stay!r}",
        )
    return stay


@dataclass
class _Work:
    entered: Entered
    lang: str
    options: NormaliseOptions
    when: date | None
    groupings: dict[str, Grouping] = field(default_factory=dict)
    pricings: list[Pricing] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def day(self) -> date | None:
        """The day that was named, else that of discharge."""
        if self.when is not None:
            return self.when
        text = str(self.entered.given.get("discharge_date", ""))[:10]
        try:
            return date.fromisoformat(text.replace("/", "-"))
        except ValueError:
            return None

    # --- grouping -------------------------------------------------------------------------

    def group(self, names: Sequence[str]) -> None:
        for name in names:
            self._grouping(name)

    def _grouping(self, name: str) -> Grouping:
        grouper = self._loaded(name)
        if grouper.id not in self.groupings:
            self.groupings[grouper.id] = self._grouped(grouper)
        return self.groupings[grouper.id]

    def _loaded(self, name: str) -> Grouper:
        """By id or path; of an area with several schemes, the one of the day."""
        try:
            return loaded.scheme(name, stay=self.options.stay)
        except UsageError:
            if self.day is None:
                raise
            return loaded.scheme(name, self.day, stay=self.options.stay)

    def _grouped(self, grouper: Grouper) -> Grouping:
        prepared: dict[str, Any] = {}
        try:
            prepared = self.entered.prepared(grouper.required, self.options)
            return Grouping(grouper, prepared, grouper.explain(prepared))
        except DataError as error:
            return Grouping(grouper, prepared, None, error)

    # --- payment --------------------------------------------------------------------------

    def price(self, name: str, share: FundShare | None, what_if: Mapping[str, str] | None) -> None:
        day = self.day
        if day is None and name not in loaded.policy_ids() and _is_area(name):
            self.pricings.append(Pricing(name, None, None, None, "no-date"))
            return
        try:
            loaded.policy(name, day)
        except UsageError:
            if self.when is None and _is_area(name):  # the day is the record's
                self.pricings.append(Pricing(name, None, None, None, "not-in-force"))
                return
            raise
        found = loaded.policy(name, day, what_if)
        grouping = self._grouping(found.scheme) if found.scheme else next(iter(self.groupings.values()), None)
        if grouping is None:
            raise UsageError(
                zh=f"政策 {found.id} 没有写明方案；请用 schemes 指明",
                en=f"policy {found.id} names no scheme; name it with schemes",
            )
        self.pricings.append(self._priced(found, grouping, day, share))

    def _priced(
        self, policy: Policy, grouping: Grouping, day: date | None, share: FundShare | None
    ) -> Pricing:
        name = policy.id
        if day is None:
            return Pricing(name, policy, None, grouping.grouper.id, "no-date")
        if not policy.valid_from <= day <= policy.valid_to:
            return Pricing(name, policy, None, grouping.grouper.id, "not-in-force")
        if grouping.explained is None:
            return Pricing(name, policy, None, grouping.grouper.id, "held")
        reason = self._reason()
        if reason is not None:
            return Pricing(name, policy, None, grouping.grouper.id, reason)
        pricer = Pricer(policy, day, {**self.entered.given, **grouping.prepared}, share)
        priced = pricer.price(grouping.prepared, grouping.result)
        return Pricing(name, policy, pricer, grouping.grouper.id, "", priced)

    def _reason(self) -> str | None:
        """Why the record is no stay."""
        given = dict(self.entered.given)
        try:
            return reason_alone(given)
        except DataError as error:
            self.notes.append(Note("word", "", error.zh, error.en))
            return None

    # --- the answer -----------------------------------------------------------------------

    def answer(self, alternatives: bool) -> CaseAnswer:
        record, notes = plain_record(self.entered, self.options, self.lang)
        reason = self._reason()
        index = self.lang == "en"
        record["stay"] = {
            "counts": reason is None,
            "reason": reason,
            "text": GATE_REASONS[reason][index] if reason else "",
        }
        lacks = [*of_grouping(self.groupings.values()), *(m for p in self.pricings for m in p.missing())]
        record["notes"] = [note.as_dict(self.lang) for note in self._notes(notes)]
        prices = [priced_dict(pricing, self.lang) for pricing in self.pricings]
        arranged = alternatives_of(self.groupings, self.pricings, self.lang) if alternatives else None
        return CaseAnswer(
            lang=self.lang,
            record=record,
            missing=[lack.as_dict(self.lang) for lack in Missing.joined(lacks)],
            schemes=[self._scheme(grouping, prices) for grouping in self.groupings.values()],
            prices=prices,
            alternatives=arranged,
            checks=checks_of(self.entered, self.groupings, self.pricings, arranged, self.when, self.lang),
            provenance=self._provenance(),
        )

    def _notes(self, more: Sequence[Note]) -> list[Note]:
        found = [*self.entered.notes, *more, *self.notes]
        found += [note for p in self.pricings if p.pricer for note in p.pricer.notes]
        return list(dict.fromkeys(found))

    def _scheme(self, grouping: Grouping, prices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        scheme = grouping.grouper.engine.scheme
        kind = family(grouping.grouper.engine.kind)
        head = {
            "scheme": {"id": scheme.id, "name": scheme.name, "kind": kind.KIND, "digest": scheme.digest},
        }
        if grouping.explained is None:
            assert grouping.error is not None
            return head | {
                "status": "invalid",
                "status_text": STATUS_ZH[-1] if self.lang == "zh" else STATUS_NAMES[-1],
                "reason": "unreadable",
                "reason_text": grouping.error.text(self.lang),
                "group": None, "group_name": None, "weight": None, "result": {}, "explanation": None,
            }  # fmt: skip
        result = grouping.result
        reason = next(item for item in REASONS if item.code == result["reason"])
        status = STATUS_NAMES.index(result["status"])
        weights = [p["weight"] for p in prices if p["scheme"] == scheme.id and p["weight"]]
        plain = {name: plain_value(value) for name, value in result.items()}
        return head | {
            "status": result["status"],
            "status_text": STATUS_ZH[status] if self.lang == "zh" else STATUS_NAMES[status],
            "reason": result["reason"],
            "reason_text": reason.en if self.lang == "en" else reason.zh,
            "group": result[kind.GROUP] or None,
            "group_name": result[kind.GROUP_NAME] or None,
            "weight": weights[0] if weights else None,
            "result": plain | {"reason_text": reason.en if self.lang == "en" else reason.zh},
            "explanation": grouping.details(self.lang),
        }

    def _provenance(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "schemes": [
                {"id": g.grouper.id, "digest": g.grouper.engine.scheme.digest}
                for g in self.groupings.values()
            ],
            "policies": [
                {"id": p.policy.id, "digest": p.policy.digest, "unverified": p.unverified()}
                for p in self.pricings
                if p.policy is not None
            ],
        }


def _is_area(name: str) -> bool:
    """Whether a name is a policy, or an area that has some."""
    return any(name in (id_, id_.split("/")[0]) for id_ in loaded.policy_ids())
