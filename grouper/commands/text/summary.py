"""The summary of a run in words: counts by status and reason, and what was normalised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from grouper.base.reasons import REASONS, STATUS_NAMES, STATUS_ZH
from grouper.codes.book import ISSUES
from grouper.commands.text.notes import describe
from grouper.grouping.files import Summary


def summary_lines(summary: Summary, lang: str) -> Iterator[str]:
    """The summary line by line, Chinese or English."""
    zh = lang != "en"
    names = STATUS_ZH if zh else STATUS_NAMES
    head = (
        f"方案 {summary.scheme}，{summary.rows:,} 条记录"
        if zh
        else f"{summary.scheme}: {summary.rows:,} records"
    )
    yield head
    for key, name in zip(STATUS_NAMES, names, strict=True):
        if number := summary.statuses.get(key, 0):
            share = 100 * number / max(summary.rows, 1)
            yield f"  {name}  {number:,} ({share:.2f}%)"
            if key not in ("grouped", "ambiguous"):
                yield from _reasons(summary.reasons, STATUS_NAMES.index(key), zh)
    if summary.codes:
        yield "编码" if zh else "Codes"
        for key, number in sorted(summary.codes.items()):
            kind, _, issue = key.partition(":")
            side = {"diagnosis": "诊断", "procedure": "手术操作"}[kind] if zh else kind
            yield f"  {side}  {number:,}  {ISSUES[issue][0 if zh else 1]}"
    if summary.fields:
        yield "字段" if zh else "Fields"
        for key, number in sorted(summary.fields.items()):
            yield f"  {number:,}  {describe(key, lang)}"
    if summary.dropped:
        names_ = "、".join(summary.dropped) if zh else ", ".join(summary.dropped)
        yield f"未载入的个人信息列：{names_}" if zh else f"Columns with personal data, not loaded: {names_}"


def _reasons(reasons: Counter[str], status: int, zh: bool) -> Iterator[str]:
    for reason in REASONS:
        if reason.status == status and reasons.get(reason.code):
            yield f"    {reasons[reason.code]:,}  {reason.zh if zh else reason.en} [{reason.code}]"
