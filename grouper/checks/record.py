"""Check one record: the same rules, by the same engine, as for files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from grouper.base.shown import Shown
from grouper.checks.evaluate import Checker
from grouper.checks.fields import Read
from grouper.checks.rules import Rule, load_rules
from grouper.grouping.api import Grouper, load_scheme
from grouper.grouping.one import record_batch

if TYPE_CHECKING:
    import pyarrow as pa

    from grouper.payment.policy.policy import Policy
    from grouper.records.columns import ColumnMap


@dataclass(frozen=True)
class Finding(Shown):
    """One finding. ``codes``: those it is about. ``fields``: canonical fields that the rule reads.
    ``correction``: the code of the record that would stand first ("principal=I63.300"), ``corrected_group``
    the group that gives, ``money`` the difference of the amount in yuan, where a policy was given."""

    id: str
    check: int
    severity: str
    text: str
    mend: str
    codes: tuple[str, ...]
    fields: tuple[str, ...]
    group: str | None
    correction: str | None
    corrected_group: str | None
    money: Decimal | None
    source: tuple[str, ...]
    verified: bool

    def line(self) -> str:
        """What it is, in one line."""
        return f"{self.id} {self.severity}: {self.text}"

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "money": None if self.money is None else str(self.money)}


@dataclass(frozen=True)
class Checked(Shown):
    """All that the rules say of a record: findings, ids of rules that passed, and of those not evaluated."""

    findings: tuple[Finding, ...]
    passed: tuple[str, ...]
    not_evaluated: tuple[str, ...]

    def line(self) -> str:
        """What it is, in one line."""
        return f"{len(self.findings)} findings, {len(self.passed)} passed"


def check_record(
    record: Mapping[str, Any],
    scheme: Grouper | str,
    policy: Policy | str | None = None,
    when: date | None = None,
    *,
    area: str = "",
    lang: str = "zh",
) -> Sequence[Finding]:
    """The findings on one record, in the order of the rules; ``checked`` also tells the other rules."""
    return checked(record, scheme, policy, when, area=area, lang=lang).findings


def checked(
    record: Mapping[str, Any],
    scheme: Grouper | str,
    policy: Policy | str | None = None,
    when: date | None = None,
    *,
    area: str = "",
    lang: str = "zh",
) -> Checked:
    """Evaluate the rules of scope record on one record.

    ``record``: values by column names of any known layout, or a 4101 message. ``scheme``: a loaded scheme, or
    its id. ``policy``: a policy, its id or an area: its area's switches apply, and a correction gets its
    difference in yuan where the record has what pricing reads. ``when``: the day of rules, scheme and policy.
    Raises UsageError or DataError for a record that cannot be read.
    """
    grouper = load_scheme(scheme, when=when) if isinstance(scheme, str) else scheme
    priced = _policy(policy, when)
    checker = checker_of(grouper, area or (priced.area if priced else ""), when, lang)

    def worth(read: Read, correction: str) -> Decimal | None:
        if priced is None:
            return None
        from grouper.checks.money import difference

        return difference(priced, checker, read, correction, record, when)

    return checked_row(checker, *record_batch(record), worth)


def checked_row(
    checker: Checker,
    columns: ColumnMap,
    batch: pa.RecordBatch,
    worth: Callable[[Read, str], Decimal | None] = lambda read, correction: None,
) -> Checked:
    """The same of a batch of one row. ``worth``: the yuan of a correction that leads to a group.

    Raises UsageError or DataError for a row that cannot be read.
    """
    reader = checker.reader(columns, batch.schema)
    read = reader.read(batch)
    done = checker.check(read, reader.fields)
    made = []
    for row in done.findings.iter_rows(named=True):
        money = worth(read, row["correction"]) if row["corrected_group"] else None
        made.append(_finding(checker.rules[row["rule"]], row, money))
    passed = tuple(name for name in done.states.columns if done.states[name][0] is False)
    told = {*passed, *(finding.id for finding in made)}
    rest = tuple(rule.id for rule in checker.rules.of("record") if rule.id not in told)
    order = {rule.id: number for number, rule in enumerate(checker.rules.rules)}
    return Checked(tuple(sorted(made, key=lambda f: order[f.id])), passed, rest)


def checker_of(grouper: Grouper, area: str, when: date | None, lang: str) -> Checker:
    """The rules for a scheme, area, day and language; the same object for the same call."""
    return _checker(_Same(grouper), area, when, lang)


class _Same:
    """A loaded scheme by what it is: its digest, and how it reads codes."""

    def __init__(self, grouper: Grouper) -> None:
        self.grouper = grouper
        self._key = (grouper.id, grouper.engine.scheme.digest, str(grouper.options.as_dict()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=64)
def _checker(same: _Same, area: str, when: date | None, lang: str) -> Checker:
    from grouper.checks.weights import weights_of

    return Checker(same.grouper, load_rules(area, when), lang, weights_of(same.grouper.id))


def _policy(policy: Policy | str | None, when: date | None) -> Policy | None:
    if not isinstance(policy, str):
        return policy
    from grouper.payment.policy.policy import find_policy

    return find_policy(policy, when)


def _finding(rule: Rule, row: Mapping[str, Any], money: Decimal | None) -> Finding:
    return Finding(
        id=rule.id,
        check=rule.check,
        severity=rule.severity,
        text=row["text"],
        mend=row["mend"],
        codes=tuple(row["codes"].split("|")) if row["codes"] else (),
        fields=rule.needs,
        group=row["group"],
        correction=row["correction"],
        corrected_group=row["corrected_group"],
        money=money,
        source=rule.source,
        verified=rule.verified,
    )
