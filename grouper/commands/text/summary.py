"""The summary of a run in words: counts by status and reason, and what was normalised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from grouper.base.reasons import REASONS, STATUS_NAMES, STATUS_ZH
from grouper.codes.book import ISSUES
from grouper.grouping.files import Summary
from grouper.records.code_columns import SIDES
from grouper.records.notes import describe
from grouper.records.private import KINDS


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
    if summary.unread:
        sides = [(name, SIDES[field][0 if zh else 1]) for name, field in summary.unread.items()]
        told = "、".join(f"{n}（{k}）" for n, k in sides) if zh else ", ".join(f"{n} ({k})" for n, k in sides)
        yield (
            f"有编码但没有读取的列：{told}；如参加分组，请用 grouper columns 写列映射，并用 --columns 指定"
            if zh
            else f"Columns of codes that are not read: {told}; if they take part in "
            "grouping, make a column map with `grouper columns` and name it with --columns"
        )
    if summary.dropped:
        told = _columns(summary.dropped, zh)
        yield f"未载入的列：{told}" if zh else f"Columns not loaded: {told}"
    if summary.noticed:
        told = _columns(summary.noticed, zh)
        yield (
            f"以下列含个人信息，因用作标准列而保留：{told}；不需要时用 --drop 去掉"
            if zh
            else f"Kept, as fields are read from them, though they hold personal data: {told}; "
            "leave out with --drop what is not needed"
        )


def _columns(kinds: Mapping[str, str], zh: bool) -> str:
    named = [(name, KINDS[kind][0 if zh else 1]) for name, kind in kinds.items()]
    return "、".join(f"{n}（{k}）" for n, k in named) if zh else ", ".join(f"{n} ({k})" for n, k in named)


def _reasons(reasons: Counter[str], status: int, zh: bool) -> Iterator[str]:
    for reason in REASONS:
        if reason.status == status and reasons.get(reason.code):
            yield f"    {reasons[reason.code]:,}  {reason.zh if zh else reason.en} [{reason.code}]"
