"""Parts of the page about money: headline, pools and point value, hospitals."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from grouper.base.exact import half_up
from grouper.payment.policy.value_words import value_told
from grouper.payment.pool.factor import far_off
from grouper.report.data import Row, RunInfo, plain
from grouper.report.draw import charts
from grouper.report.draw.html import Html, el, figure, section, table
from grouper.report.measures import Measures
from grouper.report.numbers import Lang, mean, number, percent, yuan

SHOWN = 20  # hospitals of a chart; the table has all
ENDS = 10  # gainers, and losers
LEVELS = {"1": ("一级", "level 1"), "2": ("二级", "level 2"), "3": ("三级", "level 3")}
BOUNDS = {
    "min": ("按点值下限", "held up to the lowest value"),
    "max": ("按点值上限", "held down to the highest value"),
    "budget": ("按预算点值", "at the budget value (standards)"),
    "surplus": ("按标准支付，结余留在基金", "standards paid, the surplus stays with the fund"),
}
POOL_METHODS = {
    "points_total": ("点数法，点值含全部费用", "points over total cost"),
    "points_fund": ("点数法，点值只含基金", "points over the fund"),
    "standard": ("按病组支付标准", "at standards"),
}
CLEARING = {
    "adjustments": ("调整", "adjustments"),
    "due_total": ("应付合计", "due in all"),
    "carried_in": ("其中上期结转扣减", "of them carried in, taken off"),
    "deposit": ("预留保证金", "deposit withheld"),
    "prepaid": ("本期预拨", "prepaid"),
    "deferred": ("留待清算", "left to the clearing"),
    "earlier_years": ("往年调整（不在应付内）", "of earlier years (not in what is due)"),
    "paid_later": ("其中以后年度已付", "of it paid by later years"),
    "advanced": ("拨付预付金", "advance paid"),
    "advance": ("冲抵预付金", "advance offset"),
    "audit": ("稽核扣款", "audit deductions"),
    "payable": ("本期应拨", "payable"),
    "carried": ("结转下期（负为待扣）", "carried on (negative: to be taken)"),
    "balance": ("清算差额", "balance"),
    "returned": ("返还保证金", "deposit returned"),
    "forfeited": ("扣减保证金", "deposit forfeited"),
    "final": ("清算应拨（应收回为负）", "final (negative: to be recovered)"),
}


YEAR = {"prepaid": ("各月已预拨", "prepaid by the months")}  # other words of a clearing


def rule(info: RunInfo, apart: bool, t: Lang, advanced: bool = False, months: str = "") -> str:
    """How what is due comes to what is paid; ``apart``: with amounts that belong to another year;
    ``advanced``: with an advance; ``months``: those that are paid together, as 4–6."""
    if info.yearly:
        later = t(
            "各月已预拨含以后年度各月已付的本年调整；往年调整由本年各月另付，不在清算内。",
            " Prepaid holds what months of later years paid for this one; what this year's months paid for "
            "earlier years is no part of the clearing.",
        )
        return t(
            "统筹应付 = 各月已预拨 + 预留保证金 + 清算差额；清算应拨 = 清算差额 + 返还保证金 − 冲抵预付金 "
            "− 稽核扣款。",
            "due = prepaid + deposit + balance; "
            "final = balance + deposit returned − advance − audit deductions.",
        ) + (later if apart else "")
    due = t(f"{months}月应付合计", f"due of months {months}") if months else t("应付合计", "due")
    added = t(" + 往年调整", " + earlier years") if apart else ""
    told = t(
        f"{due} = 预留保证金 + 本期预拨 + 留待清算；本期应拨 = 本期预拨{added} − 冲抵预付金 − 稽核扣款，"
        "不足部分结转下期扣减。",
        f"{due} = deposit + prepaid + deferred; "
        f"payable = prepaid{added} − advance − audit deductions, what is lacking is carried on.",
    )
    return told + t(*ADVANCE) if advanced else told


ADVANCE = (
    "应拨另含预付金（全额拨付，不作扣减；年内抵扣，余额年度清算时收回）。",
    " Payable also holds the advance: paid whole, offset within the year, recovered by the clearing.",
)


def hospital_name(row: Row) -> str:
    return str(row.get("name") or row.get("hospital_name") or row["hospital_code"])


def index_of(row: Row) -> tuple[Decimal | None, str]:
    """CMI (mean weight), or mean points where the policy has no weights; and which of the two."""
    if row.get("weighted"):
        return mean(row["weights"], row["weighted"], 4), "cmi"
    return mean(row.get("points"), row.get("pointed"), 2), "points"


def pools(m: Measures, info: RunInfo, t: Lang) -> Html:
    """From the budget to what is paid, pool by pool, and to the point value."""
    standard = all(pool["method"] == "standard" for pool in m.pools)
    formula = next(
        (str(p["value"]) for p in info.parameters if p["name"] == "fund_formula" and p.get("value")), ""
    )
    figures = [
        figure(
            f"bridge-{n}",
            t(
                f"从预算到点值：{t.pool(pool['pool'])}",
                f"From budget to value: {t.pool(pool['pool'])}",
            ),
            charts.waterfall(
                _bridge(pool, formula, t),
                t("从预算到可支付额", "from the budget to what is paid"),
                t.big_unit,
            ),
            _equation(pool, formula, t),
        )
        for n, pool in enumerate(m.pools, 1)
    ]
    return section(
        "pools",
        t("基金池与点值", "Pools and point value"),
        _rates(info, t) if standard else None,
        [el("p", t("注意：", "Note: "), odd.text(t.code), class_="note") for odd in far_off(m.pools)],
        figures,
        _pool_table(m, t),
        lead=t(
            "预算 − 调剂金 − 单列 = 可分配；再减去"
            + (
                "病组标准以外的支付，余下与病组标准比较。" if standard else "点数以外的支付，余下按点数分配。"
            ),
            "budget − reserve − carve-outs = distributable; "
            "less what is paid outside points, the rest goes by points.",
        ),
    )


def _rates(info: RunInfo, t: Lang) -> Html | None:
    """The rates (费率) that standards are made with, where they are parameters of the policy."""
    found = [str(p["value"]) for p in info.parameters if p["name"] == "base_rate" and p.get("value")]
    if not found:
        return None
    told = t("；", "; ").join(value_told("base_rate", text, t.code) for text in dict.fromkeys(found))
    return el("p", t("费率（元）：", "rates (yuan): "), told, class_="sub")


def _pool_table(m: Measures, t: Lang) -> Html:
    """Item by item what the bridges show, a column for each pool."""
    names = [
        ("budget", t("预算", "budget")),
        ("reserve", t("调剂金", "reserve")),
        ("carve_outs", t("单列", "carve-outs")),
        ("distributable", t("可分配", "distributable")),
        ("total", t("共担后支付", "paid after sharing")),
        ("fixed", t("点数（标准）以外的支付", "outside points")),
        ("by_points", t("按点数（标准）支付", "by points")),
        ("residual", t("点值限定后留存（负为缺口）", "left (or lacking) at the value")),
        ("fund_balance", t("责任共担留存（负为补足）", "kept (negative: added) by sharing")),
        ("fund_by_item", t("按项目统筹", "fund by item")),
        ("fund_due", t("统筹应付", "fund due")),
    ]
    header = [t("项目（元）", "item (yuan)"), *(t.pool(pool["pool"]) for pool in m.pools)]
    many = len(m.pools) > 1
    if many:
        header.append(t("合计", "all"))
    rows = []
    for name, label in names:
        values = [plain(pool[name]) for pool in m.pools]
        rows.append([label, *map(yuan, values), *([yuan(sum(values, Decimal(0)))] if many else [])])
    if any(p["points"] for p in m.pools):
        rows.append([t("点数", "points"), *(number(p["points"], 4) for p in m.pools),
                     *([""] if many else [])])  # fmt: skip
    rows.append(
        [
            t("点值（系数）", "value (factor)"),
            *(p["point_value"] or t("无", "none") for p in m.pools),
            *([""] if many else []),
        ]
    )
    rows.append(
        [t("方式", "method"), *(t.pair(POOL_METHODS, p["method"]) for p in m.pools), *([""] if many else [])]
    )
    return table(header, rows, class_="whole")


def _bridge(pool: Row, formula: str, t: Lang) -> list[charts.Step]:
    """The steps of a pool's money; those of 0 are left out, but for the totals."""

    def step(zh: str, en: str, value: Decimal, kind: str = "delta") -> charts.Step:
        return charts.Step(t(zh, en), t.scaled(value), t.big(value, 2, kind == "delta"), kind)

    apart = plain(pool["total"]) - plain(pool["residual"]) == plain(pool["by_points"])
    steps = [
        step("预算", "budget", plain(pool["budget"]), "total"),
        step("调剂金（风险金）", "reserve", -plain(pool["reserve"])),
        step("单列项目", "carve-outs", -plain(pool["carve_outs"])),
        step("可分配", "distributable", plain(pool["distributable"]), "total"),
        step(
            "共担：基金留存（−）或补足（+）", "sharing: kept (−) or added (+)", -plain(pool["fund_balance"])
        ),
        step("点数（标准）以外的支付", "paid outside points", Decimal(0) if apart else -plain(pool["fixed"])),
        step(
            "点值限定留存（−）或缺口（+）", "left (−) or lacking (+) at the value", -plain(pool["residual"])
        ),
        step("按点数（标准）支付", "paid by points (standards)", plain(pool["by_points"]), "total"),
    ]
    covered = _covered(pool, formula)
    if covered:
        worth = plain(pool["by_points"]) + covered
        steps.append(step("点数所含个人与其他基金支付", "paid by patients and other funds", covered))
        steps.append(
            step("点数总值（÷ 点数 = 点值）", "worth of all points (÷ points = value)", worth, "total")
        )
    return [s for s in steps if s.kind == "total" or s.value]


