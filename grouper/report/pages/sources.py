"""Parts of the page about what it rests on: parameters, checks, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grouper.payment.policy import words
from grouper.payment.policy.registry import PARAMETERS, label
from grouper.payment.policy.value_words import value_told
from grouper.report.data import RunInfo
from grouper.report.draw.html import Html, el, join, section, table
from grouper.report.measures import Measures
from grouper.report.numbers import NONE, Lang, number, short_digest, yuan


def named(name: str, t: Lang) -> str:
    """A parameter or column in words."""
    if name in PARAMETERS:
        return label(name, t.code)
    return words.column(name, t.code)


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
                t.own(named(name, t)),
                t.own(value_in_words(name, str(p.get("value") or ""), info, t)),
                span,
                t("；", "; ").join(_cited_words(p[k], t) for k in ("source", "article") if p.get(k))
                or t("无", "none"),
            ]
        )
    header = [
        t("参数", "parameter"),
        t("取值", "value"),
        t("有效期", "validity"),
        t("来源、条款", "source, article"),
    ]
    return section(
        "unverified",
        title,
        table(header, rows, left=(0, 1, 2, 3), class_="small words"),
        lead=t(
            "用于正式支付前须逐项对照本地文件核实。",
            "Check each against the area's own documents before paying by it.",
        ),
    )


def value_in_words(name: str, value: str, info: RunInfo, t: Lang) -> str:
    """A value in words; nothing stands as what it is."""
    return t("空", "none") if value in ("", "NULL") else value_told(name, value, t.code, info.routes)


def _cited_words(text: object, t: Lang) -> str:
    return t("默认值", "assumed") if text == "assumed" else str(text)


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


def _named(info: RunInfo, t: Lang) -> Html:
    """The area by name and id, as the policy file and the lake have it, and the period."""
    place = info.place(t)
    return join(place if place != info.area else "", " ", code(info.area), " ", info.period)


_RUNS = {"settle": ("月度结算", "settlement"), "clear": ("年度清算", "clearing")}


def provenance(info: RunInfo, t: Lang) -> Html:
    """What made this page; digests by their first 12 characters, whole ones in the ledger."""
    software, scheme, policy = info.software, info.scheme, info.policy
    facts = [
        (t("运行", "run"), f"{info.run} {t.pair(_RUNS, info.kind)}"),
        (t("地区与期间", "area and period"), _named(info, t)),
        (
            t("操作人、时间（由操作人给出）", "who and when, as given"),
            " ".join(x for x in (info.who, info.when) if x) or NONE,
        ),
        (t("说明", "note"), info.note or NONE),
        (t("软件", "software"), code(f"{software.get('name', '')} {software.get('version', '')}")),
        (t("分组方案", "scheme"), cited(scheme)),
        (
            t("支付政策", "policy"),
            join(t(str(policy.get("name", "")), str(policy.get("name_en", ""))), " ", cited(policy)),
        ),
        (
            t("人员标识", "person ids"),
            t("已假名化", "pseudonymised") if info.pseudonymised else t("不在报告中", "not in the reports"),
        ),
    ]
    if info.seal:
        facts.append((t("链印", "seal of the chain"), code(info.seal)))
    rows = [
        [
            t.pair(words.ROLES, str(i.get("role", ""))),
            code(str(i.get("path", ""))),
            number(_whole(i.get("bytes"))) if i.get("bytes") else "",
            code(short_digest(str(i.get("sha256", "")))),
        ]
        for i in info.inputs
    ]
    header = [t("用途", "role"), t("输入", "input"), t("字节", "bytes"), t("指纹", "digest")]
    listed = el("dl", ([el("dt", name), el("dd", value)] for name, value in facts))
    return el(
        "footer",
        el("h2", t("来历", "Provenance")),
        listed,
        table(header, rows, left=(0, 1, 3), class_="small") if rows else None,
        id="provenance",
    )


def code(text: str) -> Html:
    """A name of the machine: of a file, a scheme, a digest."""
    return el("code", text)


def cited(item: Mapping[str, Any]) -> Html:
    """Id and digest; of a clearing, which groups nothing, the scheme is that of its months."""
    told = [str(item.get("id") or ""), short_digest(str(item.get("sha256") or ""))] if item else []
    return code(" ".join(part for part in told if part))


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
