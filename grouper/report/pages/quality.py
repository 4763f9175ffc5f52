"""Parts of the page about what the money rests on: outliers, adjustments, data, parameters, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grouper.base.money import yuan_of
from grouper.base.reasons import REASONS, STATUS_NAMES, STATUS_ZH
from grouper.codes.book import ISSUES
from grouper.payment.policy import words
from grouper.payment.policy.assumed import in_words
from grouper.report.data import Row, RunInfo
from grouper.report.draw import charts
from grouper.report.draw.html import Html, el, figure, section, table
from grouper.report.measures import Measures
from grouper.report.names import row_reason
from grouper.report.numbers import NONE, Lang, number, percent, yuan
from grouper.report.pages.money import SHOWN, hospital_name
from grouper.report.pages.sources import named, value_in_words

_OUTLIERS = ("normal", "low", "high", "extreme")
KINDS = {
    "refund": ("冲正", "refund"),
    "correction": ("更正", "correction"),
    "withdrawal": ("撤销", "withdrawal"),
    "late": ("补报", "late case"),
    "special_review": ("特例单议", "special review"),
    "readmission": ("再入院", "readmission"),
    "quality": ("考核得分", "quality score"),
    "audit_deduction": ("稽核扣款", "audit deduction"),
}
TREATMENTS = {
    "rejected": ("退回", "rejected"),
    "withdrawn": ("已撤销", "withdrawn"),
    "superseded": ("被更正取代", "superseded"),
    "netted": ("与原记录相抵", "netted with the original"),
    "ignored": ("忽略", "ignored"),
    "adjustment": ("转为调整", "made an adjustment"),
    "held": ("暂不支付", "held"),
    "joined": ("并入末次账单", "joined to the last bill"),
}
_GROUPING = {reason.code: (reason.zh, reason.en) for reason in REASONS}
_STATUS = dict(zip(STATUS_NAMES, zip(STATUS_ZH, STATUS_NAMES, strict=True), strict=True))


def outliers(m: Measures, t: Lang) -> Html:
    """Classes, how far costs are from their yardstick, where outliers are, and the dearest cases."""
    names = {row["hospital_code"]: hospital_name(row) for row in m.hospitals}
    classes = [
        (c, t.pair(words.OUTLIERS, c)) for c in _OUTLIERS if any(r["outlier"] == c for r in m.outliers)
    ]
    rows = [
        (str(names.get(r["hospital_code"], r["hospital_code"])), {c: r[c] for c, _ in classes},
         percent(r["high"] + r["extreme"] + r["low"], r["cases"]))
        for r in m.hospital_outliers[:SHOWN]
    ]  # fmt: skip
    edges = [number(n * 5, 0) for n in range(len(m.ratios))]
    labels = [f"{int(e) // 100}.{int(e) % 100:02}" for e in edges]
    above = m.ratios[-1]  # in words: its column would be as high as all others
    beyond = "，".join(f"{name} {number(above[c])}" for c, name in classes if above.get(c))
    whole = number(sum(above.values()))
    more = t(
        f"；3 倍及以上 {whole} 例未画出（{beyond}）",
        f"; {whole} cases of 3 times and more are not drawn ({beyond})",
    )
    spread = charts.histogram(
        m.ratios[:-1], labels, t("病例的费用倍率", "cases by multiple of cost"), classes,
        (t("例数", "cases"), t("费用倍率（倍）", "multiple of the yardstick (times)")), every=10,
    )  # fmt: skip
    share = charts.shares(
        rows, t("各医院倍率构成", "classes by hospital"), classes, t("异常合计", "outliers")
    )
    return section(
        "outliers",
        t("费用异常病例", "Outliers"),
        _classes(m, t),
        figure(
            "ratios",
            t("费用倍率分布", "How far cost is from its yardstick"),
            spread,
            t(
                "费用 ÷ 政策规定的分母；界限可随权重而变",
                "cost over the policy's denominator; limits may vary with weight",
            )
            + (more if above else ""),
        ),
        figure(
            "outlier-hospitals",
            t("按医院", "By hospital"),
            share,
            t(f"病例最多的 {len(rows)} 家", f"the {len(rows)} with most cases"),
        ),
        el("h3", t("费用超出支付最多的病例", "Cases whose cost exceeds payment most")),
        _dearest(m, names, t),
        lead=t("仅按病组支付的病例。", "Cases paid by group only."),
    )


def _classes(m: Measures, t: Lang) -> Html:
    header = [
        t("类别", "class"),
        t("例数", "cases"),
        t("占比", "share"),
        t("总费用（元）", "cost (yuan)"),
        t("支付（元）", "payment (yuan)"),
        t("差额（元）", "difference (yuan)"),
        t("支付率", "ratio"),
    ]
    whole = sum(r["cases"] for r in m.outliers)
    rows = [
        [
            t.pair(words.OUTLIERS, r["outlier"]),
            number(r["cases"]),
            percent(r["cases"], whole, 2),
            yuan(r["cost"]),
            yuan(r["income"]),
            yuan(r["gain"], True),
            percent(r["income"], r["cost"]),
        ]
        for r in m.outliers
    ]
    return table(header, rows)


def _dearest(m: Measures, names: Mapping[str, str], t: Lang) -> Html:
    header = [t("记录号", "record"), t("医院", "hospital"), t("病组", "group"),
              t("类别", "class"), t("天数", "days"),
              t("倍率", "multiple"), t("总费用（元）", "cost (yuan)"), t("支付（元）", "payment (yuan)"),
              t("差额（元）", "difference (yuan)")]  # fmt: skip
    rows = [
        [r["record_id"], names.get(r["hospital_code"], r["hospital_code"]), str(r["code"] or NONE),
         t.pair(words.OUTLIERS, r["outlier"]) if r["outlier"] else t.pair(words.METHODS, r["method"]),
         number(r["los_days"]), number(r["cost_ratio"], 2), yuan(r["total_cost"]), yuan(r["settled_income"]),
         yuan(r["gain"], True)]
        for r in m.excess
    ]  # fmt: skip
    return table(header, rows, left=(1,), short=(0, 2, 3), class_="small")


def adjustments(m: Measures, info: RunInfo, t: Lang) -> Html:
    """What earlier runs' cases change now, and why; scores move the deposit and stand in the clearing."""
    title = t("调整", "Adjustments")
    kinds = [r for r in m.adjustments if r["kind"] != "quality"]
    money = [r for r in m.largest_adjustments if r["kind"] != "quality"]
    scores = sum(r["cases"] for r in m.adjustments if r["kind"] == "quality")
    noted = t(f"另登记考核得分 {number(scores)} 条，用于年度清算。",
              f"{number(scores)} scores, for the clearing.")  # fmt: skip
    beside = el("p", noted, class_="sub") if scores else None
    if not kinds:
        none = el("p", t("本次运行没有调整。", "This run has no adjustments."), class_="none")
        return section("adjustments", title, none, beside)
    whole = sum(r["cases"] for r in kinds)
    lead = t(f"共 {number(whole)} 条。", f"{number(whole)} in all.")
    if whole > len(money):
        lead += t(
            f"下列金额最大的 {len(money)} 条，其余见数据文件。",
            f" The {len(money)} largest are listed; all are in the CSV.",
        )
    return section("adjustments", title, _by_kind(kinds, t), _largest(m, money, t), beside, lead=lead)


