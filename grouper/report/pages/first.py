"""The first page: what is due, held and outside, against the budget, the time gone and earlier periods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from grouper.payment.policy import words
from grouper.report.data import Row, RunInfo, plain
from grouper.report.draw.html import Html, el, table
from grouper.report.measures import Measures
from grouper.report.numbers import Lang, number, percent, yuan
from grouper.report.pages.money import BOUNDS, index_of
from grouper.report.pages.sources import code

_COUNTS = ("cases", "paid", "held", "outside")
_MONEY = ("total_cost", "paid_cost", "income", "due", "budget")


def first(m: Measures, info: RunInfo, t: Lang) -> Html:
    """All that the first sheet of paper says."""
    rejected = sum(row["cases"] for row in m.rejected)
    unverified = len({p["name"] for p in info.unverified})
    line = t(
        f"退回未入库 {number(rejected)} 行；所用参数中 {unverified} 个未经核实，清单在文末。",
        f"{number(rejected)} rows were kept out; {unverified} of the parameters used are not verified, see "
        "the end.",
    )
    return el(
        "section", el("div", _cards(m, info, t), class_="cards"), _budget(info, t), _compared(info, t),
        _unpaid(m, info, t), el("p", line, class_="sub"), id="headline", class_="first",
    )  # fmt: skip


def _cards(m: Measures, info: RunInfo, t: Lang) -> list[Html]:
    total, unpaid = m.total, _unpaid_cost(m)
    due = plain(total["fund_due"]) + sum((plain(r["adjustments"]) for r in m.statement), Decimal(0))
    changed = due != total["fund_due"]
    note = f"{yuan(due)} {t.yuan}"
    if changed:
        note += t(
            f"：本期 {yuan(total['fund_due'])}，往月调整 {yuan(due - total['fund_due'], True)}",
            f": {yuan(total['fund_due'])} of the period, {yuan(due - total['fund_due'], True)} adjustments",
        )
    index, kind = index_of(total)
    lacking = percent(unpaid["held"], total["total_cost"], 2)
    return [
        _card(t("统筹应付", "fund due"), t.big(due, 2), t.big_unit, note, "main"),
        *_payable(m, info, t),
        _card(
            t("暂不支付", "held"), t.big(unpaid["held"], 2), t.big_unit,
            t(f"费用；{number(total['held'])} 例，占总费用 {lacking}",
              f"of cost; {number(total['held'])} cases, {lacking} of it"), "main",
        ),
        _card(
            t("不由本政策支付", "outside this policy"), t.big(unpaid["outside"], 2), t.big_unit,
            t(f"费用；{number(total['outside'])} 例", f"of cost; {number(total['outside'])} cases"),
        ),
        _card(
            t("病例与费用", "cases and cost"), number(total["cases"]), t("例", ""),
            t(f"费用 {yuan(total['total_cost'])} 元，{number(total['hospitals'])} 家医院",
              f"{yuan(total['total_cost'])} yuan, {number(total['hospitals'])} hospitals"),
        ),
        _card(
            t("支付／费用（已支付病例）", "payment ÷ cost, of paid cases"),
            percent(total["income"], total["paid_cost"], 2), "",
            t(f"差额 {t.big(total['gain'], 2, True)} 万元；占全部病例费用 "
              f"{percent(total['income'], total['total_cost'], 2)}",
              f"difference {t.big(total['gain'], 2, True)} {t.big_unit}; of all cases' cost "
              f"{percent(total['income'], total['total_cost'], 2)}"),
        ),
        *(_value_card(pool, t) for pool in m.pools),
        _card(
            "CMI" if kind == "cmi" else t("例均点数", "mean points"),
            number(index, 4 if kind == "cmi" else 2), "" if kind == "cmi" else t.point,
            t(f"已支付病例 {number(total['paid'])} 例", f"{number(total['paid'])} paid cases"),
        ),
    ]  # fmt: skip


def _payable(m: Measures, info: RunInfo, t: Lang) -> list[Html]:
    """What is paid out now; nothing where the run has no payment."""
    if not m.cleared:
        return []
    name = "final" if info.yearly else "payable"
    amount = sum((plain(row[name]) for row in m.statement), Decimal(0))
    label = t("清算应拨", "to pay by the clearing") if info.yearly else t("本期应拨", "payable now")
    note = f"{yuan(amount)} {t.yuan}"
    if not info.yearly and by_quarters(m):
        note = t("按季预拨，本月不拨", "prepaid by quarters, not this month")
    elif months := months_paid(m):
        note += t(f"；按季预拨，含{months}月", f"; by quarters, for months {months}")
    return [_card(label, t.big(amount, 2), t.big_unit, note, "main")]


def by_quarters(m: Measures) -> bool:
    """A month that prepays nothing because its quarter is paid at its end: there are dues, and none of them
    is shared out."""
    shared = ("deposit", "prepaid", "deferred")
    due = any(row["due_total"] for row in m.statement)
    return due and not any(row[name] for row in m.statement for name in shared)


def months_paid(m: Measures) -> str:
    """The months that a payment covers where they are several, as 4–6; else empty."""
    listed = next((str(row["paid_months"]).split(",") for row in m.statement if row["paid_months"]), [])
    return f"{listed[0]}–{listed[-1]}" if len(listed) > 1 else ""


def _card(name: str, value: str, unit: str, note: str, class_: str = "") -> Html:
    return el(
        "div", el("span", name), el("b", value, el("small", " ", unit) if unit else None), el("i", note),
        class_=f"card {class_}".strip(),
    )  # fmt: skip


def _value_card(pool: Row, t: Lang) -> Html:
    name = t.pool(pool["pool"])
    note = t.pair(BOUNDS, pool["bound"]) if pool["bound"] else t("按预算结算", "settled by the budget")
    value = pool["point_value"] or t("无", "none")
    if pool["method"] == "standard":
        return _card(t(f"标准调整系数·{name}", f"factor on standards, {name}"), value, "", note)
    return _card(t(f"点值·{name}", f"point value, {name}"), value, t("元／点", "yuan/point"), note)


def _unpaid_cost(m: Measures) -> dict[str, Decimal]:
    return {
        status: sum((plain(r["cost"]) for r in m.reasons if r["pay_status"] == status), Decimal(0))
        for status in ("held", "outside")
    }


def _unpaid(m: Measures, info: RunInfo, t: Lang) -> Html:
    """Cases that are not paid, by reason."""
    title = el("h3", t("暂不支付与不由本政策支付的病例", "Held cases, and those outside this policy"))
    if not m.reasons:
        return el("div", title, el("p", t("没有。", "None."), class_="none"))
    routes = dict(info.routes)
    rows = [
        [t.pair(words.STATUSES, r["pay_status"]), t.own(words.reason(r["cause"] or "", t.code, routes)),
         number(r["cases"]), yuan(r["cost"]), code(str(r["inputs"])) if r["inputs"] else ""]
        for r in sorted(m.reasons, key=lambda r: (str(r["pay_status"]), -plain(r["cost"])))
    ]  # fmt: skip
    header = [t("状态", "status"), t("原因", "reason"), t("例数", "cases"), t("总费用（元）", "cost (yuan)")]
    whole = [t("合计", "all"), "", number(sum(r["cases"] for r in m.reasons)),
             yuan(sum((plain(r["cost"]) for r in m.reasons), Decimal(0)))]  # fmt: skip
    if info.yearly or not any(row[-1] for row in rows):  # a year's cases come from the inputs of its months
        found = table(header, [row[:-1] for row in rows], left=(0, 1), total=whole, class_="small")
    else:
        inputs = t("来自文件", "inputs")
        found = table([*header, inputs], rows, left=(0, 1, 4), total=[*whole, ""], class_="small")
    return el("div", title, found)


def _added(rows: Sequence[Row]) -> Row:
    """Periods and pools added up; ``due``: with adjustments of closed months."""
    found: Row = {name: sum(int(row[name] or 0) for row in rows) for name in _COUNTS}
    for name in _MONEY:
        parts = ("fund_due", "adjustments") if name == "due" else (name,)
        found[name] = sum((plain(row[part]) for row in rows for part in parts), Decimal(0))
    return found


def _months(info: RunInfo, year: int, last: int) -> list[Row]:
    """The months of a year up to one, as far as they are settled."""
    return [
        dict(row) for row in info.history
        if len(row["period"]) == 7 and row["period"][:4] == f"{year:04}" and int(row["period"][5:]) <= last
    ]  # fmt: skip


def _of(info: RunInfo, period: str) -> list[Row]:
    return [dict(row) for row in info.history if row["period"] == period]


def _budget(info: RunInfo, t: Lang) -> Html | None:
    """What is due against the budgets, and against the part of the year that is gone."""
    own = _of(info, info.period)
    if not own:
        return None
    words_ = ("预算执行", "Budget") if info.yearly else ("预算执行与时间进度", "Budget, and the time gone")
    title = el("h3", t(*words_))
    pools = [[row["pool"]] for row in own]
    if len(own) > 1:
        pools.append([row["pool"] for row in own])
    header, made = (_year_budget if info.yearly else _month_budget)(info, t)
    name = t("基金池", "pool")
    rows = [[t("合计", "all") if len(some) > 1 else t.pool(some[0]), *made(some)] for some in pools]
    total = rows.pop() if len(own) > 1 else None
    unit = t(f"金额单位：{t.big_unit}", f"amounts in {t.big_unit}")
    if not info.yearly:
        unit += t("；应付含往月调整。", "; dues with adjustments of closed months.")
    shown = table([name, *header], rows, total=total, class_="small")
    return el("div", title, shown, el("p", unit, class_="sub"))


def _year_budget(info: RunInfo, t: Lang) -> tuple[list[str], Callable[[list[str]], list[str]]]:
    header = [t("全年预算", "budget"), t("全年应付", "due"), t("执行率", "used"), t("结余", "left")]

    def row(pools: list[str]) -> list[str]:
        got = _added([r for r in _of(info, info.period) if r["pool"] in pools])
        return [t.big(got["budget"], 2), t.big(got["due"], 2), percent(got["due"], got["budget"], 2),
                t.big(got["budget"] - got["due"], 2)]  # fmt: skip

    return header, row


def _month_budget(info: RunInfo, t: Lang) -> tuple[list[str], Callable[[list[str]], list[str]]]:
    year, month = int(info.period[:4]), int(info.period[5:])
    gone = Decimal(month) * 100 / 12
    header = [t("本月预算", "month's budget"), t("本月应付", "month's due"), t("本月执行率", "used"),
              t("累计应付", "due so far"), t("全年预算", "year's budget"), t("全年执行率", "of the year"),
              t("时间进度", "time gone"), t("快（慢）百分点", "ahead (behind)")]  # fmt: skip

    def row(pools: list[str]) -> list[str]:
        now = _added([r for r in _of(info, info.period) if r["pool"] in pools])
        so_far = _added([r for r in _months(info, year, month) if r["pool"] in pools])
        known = [info.year_budget.get(pool) for pool in pools]
        whole = sum((plain(one) for one in known), Decimal(0)) if all(known) else None
        ahead = so_far["due"] * 100 / whole - gone if whole else None
        none = t("无", "none")
        return [
            t.big(now["budget"], 2), t.big(now["due"], 2), percent(now["due"], now["budget"], 2),
            t.big(so_far["due"], 2), none if whole is None else t.big(whole, 2),
            percent(so_far["due"], whole, 2) if whole else none, number(gone, 2) + "%",
            none if ahead is None else number(ahead, 2, True),
        ]  # fmt: skip

    return header, row


def _compared(info: RunInfo, t: Lang) -> Html | None:
    """This period beside the one before, that of last year, and the year so far."""
    own = _of(info, info.period)
    if not own:
        return None
    told = (_beside_year if info.yearly else _beside_month)(info, own, t)
    header = [t("指标", "figure")]
    for name, _, change, _ in told:
        header += [name, change] if change else [name]
    columns = [(_added(rows) if rows else None, now if change else None) for _, rows, change, now in told]
    rows = [_line(name, kind, columns, t) for name, kind in _lines(t)]
    title = el("h3", t("与前期比较", "Beside other periods"))
    return el("div", title, table(header, rows, class_="small"))


# A column: its words, the rows that it adds up, the words of a change against it ("" for none), and the
# column whose figure changed.
_Column = tuple[str, list[Row], str, int]


def _beside_month(info: RunInfo, own: list[Row], t: Lang) -> list[_Column]:
    year, month = int(info.period[:4]), int(info.period[5:])
    before = f"{year:04}-{month - 1:02}" if month > 1 else f"{year - 1:04}-12"
    so_far, then = _months(info, year, month), _months(info, year - 1, month)
    if {row["period"][5:] for row in then} != {row["period"][5:] for row in so_far}:
        then = []  # sums of other months are no measure
    return [
        (t("本月", "this month"), own, "", 0),
        (t("上月", "month before"), _of(info, before), t("环比", "change"), 0),
        (t("上年同月", "last year's"), _of(info, f"{year - 1:04}-{month:02}"), t("同比", "change"), 0),
        (t("本年累计", "year so far"), so_far, "", 0),
        (t("上年同期累计", "last year so far"), then, t("累计同比", "change"), 3),
    ]


def _beside_year(info: RunInfo, own: list[Row], t: Lang) -> list[_Column]:
    year = int(info.period)
    return [
        (t("本年清算", "clearing"), own, "", 0),
        (t("各月合计", "the months"), _months(info, year, 12), t("清算比各月", "change"), 0),
        (t("上年清算", "last year's"), _of(info, f"{year - 1:04}"), t("同比", "change"), 0),
    ]


def _lines(t: Lang) -> list[tuple[str, str]]:
    return [
        (t("病例数（例）", "cases"), "cases"),
        (t("总费用（万元）", f"cost ({t.big_unit})"), "total_cost"),
        (t("例均费用（元）", "cost per case (yuan)"), "mean"),
        (t("统筹应付（万元）", f"due ({t.big_unit})"), "due"),
        (t("支付／费用（已支付病例）", "payment ÷ cost (paid)"), "ratio"),
        (t("暂不支付（例）", "held"), "held"),
    ]


def _line(name: str, kind: str, columns: Sequence[tuple[Row | None, int | None]], t: Lang) -> list[str]:
    """A figure in all columns, with its change after those that it is compared with."""
    values = [_figure(kind, row) for row, _ in columns]
    cells = [name]
    for value, (_, now) in zip(values, columns, strict=True):
        cells.append(_shown(kind, value, t))
        if now is not None:
            cells.append(_change(kind, values[now], value, t))
    return cells


def _figure(kind: str, row: Row | None) -> Decimal | None:
    if row is None:
        return None
    if kind == "mean":
        return row["total_cost"] / row["cases"] if row["cases"] else None
    if kind == "ratio":
        return row["income"] * 100 / row["paid_cost"] if row["paid_cost"] else None
    return Decimal(row[kind])


def _shown(kind: str, value: Decimal | None, t: Lang) -> str:
    if value is None:
        return t("无", "none")
    if kind in ("total_cost", "due"):
        return t.big(value, 2)
    return number(value, {"mean": 2, "ratio": 2}.get(kind, 0)) + ("%" if kind == "ratio" else "")


def _change(kind: str, now: Decimal | None, then: Decimal | None, t: Lang) -> str:
    """In per cent; of shares in points of them."""
    if now is None or then is None or (kind != "ratio" and not then):
        return t("无", "none")
    if kind == "ratio":
        return number(now - then, 2, True) + t("个百分点", " points")
    return percent(now - then, then, 1, True)
