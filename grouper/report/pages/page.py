"""The report of a run as one page in each language: report.html and report.en.html."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.base.whole import put_text
from grouper.report.data import Paths, ReportData, RunInfo
from grouper.report.draw.html import Html, document, el
from grouper.report.measures import Measures, measure
from grouper.report.numbers import Lang
from grouper.report.pages import first, groups, money, objections, offsite, quality, sources

LANGS = ("zh", "en")


@cache
def style() -> str:
    """The style sheet, which every page carries within itself."""
    return (Path(__file__).parent / "report.css").read_text(encoding="utf-8")


def write_month(
    tables: Paths | ReportData, run_info: Mapping[str, Any], folder: str | Path, lang: str | None = None
) -> list[Path]:
    """Write the report of a settled month into ``folder``, in ``lang`` or in both; returns the files.

    ``tables``: the run's Parquet files. Raises UsageError for a record that is not of a month or lacks what
    the report must tell.
    """
    return _write(tables, run_info, folder, lang, yearly=False)


def write_year(
    tables: Paths | ReportData, run_info: Mapping[str, Any], folder: str | Path, lang: str | None = None
) -> list[Path]:
    """Write the report of a cleared year; otherwise as ``write_month``."""
    return _write(tables, run_info, folder, lang, yearly=True)


def _write(
    tables: Paths | ReportData,
    run_info: Mapping[str, Any],
    folder: str | Path,
    lang: str | None,
    yearly: bool,
) -> list[Path]:
    data = tables if isinstance(tables, ReportData) else ReportData.from_paths(tables, run_info)
    if data.info.yearly != yearly:
        raise UsageError(
            zh=f"期间 {data.info.period} 不是{'年度' if yearly else '月度'}",
            en=f"{data.info.period} is not a {'year' if yearly else 'month'}",
        )
    figures = measure(data)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    done = []
    for code in LANGS if lang is None else (lang,):
        path = data.place(target / page_name(code))
        put_text(path, page(figures, data.info, code))
        done.append(path)
    return done


def page_name(lang: str) -> str:
    return "report.html" if lang == "zh" else f"report.{lang}.html"


def page(m: Measures, info: RunInfo, lang: str) -> str:
    """The whole page; the same figures and record give the same bytes."""
    t = info.lang(lang)
    parts: list[tuple[str, str, Html | None]] = [
        ("pools", t("基金池与点值", "Pools"), money.pools(m, info, t)),
        ("hospitals", t("医院", "Hospitals"), money.hospitals(m, t)),
        ("groups", t("病组", "Groups"), groups.groups(m, t)),
        ("methods", t("支付方式", "Ways of payment"), groups.methods(m, info, t)),
        ("outliers", t("费用异常", "Outliers"), quality.outliers(m, t)),
        ("offsite", t("异地就医", "Care elsewhere"), offsite.offsite(m, t)),
        ("months", t("各月", "Months"), groups.months(m, t)),
        (
            "clearing",
            t("清算", "Clearing") if info.yearly else t("拨付", "Payment"),
            groups.clearing(m, info, t),
        ),
        ("adjustments", t("调整", "Adjustments"), quality.adjustments(m, info, t)),
        ("objections", t("申诉", "Objections"), objections.objections(info, t)),
        ("indicators", t("基金监测", "Fund watch"), quality.indicators(info, t)),
        ("quality", t("数据质量", "Data quality"), quality.quality(m, info, t)),
        ("checks", t("核对", "Checks"), sources.checks(m, t)),
        ("unverified", t("未核实参数", "Unverified parameters"), sources.unverified(info, t)),
    ]
    links = el(
        "nav", (el("a", name, href=f"#{identity}") for identity, name, part in parts if part is not None)
    )
    return document(
        title(info, t), t.html, style(), _top(m, info, t, links), first.first(m, info, t),
        (part for _, _, part in parts if part is not None), sources.provenance(info, t),
    )  # fmt: skip


def title(info: RunInfo, t: Lang) -> str:
    kind = t("年度清算报告", "Yearly clearing") if info.yearly else t("月度结算报告", "Monthly settlement")
    return f"{kind} · {info.place(t)} · {info.period}"


def _top(m: Measures, info: RunInfo, t: Lang, links: Html) -> Html:
    policy = t(
        str(info.policy.get("name", "")), str(info.policy.get("name_en") or info.policy.get("name", ""))
    )
    words = t(f"{policy}；运行 {info.run}", f"{policy}; run {info.run}")
    off = sum(not check.holds for check in m.checks)
    good = t(f"{len(m.checks)} 项核对全部一致，到分", f"all {len(m.checks)} checks agree, to the fen")
    state = t(f"{off} 项核对不一致，见“核对”", f"{off} checks differ, see Checks") if off else good
    return el(
        "header", el("h1", title(info, t)), el("p", words, class_="sub"),
        el("span", state, class_="state bad" if off else "state"),
        el("span", mark, class_="state bad") if (mark := info.draft_mark(t)) else None, links, class_="top",
    )  # fmt: skip
