"""Care elsewhere (异地就医): own people in other areas, others here, and what was set apart for it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from grouper.report.data import Row, plain
from grouper.report.draw.html import Html, el, join, section, table
from grouper.report.measures import Measures
from grouper.report.numbers import Lang, number, yuan
from grouper.report.pages.money import SHOWN, hospital_name

KINDS = {
    "own": ("本地参保人在外地就医", "own people treated elsewhere"),
    "visitor": ("省内外地参保人在本地就医", "people of the province insured elsewhere, here"),
    "distant": ("外省参保人在本地就医", "people of other provinces, here"),
    "foreign": ("参保地、就医地都不在本地", "neither insured nor treated here"),
    "unknown": ("参保地或就医地不明", "region of insurance or treatment not known"),
}
_STATUSES = ("paid", "outside", "held")
_BESIDE = ("offsite_own_cases", "offsite_own_fund", "offsite_visitor_cases", "offsite_visitor_fund")


def offsite(m: Measures, t: Lang) -> Html | None:
    """Cases and money of each kind, the account of each pool, and the hospitals; None where all are local, or
    no record says where they are of."""
    beside = [row for row in m.pools if any(plain(row[name]) for name in _ACCOUNT)]
    if not beside and all(row["offsite"] == "unknown" for row in m.offsite):
        return None
    return section(
        "offsite",
        t("异地就医", "Care elsewhere"),
        _kinds(m.offsite, t) if m.offsite else None,
        _pools(beside, t) if beside else None,
        _hospitals(m, t),
        lead=t(
            "池内病例与本地病例一样由基金池支付；池外病例不占基金池，基金为记录中的统筹支付。",
            "Cases inside the pools are paid as local ones; those beside them take none of their money, and "
            "the fund is what their records say that it paid.",
        ),
    )


def _kinds(rows: Sequence[Row], t: Lang) -> Html:
    header = [
        t("类别", "kind"), t("病例", "cases"), t("费用（元）", "cost (yuan)"),
        t("统筹基金（元）", "fund (yuan)"), t("池内（例）", "inside"), t("池外（例）", "beside"),
        t("暂不支付（例）", "held"), t("池外基金（元）", "fund beside (yuan)"),
    ]  # fmt: skip
    shown = []
    for kind, words in KINDS.items():
        own = [row for row in rows if row["offsite"] == kind]
        if not own:
            continue
        by = {status: [row for row in own if row["pay_status"] == status] for status in _STATUSES}
        shown.append(
            [t(*words), number(_sum(own, "cases")), yuan(_sum(own, "total_cost")), yuan(_sum(own, "fund")),
             *(number(_sum(by[status], "cases")) for status in _STATUSES),
             yuan(_sum(by["outside"], "fund"))]
        )  # fmt: skip
    return table(header, shown)


_ACCOUNT = ("offsite_set_apart", "offsite_used", "offsite_visitor_fund")


def _pools(rows: Sequence[Row], t: Lang) -> Html:
    """What was set apart for own people's care elsewhere, and what became of it."""
    header = [
        t("基金池（元）", "pool (yuan)"), t("单列", "set apart"), t("已用", "used"), t("剩余", "left"),
        t("超出单列", "beyond it"), t("外地参保人在本地（池外）", "others here, beside"),
    ]  # fmt: skip

    def row(name: str, own: Sequence[Row]) -> list[str]:
        left = [plain(each["offsite_left"]) for each in own]
        return [
            name, yuan(_sum(own, "offsite_set_apart")), yuan(_sum(own, "offsite_used")),
            yuan(sum((max(each, Decimal(0)) for each in left), Decimal(0))),
            yuan(sum((max(-each, Decimal(0)) for each in left), Decimal(0))),
            yuan(_sum(own, "offsite_visitor_fund")),
        ]  # fmt: skip

    total = row(t("合计", "all"), rows) if len(rows) > 1 else None
    title = t("单列的异地就医资金", "Money set apart for it")
    made = [row(t.pool(each["pool"]), [each]) for each in rows]
    return join(el("h3", title), table(header, made, total=total))


def _hospitals(m: Measures, t: Lang) -> Html | None:
    """The hospitals with most money beside the pools."""
    found: dict[str, list[Row]] = {}
    for row in m.statement:
        if any(plain(row[name]) for name in _BESIDE):
            found.setdefault(row["hospital_code"], []).append(row)
    if not found:
        return None
    header = [
        t("医院", "hospital"),
        t("本地参保人在外地（例）", "own people, cases"), t("基金（元）", "fund (yuan)"),
        t("外地参保人在本地（例）", "others, cases"), t("基金（元）", "fund (yuan)"),
    ]  # fmt: skip

    def line(name: str, own: Sequence[Row]) -> list[str]:
        cases, money, others, their = (_sum(own, each) for each in _BESIDE)
        return [name, number(cases), yuan(money), number(others), yuan(their)]

    order = sorted(found, key=lambda code: (-_fund(found[code]), code))
    rows = [line(hospital_name(found[code][0]), found[code]) for code in order[:SHOWN]]
    everyone = [each for own in found.values() for each in own]
    total = line(t(f"合计（{len(found)} 家）", f"all {len(found)}"), everyone)
    title = t("池外病例：按医院，基金最多的在前", "Beside the pools, by hospital, most money first")
    return join(el("h3", title), table(header, rows, total=total))


def _fund(rows: Sequence[Row]) -> Decimal:
    return _sum(rows, "offsite_own_fund") + _sum(rows, "offsite_visitor_fund")


def _sum(rows: Sequence[Row], name: str) -> Decimal:
    return sum((plain(row[name]) for row in rows), Decimal(0))