def _covered(pool: Row, formula: str) -> Decimal | None:
    """What points · value pays beside the fund; None where it does not follow from the table's points."""
    by_share = formula in ("F2", "F3")
    if pool["method"] == "standard" or by_share or not pool["points"] or not pool["point_value_exact"]:
        return None
    exact = Fraction(pool["point_value_exact"]) * Fraction(pool["points"]) - Fraction(
        plain(pool["by_points"])
    )
    found = half_up(exact, 2)
    others = plain(pool["person_paid"]) + plain(pool["other_funds"])
    return (
        found
        if (formula or abs(exact - Fraction(found)) < Fraction(1, 10**4)) and 0 <= found <= others
        else None
    )


def _equation(pool: Row, formula: str, t: Lang) -> str:
    """How the value follows, written out where it does so from the points of the table."""
    if pool["method"] == "standard":
        factor = pool["point_value"] or t("无", "none")
        return t(f"标准调整系数 {factor}；支付标准 = 权重 × 费率 × 系数", f"factor on standards {factor}")
    if not pool["points"] or not pool["point_value"]:
        return ""
    shown, points = f"{pool['point_value']} {t('元／点', 'yuan/point')}", number(pool["points"], 4)
    covered = _covered(pool, formula)
    if covered is None:
        return t(f"点值 {shown}；点数按基金支付比例折算后计入",
                 f"value {shown}; points count with the share that the fund pays")  # fmt: skip
    worth = plain(pool["by_points"]) + covered
    return t(
        f"点值 = {yuan(worth)} 元 ÷ {points} {t.point} = {shown}",
        f"value = {yuan(worth)} yuan ÷ {points} points = {shown}",
    )


