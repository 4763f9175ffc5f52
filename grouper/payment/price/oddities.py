"""Money that cannot be: found in priced cases and said, for the cases are paid all the same."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from grouper.base.sql import scan

if TYPE_CHECKING:
    import duckdb

# Kind -> (test on a case, the columns it reads, Chinese, English).
_CASES: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    "pool-above-fund": (
        "pool_paid > fund_paid", ("pool_paid", "fund_paid"),
        "统筹基金支付超过基金合计", "the pool paid more than all funds together",
    ),
    "deducted-above-cost": (
        "cost_considered < 0", ("cost_considered",),
        "不合理费用与除外支付费用合计超过总费用", "unreasonable and carved-out cost exceed the total cost",
    ),
    "review-above-cost": (
        "review_result = 'taken' AND special_review_amount > total_cost",
        ("review_result", "special_review_amount", "total_cost"),
        "评审金额超过病例总费用", "the amount by review exceeds the total cost",
    ),
    "person-negative": (
        "person_paid < 0", ("person_paid",), "个人支付为负", "what the patient paid is negative",
    ),
}  # fmt: skip
_POOL = ("pool-negative", "整个基金池的基金应付为负", "the fund due of the whole pool is negative")


class Oddity(NamedTuple):
    """``cases`` of a kind with the ``yuan`` of their cost; ``where``: the first of them, or the pool."""

    kind: str
    cases: int
    yuan: Decimal
    where: str

    def text(self, lang: str) -> str:
        """In words, "zh" or "en"."""
        words = {name: (zh, en) for name, (_, _, zh, en) in _CASES.items()} | {_POOL[0]: _POOL[1:]}
        zh, en = words[self.kind]
        if lang == "en":
            return (
                f"{en} [{self.kind}]: {self.cases:,} cases, cost {self.yuan:,.2f} yuan, such as {self.where}"
            )
        return f"{zh} [{self.kind}]：{self.cases:,} 例，费用 {self.yuan:,.2f} 元，如 {self.where}"


def find(connection: duckdb.DuckDBPyConnection, priced: Path | str) -> list[Oddity]:
    """What is odd in a priced file, by kind; paid cases only."""
    source = scan(priced)
    has = set(connection.sql(f"SELECT * FROM {source} LIMIT 0").columns)
    kinds = {name: test for name, (test, reads, _, _) in _CASES.items() if has.issuperset(reads)}
    found: list[Oddity] = []
    if kinds:
        sums = ", ".join(
            f"count(*) FILTER ({test}), coalesce(sum(total_cost) FILTER ({test}), 0), "
            f"min(record_id) FILTER ({test})"
            for test in kinds.values()
        )
        row: tuple[Any, ...] = connection.execute(
            f"SELECT {sums} FROM {source} WHERE pay_status = 'paid'"
        ).fetchall()[0]
        for number, kind in enumerate(kinds):
            cases, yuan, where = row[3 * number : 3 * number + 3]
            found += [Oddity(kind, cases, yuan, where)] if cases else []
    pools = connection.execute(
        f"SELECT pool, count(*), sum(total_cost) FROM {source} WHERE pay_status = 'paid' GROUP BY 1 "
        "HAVING sum(fund_due) < 0 ORDER BY 1"
    ).fetchall()
    return found + [Oddity(_POOL[0], cases, yuan, str(pool)) for pool, cases, yuan in pools]
