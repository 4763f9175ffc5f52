"""Runs of a lake in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from grouper.base.money import Fen, yuan_of
from grouper.base.reasons import REASONS
from grouper.codes.book import ISSUES
from grouper.commands.text.aligned import aligned
from grouper.commands.text.lake import head_line, shortened
from grouper.lake.whole import SHORT
from grouper.payment.policy.assumed import in_words
from grouper.payment.policy.value_words import clauses_told
from grouper.payment.policy.words import REVIEWS, STATUSES
from grouper.payment.policy.words import pool as pool_in_words
from grouper.payment.policy.words import reason as reason_in_words
from grouper.payment.pool.factor import far_off
from grouper.settlement.limits import inputs_told
from grouper.settlement.reasons import text
from grouper.settlement.states import WORDS

if TYPE_CHECKING:
    from grouper.settlement.audit import Audited
    from grouper.settlement.month import Done
    from grouper.settlement.plan.year_job import YearPlan
    from grouper.settlement.replay import Parted, Replayed

STAGES = {
    "read": ("读取与分组", "read and group"),
    "validate": ("检查", "validate"),
    "price": ("计价", "price"),
    "pool": ("基金池", "pools"),
    "adjust": ("调整", "adjust"),
    "statements": ("结算表", "statements"),
    "report": ("报告", "reports"),
    "commit": ("提交", "commit"),
}
YEAR_STAGES = {**STAGES, "read": ("读取", "read")}
ADJUSTMENTS = {
    "refund": ("冲正", "refunds"),
    "late": ("补报", "late cases"),
    "correction": ("更正", "corrections"),
    "withdrawal": ("撤销", "withdrawals"),
    "special_review": ("特例单议", "special reviews"),
    "readmission": ("再住院", "readmissions"),
    "quality": ("考核得分", "quality scores"),
    "audit_deduction": ("稽核扣款", "audit deductions"),
}


def yuan(fen: Fen) -> str:
    """An amount as people read it, to the fen."""
    return f"{yuan_of(fen):,.2f}"


def month_summary(done: Done, lang: str) -> Iterator[str]:
    """What a settled month came to."""
    zh, run = lang != "en", done.record.run
    heads = (
        ("读入", "病例", "退回", "相抵", "转调整行")
        if zh
        else ("rows", "cases", "rejected", "netted", "adjusted rows")
    )
    numbers = (run["rows_in"], run["cases"], run["rejected"], run["netted"], run["adjusted"])
    yield "  ".join(f"{head} {number:,}" for head, number in zip(heads, numbers, strict=True))
    costs = {r["reason"]: r["cost_fen"] for r in done.record.rows["counts"] if r["status"] == "rejected"}
    for reason, number in done.rejected.items():
        yield f"  {text(reason, lang)}  {number:,}  {yuan(costs[reason] or 0)} {'元' if zh else 'yuan'}"
    yield from unpaid_lines(done.record.rows["counts"], done.routes, lang)
    for odd in done.odd:
        yield f"{'注意：' if zh else 'note: '}{odd.text(lang)}"
    for kind, number in done.adjustments.items():
        yield f"  {ADJUSTMENTS[kind][not zh]}  {number:,}"
    yield from assumed_lines(done.assumed, lang)
    yield from _pools(done, zh)
    due, adjusted = yuan(run["fund_due_fen"]), yuan(run["adjustments_fen"])
    told = (
        f"应付基金 {due} 元，往月调整 {adjusted} 元"
        if zh
        else f"fund due {due} yuan, adjustments {adjusted} yuan"
    )
    if apart := _sums(done).get("earlier_years"):
        told += f"，其中往年 {yuan(apart)} 元" if zh else f", {yuan(apart)} of them of earlier years"
    yield told
    if advanced := _sums(done).get("advanced"):
        yield f"拨付预付金 {yuan(advanced)} 元" if zh else f"advance paid {yuan(advanced)} yuan"
    yield from carried_lines(done.record.rows["amounts"], lang)
    yield from _end(done, zh)


def assumed_lines(assumed: Mapping[str, str], lang: str) -> Iterator[str]:
    """Assumptions that have words of their own."""
    for name, value in assumed.items():
        if words := in_words(name, value, lang):
            yield f"  {'：'.join(words) if lang != 'en' else ': '.join(words)}"


def carried_lines(amounts: Sequence[Mapping[str, Any]], lang: str) -> Iterator[str]:
    """What deductions exceed the payment by: it is carried to the next month, or to be recovered."""
    zh = lang != "en"
    for row in amounts:
        name, fen = row["name"].rpartition(":")[2], row["fen"]
        if fen < 0 and name in ("carried", "final"):
            where = f"{row['hospital_code']}（{pool_in_words(row['pool'], lang)}）" if zh else (
                f"{row['hospital_code']} ({pool_in_words(row['pool'], lang)})"
            )  # fmt: skip
            words = {
                "carried": ("扣减超过本期拨付，结转下期", "more than is paid, carried to the next month"),
                "final": ("应收回", "to be recovered"),
            }[name]
            yield f"  {where} {words[not zh]} {yuan(-fen)} {'元' if zh else 'yuan'}"


def unpaid_lines(
    counts: Sequence[Mapping[str, Any]], routes: Mapping[str, tuple[str, str]], lang: str
) -> Iterator[str]:
    """Paid, held and outside with cases and yuan, those not paid by reason; then what was found of codes."""
    zh, unit = lang != "en", "元" if lang != "en" else "yuan"
    cases = [row for row in counts if row["status"] == "case" and row["cost_fen"] is not None]
    whole = sum(row["cost_fen"] for row in cases)
    for status, words in STATUSES.items():
        inside = [row for row in cases if row["reason"].partition(":")[0] == status]
        if not inside and status != "held":
            continue
        number, fen = sum(row["rows"] for row in inside), sum(row["cost_fen"] for row in inside)
        share = f"{100 * fen / whole:.2f}%" if whole else "-"
        yield f"{words[not zh]} {number:,}  {yuan(fen)} {unit} ({share})"
        for row in sorted(inside, key=lambda row: -row["cost_fen"]) if status != "paid" else ():
            why = row["reason"].partition(":")[2]
            told = f"{row['rows']:,}  {yuan(row['cost_fen'])} {unit}"
            told += inputs_told(counts, row["reason"])
            yield f"  {reason_in_words(why, lang, routes)} [{why}]  {told}"
    for row in counts:
        if row["status"] == "review":
            told = f"{row['rows']:,}  {yuan(row['cost_fen'])} {unit}"
            yield f"{'特例单议' if zh else 'special review'}  {REVIEWS[row['reason']][not zh]}  {told}"
        if row["status"] == "codes":
            side, _, issue = row["reason"].partition(":")
            yield f"  {SIDES[side][not zh]}  {row['rows']:,}  {_issue(issue)[not zh]}"


def _issue(issue: str) -> tuple[str, str]:
    found = {reason.code: (reason.zh, reason.en) for reason in REASONS} | MARKS
    return ISSUES.get(issue) or found.get(issue, (issue, issue))


SIDES = {"diagnosis": ("诊断", "diagnoses"), "procedure": ("手术操作", "procedures"), "row": ("行", "rows")}
MARKS = {
    "principal-grey": ("主要诊断是灰码", "with a grey principal diagnosis"),
    "procedure-not-for-grouping": (
        "主要手术操作不作为分组规则",
        "with a main operation that the scheme does not use for grouping",
    ),
}


def _sums(done: Done) -> dict[str, int]:
    """The amounts of a run over its hospitals, in fen."""
    sums: dict[str, int] = {}
    for row in done.record.rows["amounts"]:
        sums[row["name"]] = sums.get(row["name"], 0) + row["fen"]
    return sums


def _pools(done: Done, zh: bool) -> Iterator[str]:
    for pool in done.pools:
        value = pool["point_value"] or "-"
        name = pool_in_words(pool["pool"], "zh" if zh else "en")
        yield (
            f"  {name}{'：点值' if zh else ': point value'} {value}  "
            f"{'应付' if zh else 'due'} {pool['fund_due']:,}  {'可分配' if zh else 'distributable'} "
            f"{pool['distributable']:,}"
        )
    yield from _offsite(done, zh)
    for odd in far_off(done.pools):
        yield f"{'注意：' if zh else 'note: '}{odd.text('zh' if zh else 'en')}"


def _offsite(done: Done, zh: bool) -> Iterator[str]:
    """What own people's care elsewhere used of what is set apart for it, and what others' care came to."""
    for pool in done.pools:
        apart, used = pool.get("offsite_set_apart"), pool.get("offsite_used")
        name = pool_in_words(pool["pool"], "zh" if zh else "en")
        if apart or used:
            left = pool["offsite_left"]
            rest = (("剩余", "left"), ("超出", "exceeded by"))[left < 0][not zh]
            heads = ("异地就医", "单列", "已用") if zh else ("care elsewhere", "set apart", "used")
            yield f"  {heads[0]}  {name}  {heads[1]} {apart:,}  {heads[2]} {used:,}  {rest} {abs(left):,}"
        if others := pool.get("offsite_visitor_fund"):
            told = "外地参保人在本地（池外）" if zh else "people insured elsewhere"
            yield f"  {told}  {name}  {others:,}"


def _end(done: Done, zh: bool) -> Iterator[str]:
    if json.loads(done.record.run["options_json"]).get("draft"):
        yield (
            f"草稿（运行 {done.run}）：经 grouper review、grouper approve 后才有效" if zh
            else f"a draft (run {done.run}): it counts after grouper review and grouper approve"
        )  # fmt: skip
    if done.report is not None:
        yield f"{'报告' if zh else 'reports'} {done.report}"
    yield head_line(done.hash, done.run, "zh" if zh else "en")


def year_plan_lines(plan: YearPlan, lang: str) -> Iterator[str]:
    """What a clearing is going to do."""
    zh = lang != "en"
    yield f"{'清算' if zh else 'Clear'} {plan.area} {plan.job.year}"
    yield f"  {'政策' if zh else 'policy'} {plan.policy.id}  sha256 {plan.policy.digest[:12]}"
    yield f"  {'月份' if zh else 'months'} " + ", ".join(f"{p} ({r})" for p, r in sorted(plan.months.items()))
    for name, pool in plan.budget.pools.items():
        told = pool_in_words(name, lang)
        whole = ""
        if plan.whole:
            year = yuan(plan.whole.pools[name].budget)
            whole = f"（全年 {year}）" if zh else f" (of {year} in the year)"
        yield f"  {'基金池' if zh else 'pool'} {told}{'：' if zh else ': '}{yuan(pool.budget)}{whole}"


def year_summary(done: Done, lang: str) -> Iterator[str]:
    """What a cleared year came to."""
    zh, sums = lang != "en", _sums(done)
    yield f"{'病例' if zh else 'cases'} {done.record.run['cases']:,}"
    yield from assumed_lines(done.assumed, lang)
    yield from unpaid_lines(done.record.rows["counts"], done.routes, lang)
    for odd in done.odd:
        yield f"{'注意：' if zh else 'note: '}{odd.text(lang)}"
    yield from _pools(done, zh)
    names = {
        "fund_due": ("统筹应付", "due"), "prepaid": ("各月已预拨", "prepaid"),
        "paid_later": AMOUNTS["paid_later"],
        "deposit": ("预留保证金", "deposit"), "balance": ("清算差额", "balance"),
        "returned": ("返还保证金", "deposit returned"), "advance": AMOUNTS["advance"],
        "final": ("清算应拨（负为应收回）", "to pay (negative: to recover)"),
        "earlier_years": AMOUNTS["earlier_years"],
    }  # fmt: skip
    for name, words in names.items():
        if sums.get(name) or name not in (*SELDOM, "advance"):
            yield f"  {words[not zh]} {yuan(sums.get(name, 0))}"
    yield from _unused_scores(done, zh)
    yield from carried_lines(done.record.rows["amounts"], lang)
    yield from _end(done, zh)


def _unused_scores(done: Done, zh: bool) -> Iterator[str]:
    """Scores of hospitals, or of their pools, to which the year owes nothing: a code may be mistyped."""
    if done.unused_scores:
        every = "全部基金池" if zh else "all pools"
        told = ", ".join(f"{code} ({every if pool == '*' else pool})" for code, pool in done.unused_scores)
        yield (
            f"考核得分未使用，本年没有这些医院（或其基金池）的病例和预拨，请核对编码：{told}"
            if zh
            else "scores that were not used, as the year has no case and no advance of these hospitals or "
            f"pools; check the codes: {told}"
        )


def run_lines(rows: Sequence[Mapping[str, Any]], lang: str) -> Iterator[str]:
    """The runs of a lake as a table."""
    zh = lang != "en"
    words = (
        ("运行", "", "类别", "状态", "地区", "期间", "病例", "退回", "转调整行", "应付基金", "政策",
         "操作人", "时间", "备注")
        if zh
        else ("run", "", "kind", "state", "area", "period", "cases", "rejected", "adjusted rows", "fund due",
              "policy", "who", "when", "note")
    )  # fmt: skip
    kinds = {"settle": ("月度", "month"), "clear": ("清算", "clearing")}
    table = [words] + [
        (r["run"], "*" if r["current"] else "", kinds[r["kind"]][not zh], WORDS[r["state"]][not zh],
         r["area"], r["period"], f"{r['cases']:,}", *_rows(r), yuan(r["fund_due_fen"]), r["policy_id"],
         r["started_by"] or "", r["as_of"] or "", r["note"] or "")
        for r in rows if r["kind"] in kinds
    ]  # fmt: skip
    yield from aligned(table, right={6, 7, 8, 9})
    yield "* 有效" if zh else "* valid"
    yield head_line(str(rows[-1]["hash"]), str(rows[-1]["run"]), lang) if rows else head_line("", "", lang)


def _rows(run: Mapping[str, Any]) -> tuple[str, str]:
    """Rows that a month refused and made adjustments; a clearing reads cases, no rows."""
    return ("-", "-") if run["kind"] == "clear" else (f"{run['rejected']:,}", f"{run['adjusted']:,}")


def statement_lines(found: Mapping[str, Any], lang: str) -> Iterator[str]:
    """A hospital's statement as text; empty amounts are left out, and zeros of other years."""
    zh = lang != "en"
    run = "运行" if zh else "run"
    yield f"{found['hospital']} {found['name']}  {found['area']} {found['period']}  {run} {found['run']}"
    yield f"{'链印' if zh else 'seal of the chain'} {found['seal'][:SHORT]}  {found['seal']}"
    for row in found["pools"]:
        yield f"{'基金池' if zh else 'pool'} {pool_in_words(row['pool'], lang)}"
        lines = [
            (words[not zh], _cell(row[name]))
            for name, words in AMOUNTS.items()
            if row.get(name) is not None and (row[name] or name not in SELDOM)
        ]
        yield from aligned(lines, right={1}, indent="  ")
        if row.get("clauses"):
            yield f"  {'依据' if zh else 'by'} {clauses_told(row['clauses'], lang)}"
    if found["adjustments"]:
        yield f"{'调整笔数' if zh else 'adjustments'} {len(found['adjustments'])}"
    for row in found["adjustments"]:
        kind = ADJUSTMENTS[row["kind"]][not zh]
        yield (
            f"  {kind}  {row['settlement_id'] or row['record_id'] or ''}  {row['original_period'] or ''}  "
            f"{_cell(row['amount_before'])} → {_cell(row['amount_after'])}  {_cell(row['difference'])}  "
            f"{row['reason'] or ''}  {row['clause'] or ''}  {row.get('document') or ''}".rstrip()
        )


