"""Own people treated elsewhere and people of other regions treated here: who is which, and their account.

Whether they take money of the pools is the policy's rule (``offsite_own_rule`` and the like). Those beside
the pools have no point value, no deposit and no score: what the records say that the fund paid is added up by
hospital and pool. Of own people it is held against what the budget sets apart for it (``budget.OFFSITE``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from grouper.base.errors import UsageError
from grouper.base.money import Fen, fen_of, yuan_of
from grouper.base.sql import literal
from grouper.payment.policy import pool_names
from grouper.payment.policy.areas import area_regions
from grouper.payment.policy.policy import Policy
from grouper.payment.pool.budget import OFFSITE, Budget
from grouper.payment.price.routing import OFFSITE as RULES
from grouper.settlement.records import columns_of

if TYPE_CHECKING:
    import duckdb

COLUMN = "offsite"
OWN, VISITORS = ("own",), ("visitor", "distant")
UNKNOWN, NO_RULE = "regions unknown", "offsite without a rule"  # among the assumptions of a run
_MONEY = pa.decimal128(38, 2)
_CODE = "[0-9]{2,12}"
_AREA = "[0-9]{4,12}"  # of a county; a name is none


@dataclass(frozen=True)
class Account:
    """Cases of a kind in a hospital and pool of the budget. ``status``: paid (inside the pools), outside
    (beside them) or held. Amounts in fen; ``fund``: what the records say that the fund paid."""

    hospital: str
    pool: str
    kind: str
    status: str
    cases: int
    cost: Fen
    fund: Fen

    @property
    def beside(self) -> bool:
        return self.status == "outside"


def kind_sql(present: Collection[str], hospital_columns: Collection[str], regions: Collection[str]) -> str:
    """SQL of the kind of a row ``r`` of a hospital ``h``: local, own (treated elsewhere), visitor (insured
    elsewhere in the province), distant (in another), foreign (neither insured nor treated here), unknown.

    ``regions``: the beginnings of the area's codes; without any nothing is known.
    """
    insured = f"regexp_extract(r.region_code, '^{_CODE}$')" if "region_code" in present else "''"
    places = ["r.region_of_treatment"] if "region_of_treatment" in present else []
    places += ["h.county"] if "county" in hospital_columns else []
    told = [f"nullif(regexp_extract({place}, '^{_AREA}$'), '')" for place in places]
    treated = f"coalesce({', '.join(told)}, '')" if told else "''"
    if not regions:
        insured = treated = "''"
    provinces = sorted({code[:2] for code in regions})
    here = _within(treated, regions)
    return (
        f"CASE WHEN coalesce({insured}, '') = '' OR {treated} = '' THEN 'unknown' "
        f"WHEN {_within(insured, regions)} THEN CASE WHEN {here} THEN 'local' ELSE 'own' END "
        f"WHEN NOT ({here}) THEN 'foreign' "
        f"WHEN {_within(insured, provinces)} THEN 'visitor' ELSE 'distant' END"
    )


def _within(code: str, regions: Collection[str]) -> str:
    return " OR ".join(f"starts_with({code}, {literal(region)})" for region in sorted(regions)) or "FALSE"


def regions_of(budget: Budget, area: str) -> tuple[str, ...]:
    """The beginnings of the area's region codes: those of the budget file, else of the list of areas."""
    return budget.regions or area_regions(area)