def _by_kind(kinds: Sequence[Row], t: Lang) -> Html:
    """Numbers and amounts of each kind of adjustment."""
    header = [
        t("类型", "kind"),
        t("条数", "number"),
        t("医院", "hospitals"),
        t("点数变化", "points"),
        t("调增（元）", "up (yuan)"),
        t("调减（元）", "down (yuan)"),
        t("净额（元）", "net (yuan)"),
    ]
    rows = [
        [t.pair(KINDS, r["kind"]), number(r["cases"]), number(r["hospitals"]), number(r["points"], 4, True),
         yuan(r["up"], True), yuan(r["down"], True), yuan(r["difference"], True)]
        for r in kinds
    ]  # fmt: skip
    return table(header, rows)


def _largest(m: Measures, money: Sequence[Row], t: Lang) -> Html:
    """The adjustments of the largest amounts, one by one."""
    header = [
        t("编号", "id"),
        t("类型", "kind"),
        t("记录号", "record"),
        t("医院", "hospital"),
        t("原期", "original period"),
        t("原金额（元）", "before (yuan)"),
        t("现金额（元）", "after (yuan)"),
        t("差额（元）", "difference (yuan)"),
        t("原因；依据", "reason; clause"),
    ]
    names = {row["hospital_code"]: hospital_name(row) for row in m.hospitals}
    rows = [
        [
            str(r["adjustment_id"] or ""),
            t.pair(KINDS, r["kind"]),
            str(r["record_id"] or ""),
            names.get(r["hospital_code"], str(r["hospital_code"] or "")),
            str(r["original_period"] or t("本期", "this period")),
            yuan(r["amount_before"]),
            yuan(r["amount_after"]),
            yuan(r["difference"], True),
            why(r, t),
        ]
        for r in money
    ]
    return table(header, rows, left=(3, 8), short=(0, 1, 2, 4), class_="small wide-last")


