"""Parts of the page about what the money rests on: outliers, adjustments, data, parameters, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grouper.base.money import yuan_of
from grouper.base.reasons import REASONS, STATUS_NAMES, STATUS_ZH
from grouper.codes.book import ISSUES
from grouper.payment.policy import words
from grouper.payment.policy.assumed import in_words
from grouper.payment.policy.registry import PARAMETERS, label
from grouper.payment.policy.value_words import value_told
from grouper.report.data import RunInfo
from grouper.report.draw import charts
from grouper.report.draw.html import Html, el, figure, section, table
from grouper.report.measures import TOP_ADJUSTMENTS, Measures
from grouper.report.numbers import NONE, Lang, number, percent, short_digest, yuan
from grouper.report.pages.money import SHOWN, hospital_name, unpaid_table

_OUTLIERS = ("normal", "low", "high", "extreme")
KINDS = {
    "refund": ("冲正", "refund"),
    "correction": ("更正", "correction"),
    "withdrawal": ("撤销", "withdrawal"),
    "late": ("补报", "late case"),
    "special_review": ("特例单议", "special review"),
    "readmission": ("再入院", "readmission"),
    "quality": ("质量考核", "quality score"),
    "audit_deduction": ("稽核扣款", "audit deduction"),
}
TREATMENTS = {
    "rejected": ("退回", "rejected"),
    "withdrawn": ("已撤销", "withdrawn"),
    "superseded": ("被更正取代", "superseded"),
    "netted": ("与原记录相抵", "netted with the original"),
    "ignored": ("忽略", "ignored"),
    "adjustment": ("转为调整", "made an adjustment"),
    "held": ("暂挂", "held"),
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
    labels = [f"{int(e) // 100}.{int(e) % 100:02}" for e in edges[:-1]] + ["≥ 3.00"]
    spread = charts.histogram(
        m.ratios, labels, t("病例的费用倍率", "cases by multiple of cost"), classes,
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
            ),
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
    """What earlier runs' cases change now, and why."""
    title = t("调整", "Adjustments")
    if not m.adjustments:
        return section(
            "adjustments",
            title,
            el("p", t("本次运行没有调整。", "This run has no adjustments."), class_="none"),
        )
    whole = sum(r["cases"] for r in m.adjustments)
    lead = t(f"共 {number(whole)} 条。", f"{number(whole)} in all.")
    if whole > TOP_ADJUSTMENTS:
        lead += t(
            f"下列金额最大的 {TOP_ADJUSTMENTS} 条，其余见 CSV。",
            f" The {TOP_ADJUSTMENTS} largest are listed; all are in the CSV.",
        )
    return section(
        "adjustments",
        title,
        _by_kind(m, t),
        _largest(m, t),
        lead=lead,
    )


def _by_kind(m: Measures, t: Lang) -> Html:
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
        for r in m.adjustments
    ]  # fmt: skip
    return table(header, rows)


def _largest(m: Measures, t: Lang) -> Html:
    """The adjustments of the largest amounts, one by one."""
    header = [
        t("编号", "id"),
        t("类型", "kind"),
        t("记录号", "record"),
        t("医院", "hospital"),
        t("原期（运行）", "original (run)"),
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
            f"{r['original_period'] or NONE} ({r['original_run'] or NONE})",
            yuan(r["amount_before"]),
            yuan(r["amount_after"]),
            yuan(r["difference"], True),
            "; ".join(str(x) for x in (r["reason"], r["clause"]) if x and x != r["kind"]),
        ]
        for r in m.largest_adjustments
    ]
    return table(header, rows, left=(3, 8), short=(0, 1, 2, 4), class_="small")


def quality(m: Measures, info: RunInfo, t: Lang) -> Html:
    """What did not come in, what is not paid and why, how cases were grouped, what was assumed."""
    return section(
        "quality",
        t("数据质量", "Data quality"),
        _kept_out(m, t),
        el("h3", t("暂不支付与不由本政策支付", "Held, and outside this policy")),
        unpaid_table(m, info, t) or el("p", t("没有。", "None."), class_="none"),
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
    texts = [t(r["zh"] or r["reason"], r["en"] or r["reason"]) for r in m.rejected]
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
        t("代码", "code"),
        t("处理", "treatment"),
        t("行数", "rows"),
        t("总费用（元）", "cost (yuan)"),
    ]
    rows = [
        [text, str(r["reason"]), t.pair(TREATMENTS, r["treatment"]), number(r["cases"]), yuan(r["cost"])]
        for text, r in zip(texts, m.rejected, strict=True)
    ]
    whole = [t("合计", "all"), "", "", number(sum(r["cases"] for r in m.rejected)), ""]
    return el(
        "div",
        heading,
        figure("rejected", t("按原因", "By reason"), chart),
        table(header, rows, left=(0,), short=(1, 2), total=whole),
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
            _label(name, t),
            value_told(name, str(value), t.code, info.routes),
        )
        rows.append([label, name, told])
    return table(
        [t("名称", "name"), t("代码", "code"), t("取值", "taken as")], rows, left=(0, 1, 2), class_="small"
    )


