"""What a hospital is paid for a month, and what is left to pay for a year.

Month: deposit = base × guarantee_rate; prepaid = (base - deposit) × prepay_rate; the rest is deferred to
the year. From the prepaid amount the advance is offset first, then audit deductions are taken; what is
left is payable, and what they exceed it by is carried to the next month. An advance (``advance_months`` times
the monthly due that the budget file names) is paid whole beside it, since it is lent; what months have not
offset of it, the clearing recovers. Where prepayment goes by quarters, the last month of one pays for its
three, from the money of its three. What corrections of earlier years come to is paid whole beside the
prepayment: no clearing of this year carries it. Year: balance = due - prepaid - deposit; the deposit returns
by the assessment score. Each amount is rounded to the fen, halves away from zero, where it first appears; the
others are differences, so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from grouper.base.errors import DataError, ReconciliationError
from grouper.base.money import Fen
from grouper.payment.policy.sharing import fen
from grouper.payment.policy.terms import Terms
from grouper.payment.pool.apportion import apportion
from grouper.payment.pool.budget import Budget, Entry, distributable
from grouper.payment.pool.pool import Settled

Key = tuple[str, str]  # hospital, pool
MONTH_TERMS = ("guarantee_rate", "prepay_rate", "prepay_base", "prepay_period", "advance_months")
YEAR_TERMS = ("guarantee_rate", "assessment_full", "assessment_rule")
_HUNDRED = Fraction(100)


@dataclass(frozen=True)
class Monthly:
    """A hospital's month in a pool, in fen.

    deposit + prepaid + deferred = due; advance + audit + payable + carried = prepaid + earlier_years +
    advanced, where ``carried`` is 0 or negative: what offsets and deductions exceed the payment by, and
    ``advanced`` is lent: offset by later months or recovered by the clearing.
    """

    hospital: str
    pool: str
    due: Fen
    deposit: Fen
    prepaid: Fen
    deferred: Fen
    advance: Fen
    audit: Fen
    payable: Fen
    carried: Fen
    earlier_years: Fen = 0
    advanced: Fen = 0
    clauses: str = ""


@dataclass(frozen=True)
class Yearly:
    """A hospital's year in a pool, in fen.

    prepaid + deposit + balance = due; returned + forfeited = deposit; final = balance + returned - advance
    - audit: what is still to be paid, or if negative to be recovered.
    """

    hospital: str
    pool: str
    due: Fen
    prepaid: Fen
    deposit: Fen
    balance: Fen
    score: Fraction | None
    returned: Fen
    forfeited: Fen
    advance: Fen
    audit: Fen
    final: Fen
    clauses: str = ""


def dues(pools: Mapping[str, Settled]) -> dict[Key, Fen]:
    """Fund due in fen by hospital and pool."""
    return {(h, name): due.total for name, settled in pools.items() for h, due in settled.dues.items()}


def pay_month(
    due: Fen,
    guarantee: Fraction,
    prepay: Fraction,
    *,
    base: Fen | None = None,
    entry: Entry | None = None,
    earlier_years: Fen = 0,
    advanced: Fen = 0,
    hospital: str = "",
    pool: str = "",
    clauses: str = "",
) -> Monthly:
    """One hospital's month: ``base`` (the due, unless given) is what rates apply to; ``earlier_years`` is
    paid (or, negative, taken) beside it.

    A negative base is settled whole, without deposit. No offset nor deduction is taken from ``advanced``.
    """
    base = due if base is None else base
    entry = entry or Entry()
    deposit = fen(base * guarantee) if base > 0 else 0
    prepaid = fen((base - deposit) * prepay) if base > 0 else base
    left = prepaid + earlier_years - entry.advance - entry.audit
    return Monthly(
        hospital, pool, due, deposit, prepaid, due - deposit - prepaid, entry.advance, entry.audit,
        max(left, 0) + advanced, min(left, 0), earlier_years, advanced, clauses,
    )  # fmt: skip


def clear_month(
    terms: Terms,
    budget: Budget,
    due: Mapping[Key, Fen],
    *,
    more: Mapping[str, Fen] | None = None,
    earlier_years: Mapping[Key, Fen] | None = None,
) -> list[Monthly]:
    """All hospitals of a month (or of the months that one prepayment covers), in the order of their keys.

    ``due`` is empty in a month that prepays nothing. ``more``: by pool, the distributable fen of the other
    months covered, where ``budget`` is that of the last. Hospitals of the budget file that have something to
    settle appear even without cases. Raises ReconciliationError when an identity does not hold.
    """
    rows = []
    apart = earlier_years or {}
    bases = _bases(terms, budget, due, more or {})
    for key in sorted(due.keys() | apart.keys() | _open(budget)):
        hospital, pool = key
        own, members = Terms(terms.values), budget.pools[pool].members
        guarantee = own.otherwise("guarantee_rate", "0", members, hospital=hospital)
        prepay = own.otherwise("prepay_rate", "1", members, hospital=hospital)
        own.choice("prepay_base", "due")
        entry = budget.entry(hospital, pool)
        rows.append(
            pay_month(
                due.get(key, 0),
                guarantee,
                prepay,
                base=bases.get(key, 0),
                entry=entry,
                earlier_years=apart.get(key, 0),
                advanced=_advanced(own, entry, members, hospital),
                hospital=hospital,
                pool=pool,
                clauses=own.clauses(*MONTH_TERMS),
            )
        )
        terms.absorb(own)
    check_months(rows)
    return rows


def _advanced(terms: Terms, entry: Entry | None, members: Sequence[str], hospital: str) -> Fen:
    """The advance of a hospital: ``advance_months`` of what it is due a month, by the budget file."""
    if entry is None or not entry.advance_base:
        return 0
    months = terms.agreed("advance_months", members, hospital=hospital)
    return fen(entry.advance_base * (terms.need("advance_months") if months is None else months))


def _bases(
    terms: Terms, budget: Budget, due: Mapping[Key, Fen], more: Mapping[str, Fen]
) -> Mapping[Key, Fen]:
    """What prepayment goes by: the dues, or the pool's money of the period shared out by the dues."""
    if terms.choice("prepay_base", "due") == "due":
        return due
    bases: dict[Key, Fen] = {}
    for name, pool in budget.pools.items():
        weights = {key: max(amount, 0) for key, amount in due.items() if key[1] == name}
        if weights:
            money = distributable(pool, terms, budget.where).amount + more.get(name, 0)
            bases |= apportion(money, weights)
    return bases