def why(row: Row, t: Lang) -> str:
    """The reason of an adjustment in words, its clause and its document."""
    reason, kind = str(row["reason"] or ""), str(row["kind"] or "")
    told = t.pair(KINDS, kind) if reason in ("", kind) or reason in KINDS else t.own(reason)
    return t("；", "; ").join([told, *(str(row[name]) for name in ("clause", "document") if row[name])])


def quality(m: Measures, info: RunInfo, t: Lang) -> Html:
    """What did not come in, what is not paid and why, how cases were grouped, what was assumed."""
    return section(
        "quality",
        t("数据质量", "Data quality"),
        _kept_out(m, t),
        el("h3", t("分组结果", "Grouping")),
        _grouping(m, t),
        *_codes(info, t),
        *_reviews(info, t),
        el("h3", t("输入没有、按默认取值的列与参数", "Columns and parameters taken as default")),
        _assumed(info, t),
    )


def _codes(info: RunInfo, t: Lang) -> list[Html]:
    """What was found of codes, where the run counted it."""
    if not info.codes:
        return []
    sides = {"diagnosis": ("诊断", "diagnoses"), "procedure": ("手术操作", "procedures"),
             "row": ("行", "rows")}  # fmt: skip
    marks = {"principal-grey": ("主要诊断是灰码", "grey principal diagnosis"),
             "principal-not-for-grouping": ("主要诊断不作为分组规则", "principal diagnosis not for grouping"),
             "procedure-not-for-grouping": ("主要手术操作不作为分组规则",
                                            "main operation not for grouping")}  # fmt: skip
    rows = []
    for key, found in info.codes.items():
        side, _, issue = key.partition(":")
        rows.append([t.pair(sides, side), t.pair(ISSUES | marks, issue), number(found)])
    heads = [t("编码", "codes"), t("情况", "what"), t("次数", "times")]
    return [el("h3", t("编码", "Codes")), table(heads, rows, left=(0, 1))]


def _reviews(info: RunInfo, t: Lang) -> list[Html]:
    """What became of special reviews, and the quota of the month, where there are any."""
    quota = {name: number(n) for name, n in info.review_quota.items()}
    lead = None
    if quota:
        zh = (
            f"本月名额 {quota['allowed']} 例（按病种付费出院 {quota['discharges']} 例），本月病例已用 "
            f"{quota['used']} 例。"
        )
        en = (
            f"The month allows {quota['allowed']} (of {quota['discharges']} discharges by group); its cases "
            f"have used {quota['used']}."
        )
        lead = el("p", t(zh, en), class_="sub")
    if not info.reviews:
        return [el("h3", t("特例单议", "Special reviews")), lead] if lead else []
    rows = [
        [t.pair(words.REVIEWS, result), number(cases), yuan(yuan_of(fen))]
        for result, (cases, fen) in info.reviews.items()
    ]
    heads = [t("评审结果", "result"), t("例数", "cases"), t("总费用（元）", "cost (yuan)")]
    told = table(heads, rows, left=(0,))
    return [el("h3", t("特例单议", "Special reviews")), *([lead] if lead else []), told]