def hospitals(m: Measures, t: Lang) -> Html:
    """Volume and CMI, payment against cost, gainers and losers, and the table of all hospitals."""
    shown = [row for row in m.hospitals if row["paid"]]
    return section(
        "hospitals",
        t("医院", "Hospitals"),
        _volume(m, shown, t),
        _payment(shown, t),
        _against(shown, t),
        ends(
            "hospital-gain",
            t("盈亏最大的医院", "Largest gainers and losers: hospitals"),
            [(hospital_name(r), r["gain"], r["income"], r["paid_cost"], r["paid"]) for r in shown],
            t,
        ),
        el("h3", t("全部医院", "All hospitals")),
        _all_hospitals(m, t),
        lead=t(
            "支付 = 统筹应付 + 个人支付 + 其他基金；差额 = 支付 − 总费用（仅已支付病例）。",
            "payment = fund due + patients + other funds; difference = payment − cost, of the paid cases.",
        ),
    )


def _volume(m: Measures, shown: Sequence[Row], t: Lang) -> Html:
    whole, kind = index_of(m.total)
    name = "CMI" if kind == "cmi" else t("例均点数", "mean points")
    digits = 2 if kind == "cmi" else 1
    rows = []
    for row in shown[:SHOWN]:
        index = index_of(row)[0]
        rows.append(
            charts.BarDot(hospital_name(row), float(row["paid"]), number(row["paid"]),
                          None if index is None else float(index), number(index, digits))
        )  # fmt: skip
    mark = (
        None
        if whole is None
        else (float(whole), t(f"全市 {number(whole, digits)}", f"area {number(whole, digits)}"))
    )
    chart = charts.bars_and_dots(
        rows, t(f"病例数与{name}", f"cases and {name}"), (t("已支付病例", "paid cases"), name),
        (t("例", "cases"), "" if kind == "cmi" else t.point), mark,
    )  # fmt: skip
    return figure("volume-cmi", t(f"病例数与 {name}", f"Volume and {name}"), chart, of_all(len(shown), t))


def of_all(number_of: int, t: Lang) -> str:
    if number_of <= SHOWN:
        return ""
    return t(
        f"病例最多的 {SHOWN} 家，全部 {number_of} 家见下表",
        f"the {SHOWN} with most cases; all {number_of} are in the table below",
    )


