"""The gate: which rows are stays, and why the others are none. One set of rules for every command.

A refund leaves together with what it takes back; a row that is not valid, has no id or no amount, costs
nothing, stands twice or is one of several bills of a stay leaves with a reason. The rules are texts of SQL
over rows with these columns (texts, flags, dates; the cost in whole fen or in yuan):

    n, rid, sid, visit_id, person_id, hospital_code, refund_of, refund_flag, valid_flag, total_cost,
    admission_date, discharge_date

``grouper.settlement.validate`` runs them over a month, where originals may lie in the lake and corrections
replace rows; ``grouper.records.stays`` over the files of any other command. Words of both: ``REASONS``.
"""

from __future__ import annotations

from collections.abc import Sequence

from grouper.base.reasons import REASONS as ROW_REASONS

INTERIM = ("hold", "join")

REASONS: dict[str, tuple[str, str]] = {
    "no-id": ("缺少 record_id 和 settlement_id", "neither record_id nor settlement_id"),
    "invalid-flag": ("有效标志为否", "marked as not valid"),
    "no-amount": ("缺总费用", "no total cost"),
    "no-date": ("缺出院日期", "no discharge date"),
    "refund-netted": ("与同批的冲正行相抵", "netted with its refund in the same input"),
    "refund-unmatched": ("冲正行找不到原结算", "a refund whose original is not known"),
    "refund-again": ("所冲正的结算已经冲正过", "a refund of a settlement that was taken back already"),
    "refund-joined": ("部分冲正，已从原结算的金额中扣除",
                      "a refund of a part, taken off the amounts of its original"),
    "refund-partial": ("部分冲正与原结算对不上，两行都待核对更正",
                       "a refund of a part that does not settle with its original; both wait"),
    "refund-positive": ("标为冲正，但金额为正且没有对应的负数行", "marked as a refund, but positive and "
                                               "without a negative row"),
    "negative-cost": ("总费用为负，又不是已知结算的冲正", "negative cost, and no refund of a known "
                                          "settlement"),
    "zero-cost": ("总费用为零", "the total cost is zero"),
    "duplicate": ("同一 settlement_id 的重复行，保留第一行", "the same settlement again; the first row "
                                                 "is kept"),
    "duplicate-conflict": ("同一标识的各行内容不同，全部退回", "rows of the same id that differ; all go "
                                               "back"),
    "refund-conflict": ("所冲正的结算有内容不同的几行，与其一并退回", "a refund of a settlement whose rows "
                                                   "differ; it goes back with them"),
    "interim": ("中途结算：一次住院有多张账单，待合并（--interim join）", "interim bills: a stay with "
                                               "several bills, to be joined (--interim join)"),
    "interim-joined": ("中途结算，已并入本次住院的末次账单", "an interim bill, joined into the last bill of "
                                             "its stay"),
}  # fmt: skip
REASONS["dates-out-of-order"] = next((r.zh, r.en) for r in ROW_REASONS if r.code == "dates-out-of-order")
# Rows that wait, and rows whose money is in another row; all others are no stays.
HELD = frozenset({"interim", "dates-out-of-order", "refund-partial"})
JOINED = "interim-joined"
PART, PARTIAL, AGAIN = "refund-joined", "refund-partial", "refund-again"
CONFLICT = "refund-conflict"

REFUND = "(refund_flag IS TRUE AND total_cost <= 0 OR total_cost < 0)"
UNMATCHED = "CASE WHEN refund_flag THEN 'refund-unmatched' ELSE 'negative-cost' END"
# (reason, test) of rows that found no pair, in this order
AMOUNTS = (("refund-positive", "refund_flag IS TRUE"), ("zero-cost", "total_cost = 0"))
LATER = "admission_date > discharge_date"

# What may name the original of a refund that names none: the visit, or the person and the day of discharge.
VISIT = "visit_id || '|' || hospital_code"
PERSON = "person_id || '|' || hospital_code || '|' || discharge_date"


def unusable(*, fault: str = "", amounts: bool = True, dated: bool = True) -> str:
    """SQL of why a row cannot be used at all, null where nothing is wrong.

    ``fault``: a column with what could not be read. ``amounts``, ``dated``: whether a row needs a cost and
    a day of discharge.
    """
    cases = ["WHEN rid IS NULL THEN 'no-id'", "WHEN valid_flag IS FALSE THEN 'invalid-flag'"]
    cases += [f"WHEN {fault} IS NOT NULL THEN {fault}"] if fault else []
    cases += ["WHEN total_cost IS NULL THEN 'no-amount'"] if amounts else []
    cases += ["WHEN discharge_date IS NULL THEN 'no-date'"] if dated else []
    return f"CASE {' '.join(cases)} END"


def refunds(key: str, source: str) -> str:
    """SQL of the refunds of ``source`` by ``key``, with the cost of their originals."""
    return f"SELECT n, {key} AS key, -total_cost AS cost FROM {source} AS r WHERE {key} IS NOT NULL"


def originals(key: str, source: str) -> str:
    """SQL of the rows of ``source`` that a refund may take back."""
    return (
        f"SELECT n, {key} AS key, total_cost AS cost, NULL::VARCHAR AS partner FROM {source} "
        f"WHERE total_cost > 0 AND {key} IS NOT NULL"
    )


