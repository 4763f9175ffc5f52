"""What a simulation says on its first sheet and first page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.payment.policy import words
from grouper.report.numbers import Lang, number, percent, short_digest, yuan
from grouper.workbench.simulate.cases import missing_dimensions
from grouper.workbench.simulate.tables import DIMENSION_WORDS, STANDINGS, Reader

if TYPE_CHECKING:
    from grouper.workbench.simulate.result import Simulation

Fact = tuple[str, Any]


def title_of(done: Simulation, reader: Reader) -> str:
    """The title of the papers: whose cases, of which days, by which policy."""
    t = reader.t
    [found] = reader.rows(
        "SELECT min(pay_date) AS first, max(pay_date) AS last, count(DISTINCT hospital_code) AS n, "
        "any_value(hospital_code) AS code FROM cases WHERE standing <> 'left'"
    )
    days = t(f"{found['first']} 至 {found['last']}", f"{found['first']} to {found['last']}")
    who = found["code"] if found["n"] == 1 else t(f"{found['n']} 家医院", f"{found['n']} hospitals")
    return t(f"结算前模拟测算　{who or ''}　{days}", f"Simulation before settlement: {who or ''}, {days}")


def facts_of(done: Simulation, reader: Reader) -> list[Fact]:
    """Names and values; a value of None makes the name a heading."""
    t = reader.t
    return [
        (t("结果", "results"), None),
        *_results(done, t),
        (t("去向（每一行）", "what becomes of every row"), None),
        *_standings(done, t),
        (t("须知", "to know"), None),
        *((t("说明", "note"), text) for text in notes(done, reader)),
    ]


def _results(done: Simulation, t: Lang) -> Iterator[Fact]:
    whole = done.whole
    yield t("计入病例", "cases counted"), number(whole["cases"])
    yield t("总费用（元）", "total cost (yuan)"), yuan(whole["cost"])
    yield t("应得收入（元）", "income due (yuan)"), yuan(whole["expected"])
    yield t("收益 = 应得收入 − 总费用（元）", "profit = income − cost (yuan)"), yuan(whole["result"], True)
    yield t("收益占总费用", "profit of cost"), percent(whole["result"], whole["cost"], 2, True)
    losing = f"{number(whole['losing'])}（{yuan(whole['lost'])} {t.yuan}）"
    yield t("亏损病例（亏损额）", "losing cases (their losses)"), losing
    if whole["weighed"]:
        yield "CMI", number(whole["weight"] / whole["weighed"], 4)
        yield t("总权重", "weights in all"), number(whole["weight"], 4)
    yield t("高倍率病例", "high outliers"), number(whole["high"])
    yield t("低倍率病例", "low outliers"), number(whole["low"])


def _standings(done: Simulation, t: Lang) -> Iterator[Fact]:
    for name, pair in STANDINGS.items():
        rows, cost, expected, _ = done.totals.of(name)
        told = t(f"{rows:,} 行，费用 {yuan(cost)} 元", f"{rows:,} rows, {yuan(cost)} yuan of cost")
        if name in ("paid", "estimated") and rows:
            told += t(f"，应得收入 {yuan(expected)} 元", f", income {yuan(expected)} yuan")
        yield t(*pair), told
    told = t(
        f"{done.totals.rows:,} 行，费用 {yuan(done.totals.cost)} 元",
        f"{done.totals.rows:,} rows, {yuan(done.totals.cost)} yuan of cost",
    )
    yield t("合计", "all"), told


def notes(done: Simulation, reader: Reader) -> list[str]:
    """What a reader must know before a figure is used."""
    t, made = reader.t, []
    estimated = done.totals.of("estimated")
    if estimated[0]:
        made.append(
            t(
                f"{estimated[0]:,} 例缺统筹基金、基金合计（未结算）：应得收入按应付总额估计，共"
                f" {yuan(estimated[2])} 元；"
                "基金应付、个人支付未知，基金应付不足时结算所得可能高于此数。",
                f"{estimated[0]:,} cases lack the columns of the funds (not settled): their income "
                "is taken to be the "
                f"amount due, {yuan(estimated[2])} yuan. What the fund and the patient pay is not known.",
            )
        )
    held = done.totals.of("held")
    if held[0]:
        made.append(
            t(
                f"{held[0]:,} 行暂不支付，费用 {yuan(held[1])} 元，未计入收益；原因见“去向”。",
                f"{held[0]:,} rows of {yuan(held[1])} yuan are held and not in the profit; see the reasons.",
            )
        )
    if lacking := missing_dimensions(reader.grounds):
        zh = "、".join(DIMENSION_WORDS[name][0] for name in lacking)
        en = ", ".join(DIMENSION_WORDS[name][1] for name in lacking)
        how = t("；列名不同时请在命令中指明", "; name a column by --ward or --columns")
        made.append(
            t(f"输入没有{zh}列，因此没有按{zh}的表{how}。", f"The input has no {en}; no table by it{how}.")
        )
    for name, value in done.constants.items():
        made.append(
            t(
                f"全部行的{words.column(name, 'zh')}按“{value}”计（命令中给出）。",
                f"All rows are taken to have {name} = {value} (--set).",
            )
        )
    if done.without_persons:
        made.append(
            t(
                "输入没有人员编号，不能判断再住院：没有病例按再住院扣减。",
                "The input has no persons: readmissions are not known, and nothing is taken off for them.",
            )
        )
    if assumed := [name for name in done.priced.assumed if name not in ("pool_paid", "fund_paid")]:
        told = t("、", ", ").join(words.column(name, t.code) for name in assumed)
        made.append(t(f"输入没有、按默认值计的列：{told}。", f"Columns taken as default: {told}."))
    if done.policy.method != "drg_rate":
        made.append(
            t(
                "点数（分值）法：按政策中的预算点值估算，实际以年终清算的点值为准。",
                "Points: at the budget value of the policy; the value of the settlement may differ.",
            )
        )
    if done.priced.unverified:
        made.append(
            t(
                f"政策有 {len(done.priced.unverified)} 项参数未与原文核对。",
                f"{len(done.priced.unverified)} parameters of the policy are not verified.",
            )
        )
    made.append(
        t(
            "结果只供院内核查和管理，不是结算单，也不是调高编码或改变费用的建议。",
            "For checks within the hospital; no settlement, and no advice to code higher or to change costs.",
        )
    )
    return made


def origin_of(done: Simulation, t: Lang) -> Iterator[Fact]:
    """By what the papers can be made again."""
    policy, provenance = done.policy, done.summary
    yield t("输入", "input"), t("、", ", ").join(Path(path).name for path in provenance.inputs)
    yield t("支付政策", "policy"), f"{policy.id} [{short_digest(policy.digest)}]"
    yield t("政策有效期", "valid"), f"{policy.valid_from} – {policy.valid_to}"
    yield t("分组方案", "scheme"), provenance.scheme