def _label(name: str, t: Lang) -> str:
    """A parameter or column in words."""
    if name in PARAMETERS:
        return label(name, t.code)
    return words.column(name, t.code)


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
    rows = [
        [t(str(i.get("zh", "")), str(i.get("en", ""))),
         NONE if i.get("value") is None else i["value"] + t(*i["unit"]),
         str(i.get("limit") or NONE), t(*i["state"]) if i.get("state") else NONE,
         "; ".join(str(x) for x in (i.get(t("definition_zh", "definition_en")), i.get("source")) if x)]
        for i in info.indicators
    ]  # fmt: skip
    return section(
        "indicators", t("基金监测", "Fund watch"), table(header, rows, left=(0, 3, 4), class_="small")
    )


def unverified(info: RunInfo, t: Lang) -> Html:
    """Every value that nobody checked against its source."""
    title = t("未核实参数", "Unverified parameters")
    if not info.unverified:
        return section(
            "unverified",
            title,
            el("p", t("没有：所用参数均已核实。", "None: all parameters used were checked."), class_="none"),
        )
    rows = []
    for p in info.unverified:
        name = str(p["name"])
        ends = (p.get(k) or p.get(f"valid_{k}") for k in ("from", "to"))
        span = t(" 至 ", " to ").join(str(end) for end in ends if end)
        rows.append(
            [
                _label(name, t),
                name,
                value_told(name, str(p.get("value") or ""), t.code, info.routes),
                span,
                str(p.get("source") or NONE),
                str(p.get("article") or ""),
            ]
        )
    header = [
        t("参数", "parameter"),
        t("代码", "code"),
        t("取值", "value"),
        t("有效期", "validity"),
        t("来源", "source"),
        t("条款", "article"),
    ]
    return section(
        "unverified",
        title,
        table(header, rows, left=(0, 2, 3, 4), short=(1, 5), class_="small words"),
        lead=t(
            "用于正式支付前须逐项对照本地文件核实。",
            "Check each against the area's own documents before paying by it.",
        ),
    )


def checks(m: Measures, t: Lang) -> Html:
    """Whether the tables agree, to the fen."""
    rows = []
    for check in m.checks:
        whole = check.found == check.found.to_integral_value() and "例数" in check.zh
        show = number if whole else yuan
        rows.append([t(check.zh, check.en), show(check.found), show(check.expected),
                     t("一致", "agrees") if check.holds else t("不一致", "DIFFERS")])  # fmt: skip
    header = [t("核对", "check"), t("左边", "left side"), t("右边", "right side"), t("结果", "result")]
    return section("checks", t("核对", "Checks"), table(header, rows, left=(0, 3)))


def _named(info: RunInfo, t: Lang) -> str:
    """The area by name and id, as the policy file and the lake have it."""
    place = info.place(t)
    return place if place == info.area else t(f"{place}（{info.area}）", f"{place} ({info.area})")


def provenance(info: RunInfo, t: Lang) -> Html:
    """What made this page; digests by their first 12 characters, whole ones in the ledger."""
    software, scheme, policy = info.software, info.scheme, info.policy
    facts = [
        (t("运行", "run"), f"{info.run} ({info.kind})"),
        (t("地区与期间", "area and period"), f"{_named(info, t)} {info.period}"),
        (
            t("操作人、时间（由操作人给出）", "who and when, as given"),
            " ".join(x for x in (info.who, info.when) if x) or NONE,
        ),
        (t("说明", "note"), info.note or NONE),
        (t("软件", "software"), f"{software.get('name', '')} {software.get('version', '')}"),
        (t("分组方案", "scheme"), _cited(scheme)),
        (t("支付政策", "policy"), f"{t(policy.get('name', ''), policy.get('name_en', ''))} {_cited(policy)}"),
        (
            t("人员标识", "person ids"),
            t("已假名化", "pseudonymised") if info.pseudonymised else t("不在报告中", "not in the reports"),
        ),
    ]
    if info.seal:
        facts.append((t("链印", "seal of the chain"), f"{short_digest(info.seal)}  {info.seal}"))
    rows = [
        [
            t.pair(words.ROLES, str(i.get("role", ""))),
            str(i.get("path", "")),
            number(_whole(i.get("bytes"))),
            short_digest(str(i.get("sha256", ""))),
        ]
        for i in info.inputs
    ]
    header = [t("用途", "role"), t("输入文件", "input"), t("字节", "bytes"), "SHA-256"]
    listed = el("dl", ([el("dt", name), el("dd", value)] for name, value in facts))
    return el(
        "footer",
        el("h2", t("来历", "Provenance")),
        listed,
        table(header, rows, left=(0, 1, 3), class_="small") if rows else None,
        id="provenance",
    )


def _cited(item: Mapping[str, Any]) -> str:
    if not item:
        return NONE
    digest = short_digest(str(item.get("sha256", "")))
    return f"{item.get('id', '')} [{digest}]" if digest else str(item.get("id", ""))


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