OFFSITE = ("offsite_own_cases", "offsite_own_fund", "offsite_visitor_cases", "offsite_visitor_fund")
SELDOM = ("paid_later", "earlier_years", "advanced", *OFFSITE)
AMOUNTS = {
    "cases": ("病例", "cases"), "held": ("暂不支付", "held"), "total_cost": ("总费用", "total cost"),
    "points": ("点数", "points"), "fund_by_item": ("按项目基金", "fund by item"),
    "fund_due": ("统筹应付", "fund due"), "difference": ("差额", "difference"),
    "adjustments": ("往月调整", "adjustments"), "due_total": ("应付合计", "due in all"),
    "deposit": ("预留保证金", "deposit"), "prepaid": ("本期预拨", "prepaid"),
    "paid_later": ("其中以后年度已付", "of it paid by later years"), "deferred": ("留待清算", "deferred"),
    "earlier_years": ("往年调整（不在应付内）", "of earlier years (not in what is due)"),
    "carried_in": ("上期结转扣减", "carried in"), "advanced": ("拨付预付金", "advance paid"),
    "advance": ("冲抵预付金", "advance offset"),
    "audit": ("稽核扣款", "audit deductions"),
    "payable": ("本期应拨", "payable"),
    "carried": ("结转下期（负为待扣）", "carried (negative: still to be taken)"),
    "balance": ("清算差额", "balance"),
    "score": ("考核得分", "score"), "returned": ("返还保证金", "deposit returned"),
    "forfeited": ("扣减保证金", "deposit forfeited"), "final": ("清算应拨", "to pay"),
    "offsite_own_cases": ("异地就医：本地参保人在外地（池外）例数", "own people treated elsewhere, cases"),
    "offsite_own_fund": ("异地就医：本地参保人在外地（池外）基金", "own people treated elsewhere, fund"),
    "offsite_visitor_cases": ("异地就医：外地参保人在本地（池外）例数", "people insured elsewhere, cases"),
    "offsite_visitor_fund": ("异地就医：外地参保人在本地（池外）基金", "people insured elsewhere, fund"),
}  # fmt: skip


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:,}"


