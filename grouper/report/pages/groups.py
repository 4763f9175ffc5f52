"""Parts of the page about groups, ways of payment, clearing and months."""

from __future__ import annotations

from decimal import Decimal

from grouper.payment.policy import words
from grouper.report.data import Row, RunInfo, plain
from grouper.report.draw import charts
from grouper.report.draw.html import Html, el, figure, section, table
from grouper.report.measures import BETWEEN_YEARS, MONTHLY, YEARLY, Measures
from grouper.report.names import group_name
from grouper.report.numbers import Lang, mean, number, percent, yuan
from grouper.report.pages.first import by_quarters, months_paid
from grouper.report.pages.money import ADVANCE, CLEARING, ENDS, SHOWN, YEAR, ends, hospital_name, rule


def groups(m: Measures, t: Lang) -> Html:
    """Gainers and losers among the groups."""
    rows = [
        (f"{r['code']} {group_name(r['name'], t)}".strip(), r["gain"], r["income"], r["cost"], r["cases"])
        for r in m.groups
    ]
    header = [
        t("病组", "group"),
        t("名称", "name"),
        t("例数", "cases"),
        t("例均费用（元）", "cost per case (yuan)"),
        t("例均支付（元）", "payment per case (yuan)"),
        t("差额（元）", "difference (yuan)"),
        t("支付率", "ratio"),
    ]
    ordered = m.groups[:ENDS] + [r for r in m.groups[-ENDS:] if r not in m.groups[:ENDS]]
    cells = [
        [
            str(r["code"]),
            group_name(r["name"], t),
            number(r["cases"]),
            yuan(mean(r["cost"], r["cases"])),
            yuan(mean(r["income"], r["cases"])),
            yuan(r["gain"], True),
            percent(r["income"], r["cost"]),
        ]
        for r in ordered
    ]
    return section(
        "groups",
        t("病组", "Groups"),
        ends("group-gain", t("盈亏最大的病组", "Largest gainers and losers: groups"), rows, t),
        table(header, cells, left=(1,), short=(0,), class_="small"),
        lead=t(
            f"按病组支付的 {number(len(m.groups))} 个病组中差额最大者；按支付 − 费用排序。",
            f"of the {number(len(m.groups))} groups paid by group, "
            "those of the largest differences, by payment − cost.",
        ),
    )


def methods(m: Measures, info: RunInfo, t: Lang) -> Html:
    """What was paid by which way."""
    header = [
        t("支付路径", "route"),
        t("方式", "method"),
        t("例数", "cases"),
        t("总费用（元）", "cost (yuan)"),
        t("支付（元）", "payment (yuan)"),
        t("统筹应付（元）", "fund due (yuan)"),
        t("支付率", "ratio"),
    ]
    rows = [
        [
            t.own(words.reason(r["route"] or "", t.code, dict(info.routes))),
            t.pair(words.METHODS, r["method"]),
            number(r["cases"]),
            yuan(r["cost"]),
            yuan(r["income"]),
            yuan(r["fund"]),
            percent(r["income"], r["cost"]),
        ]
        for r in m.methods
    ]
    return section("methods", t("支付方式", "Ways of payment"), table(header, rows, left=(0, 1)))


_ALWAYS = ("deposit", "prepaid", "deferred", "balance", "payable", "final")