def accounts(connection: duckdb.DuckDBPyConnection, cases: str, budget: Budget, where: str) -> list[Account]:
    """What there is of each kind but local in SQL ``cases``; none where no case says its kind.

    Raises UsageError where pools are by county and the budget lacks the one that a case beside them is of.
    """
    if COLUMN not in columns_of(connection, cases):
        return []
    rows = connection.execute(
        f"SELECT hospital_code, coalesce(pool, ''), {COLUMN}, pay_status, count(*), sum(total_cost), "
        f"coalesce(sum(pool_paid), 0) FROM {cases} WHERE {where} AND {COLUMN} <> 'local' "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return [
        Account(hospital, _owner(budget, pool, kind), kind, status, number, fen_of(cost), fen_of(fund))
        for hospital, pool, kind, status, number, cost, fund in rows
    ]


def _owner(budget: Budget, pool: str, kind: str) -> str:
    """The budget's pool of such cases; of a pool of the whole area that it lacks, the policy's."""
    if pool_names.part(pool) and kind in (*OWN, *VISITORS):
        return budget.pool_of(pool)
    return budget.owners.get(pool, pool)


def check_once(found: Sequence[Account], budget: Budget) -> None:
    """The money set apart for care elsewhere is not there while the pools pay that care.

    Raises UsageError that names the pool.
    """
    inside = {a.pool for a in found if a.kind in OWN and a.status == "paid" and a.fund}
    for name, pool in budget.pools.items():
        if pool.offsite and name in inside:
            cost = sum(a.fund for a in found if a.pool == name and a.kind in OWN and not a.beside)
            raise UsageError(
                zh=f"{budget.where}：pools.{name} 单列了{OFFSITE} {yuan_of(pool.offsite)} 元，"
                f"而本地参保人在外地就医的病例（按项目基金 {yuan_of(cost)} 元）又计入基金池，"
                "同一笔钱用了两次；"
                '请删去单列，或在政策中设 offsite_own_rule = "outside"',
                en=f"{budget.where}: pools.{name} sets {yuan_of(pool.offsite)} yuan apart for {OFFSITE}, "
                f"while own people's care elsewhere ({yuan_of(cost)} yuan of the fund by item) is paid "
                "inside the pools as well: the same money twice. Leave the carve-out out, or set "
                'offsite_own_rule = "outside" in the policy',
            )


def assumed(found: Sequence[Account], policy: Policy, cases: int) -> dict[str, str]:
    """Assumptions of the ledger: cases whose regions are not known, and those the policy has no rule for."""
    told = {}
    unknown = sum(a.cases for a in found if a.kind == "unknown")
    if unknown:
        told[UNKNOWN] = f"{unknown} of {cases}"
    lacking = {kind for kind in (*OWN, *VISITORS) if RULES[kind][1] not in policy.parameters}
    without = [
        sum(a.cases for a in found if a.kind in kinds and a.kind in lacking) for kinds in (OWN, VISITORS)
    ]
    if any(without):
        told[NO_RULE] = f"{without[0]} own, {without[1]} others"
    return told


def counts(found: Sequence[Account]) -> list[dict[str, Any]]:
    """Rows of the ledger: "kind:status" with cases and fen of cost."""
    sums: dict[str, list[int]] = {}
    for a in found:
        entry = sums.setdefault(f"{a.kind}:{a.status}", [0, 0])
        entry[0] += a.cases
        entry[1] += a.cost
    return [
        {"status": COLUMN, "reason": reason, "rows": rows, "cost_fen": cost}
        for reason, (rows, cost) in sorted(sums.items())
    ]


def amounts(found: Sequence[Account]) -> list[dict[str, Any]]:
    """Rows of the ledger: what the fund paid beside the pools, by hospital, pool and kind."""
    return [
        {"hospital_code": a.hospital, "pool": a.pool, "name": f"{COLUMN}:{a.kind}", "fen": a.fund}
        for a in found
        if a.beside
    ]


def with_hospitals(table: pa.Table, found: Sequence[Account]) -> pa.Table:
    """The statement with cases and yuan beside the pools: of own people in this hospital elsewhere, and of
    others in this hospital of the area."""
    keys = list(zip(table["hospital_code"].to_pylist(), table["pool"].to_pylist(), strict=True))
    for name, kinds in (("own", OWN), ("visitor", VISITORS)):
        cases, fund = _sums(found, kinds)
        numbers = pa.array([cases.get(key, 0) for key in keys], pa.int64())
        money = pa.array([yuan_of(fund.get(key, 0)) for key in keys], _MONEY)
        table = table.append_column(f"{COLUMN}_{name}_cases", numbers)
        table = table.append_column(f"{COLUMN}_{name}_fund", money)
    return table


def _sums(
    found: Sequence[Account], kinds: Collection[str]
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], Fen]]:
    cases: dict[tuple[str, str], int] = {}
    fund: dict[tuple[str, str], Fen] = {}
    for a in found:
        if a.beside and a.kind in kinds:
            key = a.hospital, a.pool
            cases[key] = cases.get(key, 0) + a.cases
            fund[key] = fund.get(key, 0) + a.fund
    return cases, fund


def with_pools(table: pa.Table, found: Sequence[Account], budget: Budget) -> pa.Table:
    """The pools with what is set apart for care elsewhere, what was used of it, what is left (negative: it
    was not enough), and what others' care here came to."""
    names = table["pool"].to_pylist()
    used, others = (dict.fromkeys(names, 0) for _ in range(2))
    for a in found:
        if a.beside and a.pool in used:
            kind = used if a.kind in OWN else others
            kind[a.pool] += a.fund
    apart = {name: budget.pools[name].offsite for name in names}
    parts: Mapping[str, Mapping[str, Fen]] = {
        "set_apart": apart, "used": used, "left": {n: apart[n] - used[n] for n in names},
        "visitor_fund": others,
    }  # fmt: skip
    for part, sums in parts.items():
        table = table.append_column(f"{COLUMN}_{part}", pa.array([yuan_of(sums[n]) for n in names], _MONEY))
    return table