def audit_lines(done: Audited, lang: str) -> Iterator[str]:
    """What an audit found."""
    zh = lang != "en"
    yield (
        f"{done.runs} 次运行，{done.files} 个文件，{done.checks} 项检查，{len(done.findings)} 项不符"
        if zh
        else f"{done.runs} runs, {done.files} files, {done.checks} checks, {len(done.findings)} differ"
    )
    yield head_line(done.head, done.run, lang)
    for run in done.since:
        later = int(done.run) - int(run) if done.run.isdigit() and run.isdigit() else 0
        yield (
            f"  与运行 {run} 的链头或链印相符，其后 {later} 次运行"
            if zh
            else f"  as expected: head or seal of run {run}, {later} runs since"
        )
    lines = [f"  {finding.run or '-'}  {finding.zh if zh else finding.en}" for finding in done.findings]
    yield from shortened(lines, zh)
    if done.aside:
        yield (
            f"  set-aside/ 中有修复时移开的 {done.aside} 个文件"
            if zh
            else f"  {done.aside} files that a repair set aside are in set-aside/"
        )


def replay_lines(done: Sequence[Replayed], lang: str) -> Iterator[str]:
    """What came of computing runs again."""
    words = {
        "bytes": ("逐字节相同", "same bytes"),
        "rows": ("逐行相同", "same rows"),
        "differs": ("不同", "differs"),
    }
    for item in done:
        yield f"{'重算' if lang != 'en' else 'replay of'} {item.run}"
        for table, state in item.tables.items():
            told = _parted(item.columns[table], lang) if table in item.columns else ""
            yield f"  {table}  {words[state][lang == 'en']}{told}"


def _parted(parted: Parted, lang: str) -> str:
    """The columns in which a table computed again is another than the one that was kept."""
    zh = lang != "en"
    told = [
        f"{words[not zh]} {'、'.join(names) if zh else ', '.join(names)}"
        for names, words in zip(parted, (("多出", "new"), ("缺少", "gone")), strict=True)
        if names
    ] or ["次序不同" if zh else "another order"]
    return f"（列：{'；'.join(told)}）" if zh else f" (columns: {'; '.join(told)})"