def _payment(shown: Sequence[Row], t: Lang) -> Html:
    rows = []
    for row in shown[:SHOWN]:
        before, after = mean(row["paid_cost"], row["paid"]), mean(row["income"], row["paid"])
        assert before is not None and after is not None
        rows.append(charts.Pair(hospital_name(row), float(before), float(after),
                                percent(row["gain"], row["paid_cost"], 1, True)))  # fmt: skip
    chart = charts.dumbbell(
        rows,
        t("例均支付与例均费用", "payment and cost per case"),
        t("元／例", "yuan per case"),
        (t("例均费用", "cost per case"), t("例均支付", "payment per case")),
        t("差额／费用", "difference ÷ cost"),
    )
    return figure(
        "payment-cost",
        t("支付与费用：按医院", "Payment against cost, by hospital"),
        chart,
        of_all(len(shown), t),
    )


def _against(shown: Sequence[Row], t: Lang) -> Html:
    named = {
        row["hospital_code"]
        for row in sorted(shown, key=lambda r: (-abs(r["gain"]), r["hospital_code"]))[:12]
    }
    points = []
    for row in shown:
        cost, income = mean(row["paid_cost"], row["paid"]), mean(row["income"], row["paid"])
        if not cost or income is None or cost < 0:
            continue
        volume = f"{number(row['paid'])} {t('例', 'cases')}"
        told = f"{hospital_name(row)}: {yuan(cost)} → {yuan(income)} {t.yuan}, {volume}"
        level = str(row["level"] or "")[:1]
        class_ = f"l{level}" if level in LEVELS else "l0"
        name = hospital_name(row) if row["hospital_code"] in named else ""
        points.append(
            charts.Point(float(cost), float(100 * income / cost), float(row["paid"]), told, name, class_)
        )
    present = sorted({p.class_ for p in points})
    legend = [(c, t.pair(LEVELS, c[1]) if c != "l0" else t("其他", "other")) for c in present]
    title = t("支付率对例均费用", "Payment ÷ cost against cost per case")
    chart = charts.scatter(
        points,
        title,
        (
            t("例均费用（元，对数）", "cost per case (yuan, logarithmic)"),
            t("支付／费用（%）", "payment ÷ cost (%)"),
        ),
        (100.0, t("支付 = 费用", "payment = cost")),
        legend,
    )
    note = t("面积为病例数；标名者差额最大", "area: cases; named: the largest differences")
    return figure("payment-scatter", title, chart, note)


def ends(
    identity: str, title: str, rows: Sequence[tuple[str, Decimal, Decimal, Decimal, int]], t: Lang
) -> Html:
    """Those that gain and lose most: label, gain, income, cost, cases."""
    ordered = sorted(rows, key=lambda r: (-r[1], r[0]))
    gainers = [row for row in ordered[:ENDS] if row[1] > 0]
    losers = [row for row in ordered[-ENDS:] if row[1] < 0]
    made = [
        charts.Bar(
            label,
            t.scaled(gain),
            f"{t.big(gain, 2, True)} ({percent(gain, cost, 1, True)}, {number(cases)}{t('例', '')})",
            "gain" if gain >= 0 else "loss",
        )
        for label, gain, _, cost, cases in [*gainers, *losers]
    ]
    note = t(
        f"支付 − 费用，{t.big_unit}；括号内为占费用的比例和例数",
        f"payment − cost, {t.big_unit}; in brackets, of the cost, and cases",
    )
    return figure(identity, title, charts.bars(made, title, t.big_unit, 250.0), note)


def _all_hospitals(m: Measures, t: Lang) -> Html:
    index = "CMI" if m.total.get("weighted") else t("例均点数", "mean points")
    header = [
        t("医院", "hospital"),
        t("编码", "code"),
        t("等级", "level"),
        t("支付例数", "paid cases"),
        index,
        t("总费用（元）", "cost (yuan)"),
        t("支付（元）", "payment (yuan)"),
        t("差额（元）", "difference (yuan)"),
        t("支付率", "ratio"),
        t("统筹应付（元）", "fund due (yuan)"),
    ]

    def row(r: Row, *labels: str) -> list[str]:
        value, kind = index_of(r)
        return [
            *labels,
            number(r["paid"]),
            number(value, 4 if kind == "cmi" else 2),
            yuan(r["paid_cost"]),
            yuan(r["income"]),
            yuan(r["gain"], True),
            percent(r["income"], r["paid_cost"]),
            yuan(r["fund_due"]),
        ]

    rows = [row(r, hospital_name(r), r["hospital_code"], t.pair(LEVELS, r["level"])) for r in m.hospitals]
    total = row(m.total, t("合计", "all"), "", "")
    return table(header, rows, left=(0,), short=(1, 2), total=total, class_="small")
