"""The summary of a check in words: what was read, and rule by rule what was found, passed, not evaluated."""

from __future__ import annotations

from collections.abc import Iterator

from grouper.checks.files import CheckSummary, Tally
from grouper.checks.rules import SEVERITIES
from grouper.commands.text.aligned import aligned


def summary_lines(summary: CheckSummary, lang: str) -> Iterator[str]:
    """The summary line by line, Chinese or English."""
    zh = lang != "en"
    yield (
        f"方案 {summary.scheme}，核查 {summary.rows:,} 份病案，其中 {summary.records:,} 份有发现，共 "
        f"{summary.findings:,} 条"
        if zh
        else f"{summary.scheme}: {summary.rows:,} records checked, {summary.records:,} with findings, "
        f"{summary.findings:,} findings"
    )
    tallies = list(summary.tallies.values())
    for severity, words in SEVERITIES.items():
        found = [t for t in tallies if t.rule.severity == severity and t.findings]
        if found:
            yield f"{words[not zh]}  {sum(t.findings for t in found):,}"
            yield from aligned([_line(tally, zh) for tally in _sorted(found)], right={0}, indent="  ")
    yield from _unevaluated(tallies, zh)
    if summary.off:
        yield (
            f"地区关闭的规则：{'、'.join(summary.off)}" if zh else f"Switched off: {', '.join(summary.off)}"
        )
    yield (
        "规则均未经核实；发现是核查线索，不是改高编码的建议"
        if zh
        else "No rule is verified; findings are leads for a check, never advice to code higher"
    )
    if summary.output:
        yield f"写入 {summary.output}" if zh else f"Written to {summary.output}"


def _sorted(tallies: list[Tally]) -> list[Tally]:
    return sorted(tallies, key=lambda tally: -tally.findings)


def _line(tally: Tally, zh: bool) -> tuple[str, ...]:
    """Findings, the rule, what passed and was not evaluated, and the money."""
    rest = []
    if tally.rule.scope == "record":
        rest.append(f"通过 {tally.passed:,}" if zh else f"{tally.passed:,} passed")
    if tally.not_evaluated:
        rest.append(f"未评估 {tally.not_evaluated:,}" if zh else f"{tally.not_evaluated:,} not evaluated")
    if tally.money is not None:
        rest.append(f"涉及 {tally.money:,.2f} 元" if zh else f"{tally.money:,.2f} yuan at stake")
    return (
        f"{tally.findings:,}",
        f"{tally.rule.title('zh' if zh else 'en')} [{tally.rule.id}]",
        "，".join(rest) if zh else ", ".join(rest),
    )


def _unevaluated(tallies: list[Tally], zh: bool) -> Iterator[str]:
    """Rules that the input lacks fields for, by these fields."""
    lacking: dict[tuple[str, ...], list[str]] = {}
    for tally in tallies:
        if tally.lacks:
            lacking.setdefault(tally.lacks, []).append(tally.rule.title("zh" if zh else "en"))
    if lacking:
        number = sum(map(len, lacking.values()))
        yield (
            f"未评估的规则 {number} 条，缺字段："
            if zh
            else f"{number} rules were not evaluated, for lack of:"
        )
        for fields, rules in sorted(lacking.items()):
            yield (
                f"  {'、'.join(fields)}：{'、'.join(rules)}"
                if zh
                else f"  {', '.join(fields)}: {', '.join(rules)}"
            )