def clearing(m: Measures, info: RunInfo, t: Lang) -> Html | None:
    """What is paid now, by hospital; nothing where the run has no clearing."""
    if not m.cleared:
        return None
    last = "final" if info.yearly else "payable"
    shown = [r for r in m.hospitals if r[last] is not None]
    if not info.yearly and by_quarters(m):
        return _between(m, shown, t)
    names = [
        name
        for name in (YEARLY if info.yearly else MONTHLY)
        if name in _ALWAYS or any(plain(r[name]) for r in shown)
    ]
    if "adjustments" not in names and "due_total" in names:
        names.remove("due_total")
    header = [
        t("医院", "hospital"),
        t("统筹应付（元）", "fund due (yuan)"),
        *(t(*(YEAR.get(name) if info.yearly else None) or CLEARING[name]) for name in names),
    ]
    rows = [[hospital_name(r), yuan(r["fund_due"]), *(yuan(r[name]) for name in names)] for r in shown]
    blank = [""] if info.yearly else []
    if info.yearly:
        header.insert(1, t("考核得分", "score"))
        for cells, r in zip(rows, shown, strict=True):
            cells.insert(1, str(r["score"] or t("无", "none")))
    sums = [sum((plain(r[name]) for r in shown), Decimal(0)) for name in ("fund_due", *names)]
    months = months_paid(m)
    if months and not info.yearly:  # what is shared out is not the month's due alone
        place = 1 + names.index("deposit")
        header.insert(place + 1, t(f"{months}月应付合计", f"due of months {months}"))
        for cells, r in zip(rows, shown, strict=True):
            cells.insert(place + 1, yuan(_shared(r)))
        sums.insert(place, sum(map(_shared, shown), Decimal(0)))
    ordered = sorted(shown, key=lambda r: (-abs(plain(r[last])), r["hospital_code"]))[:SHOWN]
    made = [
        charts.Bar(
            hospital_name(r), t.scaled(r[last]), t.big(r[last], 2), "a" if plain(r[last]) >= 0 else "loss"
        )
        for r in sorted(ordered, key=lambda r: (-plain(r[last]), r["hospital_code"]))
    ]
    title = (
        t("清算应拨或收回", "To pay or to recover") if info.yearly else t("本期应拨", "Payable for the month")
    )
    note = t(f"金额最大的 {len(made)} 家", f"the {len(made)} with the largest amounts")
    return section(
        "clearing",
        t("清算", "Clearing") if info.yearly else t("月度拨付", "Payment of the month"),
        figure("payable", title, charts.bars(made, title, t.big_unit), note) if any(sums) else None,
        table(header, rows, total=[t("合计", "all"), *blank, *map(yuan, sums)], class_="small"),
        lead=rule(info, any(name in names for name in BETWEEN_YEARS), t, "advanced" in names, months),
    )


def _shared(row: Row) -> Decimal:
    """What deposit, prepayment and the rest share out: the dues of all months that are paid."""
    return sum((plain(row[name]) for name in ("deposit", "prepaid", "deferred")), Decimal(0))


def _between(m: Measures, shown: list[Row], t: Lang) -> Html:
    """A month between two payments: that nothing is paid, and which deductions wait."""
    names = [name for name in ("advanced", "advance", "audit", "earlier_years", "payable", "carried")
             if any(plain(r[name]) for r in shown)]  # fmt: skip
    own = [r for r in shown if any(plain(r[name]) for name in names)]
    due = sum((plain(row["due_total"]) for row in m.statement), Decimal(0))
    said = t(
        f"按季预拨，本月不拨：本月应付 {yuan(due)} 元，与本季各月合并，在季末月一并预拨。",
        f"prepaid by quarters, not this month: the {yuan(due)} yuan due are paid with the quarter's other "
        "months, in its last.",
    )
    rows = [[hospital_name(r), *(yuan(r[name]) for name in names)] for r in own]
    header = [t("医院", "hospital"), *(t(*CLEARING[name]) for name in names)]
    waiting = t("本月发生的扣款等如下，不足冲抵的结转下期扣减。",
                "What was offset, deducted or paid beside it; what lacks is carried on.")  # fmt: skip
    if "advanced" in names:
        waiting += t(*ADVANCE)
    listed = [el("p", waiting), table(header, rows, class_="small")] if rows else []
    return section("clearing", t("月度拨付", "Payment of the month"), el("p", said), *listed)


def months(m: Measures, t: Lang) -> Html | None:
    """A year's months."""
    if not m.months:
        return None
    rows = [
        charts.Bar(
            r["month"],
            t.scaled(r["cost"]),
            f"{t.big(r['cost'], 1)} · {number(r['cases'])} {t('例', 'cases')}",
        )
        for r in m.months
    ]
    title = t("各月费用与病例", "Cost and cases by month")
    return section(
        "months", t("各月", "Months"), figure("months-cost", title, charts.bars(rows, title, t.big_unit))
    )