def pairs(of_refunds: str, of_originals: str) -> str:
    """SQL of (refund, original, partner): the k-th refund of a key and an amount takes back the k-th
    original."""
    rank = "row_number() OVER (PARTITION BY key, cost ORDER BY {}) AS k"
    return (
        f"SELECT r.n AS refund, o.n AS original, o.partner "
        f"FROM (SELECT *, {rank.format('n')} FROM ({of_refunds})) AS r "
        f"JOIN (SELECT *, {rank.format('n, partner')} FROM ({of_originals}) "
        f"WHERE (key, cost) IN (SELECT (key, cost) FROM ({of_refunds}))) AS o USING (key, cost, k)"
    )


def parts(refunds: str, source: str) -> str:
    """SQL of refunds that name a settlement and found no pair, with the one open row of that settlement:
    (n, of, net), ``net`` what all of them leave of its cost."""
    return f"""SELECT r.n, o.n AS of, o.cost + sum(r.total_cost) OVER (PARTITION BY o.n) AS net
    FROM (SELECT * FROM {refunds} WHERE refund_of IS NOT NULL AND total_cost < 0) AS r
    JOIN (SELECT sid, min(n) AS n, min(total_cost) AS cost FROM {source} WHERE total_cost > 0
      AND sid IN (SELECT refund_of FROM {refunds}) GROUP BY sid HAVING count(*) = 1) AS o
    ON o.sid = r.refund_of"""


def unnamed(key: str, refunds: str, source: str) -> str:
    """SQL of refunds that name no settlement, with the open rows of the same ``key``: (n, of)."""
    return f"""SELECT r.n, o.n AS of FROM (SELECT *, {key} AS key FROM {refunds}
      WHERE refund_of IS NULL AND total_cost < 0) AS r
    JOIN (SELECT n, {key} AS key FROM {source} WHERE total_cost > 0) AS o USING (key)"""


def content(columns: Sequence[str]) -> str:
    """SQL of what rows of one id must have in common to be the same row twice."""
    return f"hash({', '.join(columns)})"


CONTENT = (
    "hospital_code", "person_id", "admission_date", "discharge_date", "total_cost", "pool_paid", "fund_paid",
    "diagnoses", "procedures",
)  # fmt: skip


def several(key: str, source: str) -> str:
    """SQL of the values of ``key`` that more than one row of ``source`` has."""
    return f"SELECT {key} AS key FROM {source} GROUP BY 1 HAVING count(*) > 1"


def repeated(key: str, source: str, twice: str) -> str:
    """SQL of the rows of such ids: ``equal`` contents, and ``k``, the first of which stays; a correction
    stays before an input."""
    return f"""SELECT n, role, {key} AS key,
      count(*) FILTER (role = 'correction') OVER (PARTITION BY {key}) AS corrections,
      min(content) OVER (PARTITION BY {key}, role)
        = max(content) OVER (PARTITION BY {key}, role) AS equal,
      row_number() OVER (PARTITION BY {key}, role ORDER BY n) AS k
    FROM {source} WHERE {key} IN (SELECT key FROM {twice})"""


REPEATED = (
    "CASE WHEN role = 'input' AND corrections > 0 THEN 'superseded' "
    "WHEN NOT equal THEN 'duplicate-conflict' WHEN k > 1 THEN 'duplicate' END"
)


# Judged before refunds meet their originals: the same row twice is one row, and a refund that has the id of
# its original is not that row again. Nor may a refund choose which of rows that differ is the case. What a
# correction replaces comes later.
PLAIN = "total_cost > 0 AND refund_flag IS NOT TRUE"
SAME = "CASE WHEN equal AND k > 1 THEN 'duplicate' END"
DIFFERS = (
    "CASE WHEN NOT equal AND (role = 'correction' OR corrections = 0) THEN 'duplicate-conflict' "
    "WHEN equal AND k > 1 THEN 'duplicate' END"
)
SIGNS = (("total_cost < 0", SAME), (PLAIN, DIFFERS))


def of_conflict(rows: str) -> str:
    """SQL test of a refund without a pair: whether it means one of ``rows``, which differ under one id."""
    unnamed = " OR ".join(f"{key} IN (SELECT {key} FROM {rows})" for key in (VISIT, PERSON))
    named = f"coalesce(refund_of, sid) IN (SELECT sid FROM {rows})"
    return f"{REFUND} AND ({named} OR refund_of IS NULL AND ({unnamed}))"


def bills(source: str, visits: str) -> str:
    """SQL of the rows of ``source`` that are bills of a stay with several: marked as interim, or of a visit
    of ``visits`` (``several`` of VISIT). ``of``: the last bill of the stay, null while there is none;
    ``admitted``, ``discharged``: of the whole stay; ``refund``: of a part of one of them, which is added
    to these."""
    stay = "PARTITION BY stay"
    return f"""SELECT n, arg_max(CASE WHEN interim_flag IS NOT TRUE THEN n END,
        CASE WHEN interim_flag IS NOT TRUE THEN (discharge_date, n) END) OVER ({stay}) AS of,
      min(admission_date) OVER ({stay}) AS admitted, max(discharge_date) OVER ({stay}) AS discharged,
      FALSE AS refund
    FROM (SELECT *, coalesce({VISIT}, 'row ' || n) AS stay FROM {source}
      WHERE interim_flag IS TRUE OR {VISIT} IN (SELECT key FROM {visits}))"""