def _kept_out(m: Measures, t: Lang) -> Html:
    heading = el("h3", t("未入库的行", "Rows kept out"))
    if not m.rejected:
        return el(
            "div",
            heading,
            el(
                "p", t("没有；每一行都进入结算。", "None: every row went into the settlement."), class_="none"
            ),
        )
    texts = [row_reason(t(r["zh"] or r["reason"], r["en"] or r["reason"]), t) for r in m.rejected]
    chart = charts.bars(
        [
            charts.Bar(
                text, float(r["cases"]), number(r["cases"]), "c" if r["treatment"] != "rejected" else "loss"
            )
            for text, r in zip(texts, m.rejected, strict=True)
        ],
        t("未入库的行，按原因", "rows kept out, by reason"),
        t("行", "rows"),
        350.0,
    )
    header = [
        t("原因", "reason"),
        t("处理", "treatment"),
        t("行数", "rows"),
        t("总费用（元）", "cost (yuan)"),
    ]
    rows = [
        [text, t.pair(TREATMENTS, r["treatment"]), number(r["cases"]), yuan(r["cost"])]
        for text, r in zip(texts, m.rejected, strict=True)
    ]
    whole = [t("合计", "all"), "", number(sum(r["cases"] for r in m.rejected)), ""]
    return el(
        "div",
        heading,
        figure("rejected", t("按原因", "By reason"), chart) if len(texts) > 2 else None,
        table(header, rows, left=(0,), short=(1,), total=whole),
    )


def _grouping(m: Measures, t: Lang) -> Html:
    rows = [
        [
            t.pair(_STATUS, r["status"]),
            t.pair(_GROUPING, r["reason"]) if r["reason"] else "",
            number(r["cases"]),
            percent(r["cases"], m.total["rows"], 2),
        ]
        for r in m.grouping
    ]
    return table(
        [t("结果", "result"), t("原因", "reason"), t("例数", "cases"), t("占比", "share")], rows, left=(0, 1)
    )


def _assumed(info: RunInfo, t: Lang) -> Html:
    if not info.assumed:
        return el("p", t("没有。", "None."), class_="none")
    rows = []
    for name, value in sorted(info.assumed.items()):
        label, told = in_words(name, str(value), t.code) or (
            named(name, t),
            value_in_words(name, str(value), info, t),
        )
        rows.append([t.own(label), t.own(told)])
    return table([t("名称", "name"), t("取值", "taken as")], rows, left=(0, 1), class_="small")


def indicators(info: RunInfo, t: Lang) -> Html | None:
    """The fund watch's indicators, where the run has them."""
    if not info.indicators:
        return None
    header = [
        t("指标", "indicator"),
        t("数值", "value"),
        t("警戒线", "warning line"),
        t("状态", "state"),
        t("定义；来源", "definition; source"),
    ]
    none = t("无", "none")
    done = [i for i in info.indicators if i.get("value") is not None]
    rows = [
        [t(str(i.get("zh", "")), str(i.get("en", ""))), i["value"] + t(*i["unit"]),
         t(*i["limit"]) if i.get("limit") else none, t(*i["state"]) if i.get("state") else none,
         _define(i, t)]
        for i in done
    ]  # fmt: skip
    lacking = [
        [t(str(i.get("zh", "")), str(i.get("en", ""))), _define({**i, "source": ""}, t)]
        for i in info.indicators if i.get("value") is None
    ]  # fmt: skip
    heads = [t("指标", "indicator"), t("缺什么，怎样提供", "what lacks, and how to give it")]
    return section(
        "indicators", t("基金监测", "Fund watch"),
        table(header, rows, left=(0, 2, 3, 4), class_="small wide-last") if rows else None,
        [el("h3", t("未计算的指标", "Not computed")),
         table(heads, lacking, left=(0, 1), class_="small wide-last")] if lacking else None,
    )  # fmt: skip


def _define(indicator: Mapping[str, Any], t: Lang) -> str:
    """Its definition and source."""
    parts = (indicator.get(t("definition_zh", "definition_en")), indicator.get("source"))
    return t.own(t("；", "; ").join(str(part) for part in parts if part))
