"""Laws of pools: nothing is lost, order means nothing, money and points scale."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.base.errors import DataError, ReconciliationError, TableError
from grouper.payment.packages.capitation import Package, settle_package
from grouper.payment.policy.parameters import Segment
from grouper.payment.policy.sharing import fen, jumps, share
from grouper.payment.pool.apportion import FLOOR_MACRO, apportion, cuts_sql, round_parts
from grouper.payment.pool.budget import Distributable, Entry
from grouper.payment.pool.clearing import instalments, pay_month, returned_deposit
from grouper.payment.pool.pool import Rule, Settled, Volume, settle

weights = st.fractions(min_value=0, max_value=10**6, max_denominator=10**4)
names = st.text("ABCDEFGH123", min_size=1, max_size=4)
shares = st.fractions(min_value=0, max_value=1, max_denominator=1000)


@st.composite
def pools(draw: Any) -> tuple[Distributable, Rule, dict[str, Volume]]:
    hospitals = draw(st.lists(names, min_size=1, max_size=8, unique=True))
    small = st.integers(0, 10**9)
    volumes = {
        h: Volume(
            draw(st.fractions(min_value=Fraction(1, 100), max_value=10**6, max_denominator=10**4)),
            draw(small),
            draw(st.integers(0, 10**6)),
            draw(small),
            0,
            draw(small),
        )
        for h in hospitals
    }
    fixed = sum(v.fixed for v in volumes.values())
    method = draw(st.sampled_from(["points_total", "points_fund"]))
    limits = draw(
        st.sampled_from(
            [(None, None), (Fraction(10), None), (None, Fraction(50)), (Fraction(3), Fraction(4))]
        )
    )
    rule = Rule(method, draw(st.sampled_from(["inside", "apart"])), limits=limits)
    reserve = draw(st.integers(0, 10**6))
    return Distributable(fixed + reserve + draw(st.integers(0, 10**12)), reserve, 0), rule, volumes


@given(st.integers(-(10**12), 10**12), st.dictionaries(names, weights, min_size=1, max_size=12))
def test_apportioning_loses_nothing_and_stays_within_a_fen(total: int, parts: dict[str, Fraction]) -> None:
    whole = sum(parts.values())
    if not whole:
        if total:
            with pytest.raises(DataError):
                apportion(total, parts)
        return
    found = apportion(total, parts)
    assert sum(found.values()) == total
    assert all(abs(found[k] - Fraction(total) * w / whole) < 1 for k, w in parts.items())


@given(st.integers(-1000, 1000), st.dictionaries(names, weights.filter(bool), min_size=2), st.randoms())
def test_apportioning_does_not_depend_on_order(
    total: int, parts: dict[str, Fraction], order: random.Random
) -> None:
    keys = list(parts)
    order.shuffle(keys)
    assert apportion(total, {key: parts[key] for key in keys}) == apportion(total, parts)


def test_equal_remainders_go_by_key() -> None:
    assert apportion(2, {"b": 1, "c": 1, "a": 1}) == {"a": 1, "b": 1, "c": 0}
    assert apportion(-1, {"b": 1, "a": 1}) == {"a": 0, "b": -1}


def test_negative_weights_are_apportioned() -> None:
    found = apportion(100, {"a": -1, "b": 4})
    assert sum(found.values()) == 100 and abs(found["a"] + Fraction(100, 3)) < 1


def test_quotas_that_do_not_belong_to_the_total_are_refused() -> None:
    with pytest.raises(ReconciliationError):
        round_parts(5, {"a": Fraction(1, 2), "b": Fraction(1, 2)})


@pytest.mark.slow
@given(
    st.dictionaries(st.integers(0, 60), st.integers(-(10**20), 10**20), min_size=1),
    st.integers(1, 10**15),
    st.integers(1, 4),
)
def test_sql_gives_the_same_fen_as_python(overs: dict[int, int], under: int, parts: int) -> None:
    """floor_div and cuts_sql against round_parts, in several parts at once."""
    of = {
        part: {f"r{n:02d}": over for n, over in overs.items() if n % parts == part} for part in range(parts)
    }
    quotas = {p: {k: Fraction(over, under) for k, over in rows.items()} for p, rows in of.items() if rows}
    totals = {p: fen(sum(q.values(), Fraction(0))) for p, q in quotas.items()}
    expected = {k: v for p in quotas for k, v in round_parts(totals[p], quotas[p]).items()}
    with duckdb.connect() as connection:
        connection.execute(FLOOR_MACRO)
        connection.execute('CREATE TABLE cases (part INTEGER, "key" VARCHAR, over HUGEINT)')
        rows = [[p, k, str(over)] for p, found in of.items() for k, over in found.items()]
        connection.executemany("INSERT INTO cases VALUES (?, ?, ?::VARCHAR::HUGEINT)", rows)
        connection.execute("CREATE TABLE totals (part INTEGER, total HUGEINT)")
        connection.executemany("INSERT INTO totals VALUES (?, ?)", [[p, t] for p, t in totals.items()])
        quota = f"floor_div(over, {under}::HUGEINT)"
        connection.execute(
            f"CREATE VIEW sized AS SELECT *, {quota} AS quota, over - {under}::HUGEINT * {quota} AS rest "
            "FROM cases"
        )
        connection.execute(
            "CREATE TABLE extras AS SELECT part, total - sum(quota)::HUGEINT AS extra FROM sized JOIN totals "
            "USING (part) GROUP BY part, total"
        )
        connection.execute(f"CREATE TABLE cuts AS {cuts_sql('sized', 'extras')}")
        found = connection.execute(
            'SELECT s."key", quota + CASE WHEN s.rest > c.rest OR (s.rest = c.rest AND s."key" <= c."key") '
            "THEN 1 ELSE 0 END FROM sized AS s LEFT JOIN cuts AS c USING (part)"
        ).fetchall()
    assert {k: int(v) for k, v in found} == expected


def shift(found: Settled) -> dict[str, int]:
    return {hospital: due.total for hospital, due in found.dues.items()}


@given(pools())
def test_the_budget_is_conserved(pool: tuple[Distributable, Rule, dict[str, Volume]]) -> None:
    money, rule, volumes = pool
    found = settle("p", money, rule, volumes)
    inside = found.fixed if rule.outside == "inside" else 0
    parts = money.reserve + found.by_points + inside + found.residual
    assert parts + found.fund_balance == money.budget and found.fund_balance == 0
    if found.bound == "":
        assert found.residual == 0
    assert found.value is not None
    for hospital, v in volumes.items():
        exact = v.points * found.value * 100 - v.deducted
        assert abs(found.dues[hospital].by_points - exact) < 1


@given(pools(), st.randoms())
def test_the_order_of_hospitals_means_nothing(
    pool: tuple[Distributable, Rule, dict[str, Volume]], order: random.Random
) -> None:
    money, rule, volumes = pool
    keys = list(volumes)
    order.shuffle(keys)
    assert settle("p", money, rule, {k: volumes[k] for k in keys}) == settle("p", money, rule, volumes)


@given(pools(), st.integers(2, 9))
def test_scaling_the_money_scales_the_point_value(
    pool: tuple[Distributable, Rule, dict[str, Volume]], factor: int
) -> None:
    money, rule, volumes = pool
    plain = {h: Volume(v.points) for h, v in volumes.items()}
    once, more = (
        settle("p", Distributable(n * money.amount, 0, 0), Rule(rule.method), plain) for n in (1, factor)
    )
    assert once.value is not None and more.value == factor * once.value


@given(pools(), st.integers(1, 5))
def test_scaling_the_points_leaves_the_dues(
    pool: tuple[Distributable, Rule, dict[str, Volume]], factor: int
) -> None:
    money, _, volumes = pool
    more = {h: Volume(v.points * factor, v.deducted, v.fixed) for h, v in volumes.items()}
    less = {h: Volume(v.points, v.deducted, v.fixed) for h, v in volumes.items()}
    assert shift(settle("p", money, Rule("points_fund"), more)) == shift(
        settle("p", money, Rule("points_fund"), less)
    )


@given(pools())
def test_more_points_never_earn_less(pool: tuple[Distributable, Rule, dict[str, Volume]]) -> None:
    money, _, volumes = pool
    first = min(volumes)
    rule = Rule("points_fund")
    before = settle("p", money, rule, {h: Volume(v.points) for h, v in volumes.items()})
    more = {h: Volume(v.points + (1 if h == first else 0)) for h, v in volumes.items()}
    assert settle("p", money, rule, more).dues[first].total >= before.dues[first].total - 1


def test_too_little_money_for_what_is_paid_outside_points() -> None:
    with pytest.raises(DataError, match="outside points"):
        settle("p", Distributable(100, 0, 0), Rule("points_fund"), {"A": Volume(Fraction(1), fixed=101)})


def test_a_pool_without_points_leaves_its_money_as_residual() -> None:
    found = settle("p", Distributable(100, 0, 0), Rule("points_fund"), {"A": Volume(Fraction(0), fixed=40)})
    assert (found.residual, found.value, shift(found)) == (60, None, {"A": 40})


# sharing

LINE = st.lists(st.integers(1, 300), max_size=4, unique=True)


@st.composite
def continuous(draw: Any) -> tuple[Segment, ...]:
    starts = [Decimal(0), *(Decimal(n).scaleb(-2) for n in sorted(draw(LINE)))]
    segments, base = [], Decimal(draw(st.integers(0, 100))).scaleb(-2)
    for n, start in enumerate(starts):
        slope = Decimal(draw(st.integers(0, 100))).scaleb(-2)
        segments.append(Segment(start, base, slope))
        if n + 1 < len(starts):
            base += slope * (starts[n + 1] - start)
    return tuple(segments)


@given(continuous(), st.integers(0, 10**9), st.integers(0, 10**6), st.integers(1, 10**9))
def test_a_continuous_function_has_no_jump_and_moves_no_faster_than_its_slopes(
    segments: tuple[Segment, ...], actual: int, step: int, budget: int
) -> None:
    assert jumps(segments) == []
    low, high = share(actual, budget, segments), share(actual + step, budget, segments)
    steepest = max(Fraction(s.slope) for s in segments)
    assert 0 <= high.factor - low.factor <= steepest * Fraction(step, budget)


def test_a_jump_is_told() -> None:
    segments = [
        Segment(Decimal(a), Decimal(b), Decimal(c)) for a, b, c in (("0", "0", "1"), ("0.8", "1", "0"))
    ]
    assert jumps(segments) == [(Fraction(4, 5), Fraction(4, 5), Fraction(1))]
    assert share(799, 1000, segments).total == 799
    assert share(800, 1000, segments).total == 1000


@pytest.mark.parametrize(
    "starts", [[], ["0.5"], ["0", "0.5", "0.5"], ["0", "1", "0.5"]], ids=["none", "late", "twice", "falling"]
)
def test_bad_segments_are_refused(starts: list[str]) -> None:
    with pytest.raises(TableError, match="sharing"):
        share(1, 1, [Segment(Decimal(s), Decimal(1), Decimal(0)) for s in starts])


def test_negative_values_and_empty_budgets_are_refused() -> None:
    with pytest.raises(TableError, match="segment 1"):
        share(1, 1, [Segment(Decimal(0), Decimal(1), Decimal(-1))])
    with pytest.raises(DataError):
        share(1, 0, [Segment(Decimal(0), Decimal(1), Decimal(0))])


# months, deposits, packages

amounts = st.integers(-(10**12), 10**12)


@given(amounts, shares, shares, st.integers(0, 10**9), st.integers(0, 10**9))
def test_identities_of_a_month(
    due: int, guarantee: Fraction, prepay: Fraction, advance: int, audit: int
) -> None:
    row = pay_month(due, guarantee, prepay, entry=Entry(advance=advance, audit=audit))
    assert row.deposit + row.prepaid + row.deferred == due
    assert row.advance + row.audit + row.payable + row.carried == row.prepaid
    assert row.payable >= 0 >= row.carried and (row.payable == 0 or row.carried == 0)
    if due >= 0:
        assert row.deposit >= 0 and row.deferred >= 0


@given(
    st.integers(0, 10**12),
    st.integers(0, 1000),
    st.integers(1, 1000),
    st.sampled_from(["of_full", "of_100", "none"]),
)
def test_a_deposit_returns_at_most_whole(deposit: int, score: int, full: int, rule: str) -> None:
    found = returned_deposit(deposit, Fraction(score, 10), Fraction(full, 10), rule)
    assert 0 <= found <= deposit
    if score >= full:
        assert found == deposit


@given(st.integers(0, 10**12), st.sampled_from(["month", "quarter"]))
def test_instalments_add_up(amount: int, period: str) -> None:
    parts = instalments(amount, period)
    assert sum(parts) == amount and max(parts) - min(parts) <= 1 and parts == sorted(parts, reverse=True)


@given(
    st.integers(0, 10**5), st.integers(0, 10**9), st.integers(0, 10**8), shares, shares, st.none() | shares
)
def test_identities_of_a_package(
    heads: int, actual: int, out: int, keep: Fraction, part: Fraction, limit: Fraction | None
) -> None:
    of = Package("H", "p", heads, actual, referral_out=out)
    found = settle_package(of, Fraction(100), keep=keep, share=part, limit=limit)
    assert found.due + found.returned - found.shared == found.package - out
    assert found.kept >= 0 and found.shared >= 0 and found.borne >= 0 and found.returned >= 0
    if limit is not None:
        assert found.shared <= found.package * limit * part + 1