def _open(budget: Budget) -> set[Key]:
    """Hospitals that have something to settle whether or not they have cases."""
    return {
        key
        for key, entry in budget.hospitals.items()
        if key[1] != "*"
        and (entry.prepaid or entry.deposit or entry.advance or entry.audit or entry.advance_base)
    }


def months_paid(terms: Terms, month: int) -> tuple[int, ...]:
    """The months whose dues are prepaid after ``month``: itself, or by quarter the three that it ends."""
    if terms.choice("prepay_period", "month") == "month":
        return (month,)
    return () if month % 3 else (month - 2, month - 1, month)


def instalments(amount: Fen, period: str) -> list[Fen]:
    """An amount of a year in equal instalments by month or quarter, to the fen, the larger ones first."""
    count = {"month": 12, "quarter": 4}[period]
    parts = apportion(amount, dict.fromkeys(range(count), 1))
    return [parts[n] for n in range(count)]


def returned_deposit(deposit: Fen, score: Fraction, full: Fraction, rule: str = "of_full") -> Fen:
    """What returns of a deposit: all from the score ``full``; below it by ``assessment_rule``."""
    if score >= full:
        return deposit
    share = {"of_full": score / full, "of_100": score / _HUNDRED, "none": Fraction(0)}[rule]
    return min(deposit, fen(deposit * share))


def clear_year(terms: Terms, budget: Budget, due: Mapping[Key, Fen]) -> list[Yearly]:
    """All hospitals of a year, in the order of their keys.

    Raises DataError that names the hospital where its prepayment or its score is not known,
    ReconciliationError when an identity does not hold.
    """
    rows = []
    for key in sorted(due.keys() | _open(budget)):
        own = Terms(terms.values)
        rows.append(_year(own, budget, key, due.get(key, 0)))
        terms.absorb(own)
    check_years(rows, due)
    return rows


def _year(terms: Terms, budget: Budget, key: Key, due: Fen) -> Yearly:
    hospital, pool = key
    members = budget.pools[pool].members
    entry = budget.entry(hospital, pool)
    if entry is None or entry.prepaid is None:
        raise _unknown(
            budget, key, "prepaid", "已预拨金额（没有则写 0）", 'what was prepaid ("0" for nothing)'
        )
    deposit = entry.deposit
    if deposit is None:
        if terms.agreed("guarantee_rate", members, hospital=hospital):
            raise _unknown(budget, key, "deposit", "已扣保证金", "the deposit withheld")
        deposit = 0
    returned = deposit
    if deposit:
        if entry.score is None:
            raise _unknown(budget, key, "score", "考核得分", "the score of the assessment")
        full = terms.agreed("assessment_full", members, hospital=hospital)
        if full is None:
            full = terms.need("assessment_full")
        rule = "of_full" if entry.score >= full else terms.choice("assessment_rule", "of_full")
        returned = returned_deposit(deposit, entry.score, full, rule)
    balance = due - entry.prepaid - deposit
    return Yearly(
        hospital, pool, due, entry.prepaid, deposit, balance, entry.score, returned, deposit - returned,
        entry.advance, entry.audit, balance + returned - entry.advance - entry.audit,
        terms.clauses(*YEAR_TERMS),
    )  # fmt: skip


def _unknown(budget: Budget, key: Key, name: str, zh: str, en: str) -> DataError:
    return DataError(
        zh=f"{budget.where}：hospitals 中 {key[0]}、{key[1]} 缺 {name}：{zh}",
        en=f"{budget.where}: hospitals: {key[0]}, {key[1]} has no {name}: give {en}",
    )


def check_months(rows: Sequence[Monthly]) -> None:
    """The identities of months, per hospital; sums follow. Raises ReconciliationError."""
    for row in rows:
        paid = row.advance + row.audit + row.payable + row.carried
        given = row.prepaid + row.earlier_years + row.advanced
        if row.deposit + row.prepaid + row.deferred != row.due or paid != given:
            raise _off(row.hospital, row.pool)


def check_years(rows: Sequence[Yearly], due: Mapping[Key, Fen]) -> None:
    """prepaid + deposit + balance = due for each hospital and in all. Raises ReconciliationError."""
    for row in rows:
        if row.prepaid + row.deposit + row.balance != row.due or row.returned + row.forfeited != row.deposit:
            raise _off(row.hospital, row.pool)
    if sum(row.prepaid + row.deposit + row.balance for row in rows) != sum(due.values()):
        raise _off("*", "*")


def _off(hospital: str, pool: str) -> ReconciliationError:
    return ReconciliationError(
        zh=f"清算对不上：医院 {hospital}、基金池 {pool}",
        en=f"clearing does not add up: hospital {hospital}, pool {pool}",
    )
