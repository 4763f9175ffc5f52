"""Special reviews in words: quotas, candidates, and what a session decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from grouper.commands.text.aligned import aligned
from grouper.payment.policy.words import OUTLIERS
from grouper.report.review_book import DECISION

if TYPE_CHECKING:
    from grouper.report.review_book import Candidate, Quota
    from grouper.settlement.reviews import Decided

SHOWN = 30


def quota_lines(quotas: Sequence[Quota], lang: str) -> Iterator[str]:
    """Each period's quota: discharges, share, what is allowed, used and left."""
    zh = lang != "en"
    heads = (("期间", "period"), ("医院", "hospital"), ("出院病例", "discharges"), ("比例", "share"),
             ("名额", "quota"), ("已用", "used"), ("剩余", "left"))  # fmt: skip
    area = "统筹地区" if zh else "area"
    rows = [
        (one.period, one.hospital or area, f"{one.discharges:,}", f"{float(one.share * 1000):g}‰",
         f"{one.allowed:,}", f"{one.used:,}", f"{one.left:,}") for one in quotas
    ]  # fmt: skip
    yield from aligned([tuple(words[not zh] for words in heads), *rows], right={2, 3, 4, 5, 6})


def candidate_lines(found: Sequence[Candidate], lang: str) -> Iterator[str]:
    """The first candidates, in their order, and how many there are."""
    zh = lang != "en"
    heads = (
        ("序号", "rank"), ("名额内", "within"), ("期间", "period"), ("医院", "hospital"),
        ("记录号", "record"), ("病组", "group"), ("类别", "class"), ("倍率", "multiple"), ("总费用", "cost"),
        ("现支付", "paid now"), ("现状态", "state now"), ("申诉", "objection"),
    )  # fmt: skip
    yes, no = ("是", "否") if zh else ("yes", "no")
    rows = [
        (str(one.rank), yes if one.within else no, one.period, one.name, one.record_id, one.group,
         OUTLIERS.get(one.outlier, ("", ""))[not zh],
         "" if one.cost_ratio is None else f"{one.cost_ratio:.2f}",
         "" if one.total_cost is None else f"{one.total_cost:,.2f}",
         "" if one.paid is None else f"{one.paid:,.2f}", one.state(lang), one.objection)
        for one in found[:SHOWN]
    ]  # fmt: skip
    if rows:
        yield from aligned([tuple(words[not zh] for words in heads), *rows], right={0, 7, 8, 9})
    yield f"候选 {len(found):,} 例" if zh else f"{len(found):,} candidates"


def decided_lines(done: Decided, lang: str) -> Iterator[str]:
    """How often what was decided, and where that exceeds the quota."""
    zh = lang != "en"
    counted = Counter(row["special_review"] for row in done.rows)
    told = [f"{DECISION[name][not zh]} {number}" for name, number in sorted(counted.items())]
    head = f"单议 {len(done.rows)} 例：" if zh else f"{len(done.rows)} decided: "
    yield head + ("、" if zh else ", ").join(told)
    for period, hospital, number, allowed in done.over:
        where = f"{period} {hospital}".strip()
        yield f"  {where} 超过名额：{number} 例，名额 {allowed}" if zh else (
            f"  {where}: {number}, more than the quota of {allowed}"
        )  # fmt: skip
