"""Months settled again in words: what is going to be done, and what each came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from grouper.commands.text.aligned import aligned
from grouper.commands.text.ledger import AMOUNTS, yuan

if TYPE_CHECKING:
    from grouper.settlement.resettle import Again, Waiting

_CHANGED = {
    "policy": ("政策已不是原运行的内容", "the policy is no longer that of the first run"),
    "scheme": ("分组方案已不是原运行的内容", "the scheme is no longer that of the first run"),
}


def waiting_lines(months: Sequence[Waiting], lang: str) -> Iterator[str]:
    """The months to do again, with the files that each reads."""
    zh = lang != "en"
    yield (
        "重做：" + "、".join(m.period for m in months)
        if zh
        else "Again: " + ", ".join(m.period for m in months)
    )
    for month in months:
        run, files = month.record.run["run"], [r["path"] for r in month.record.rows["inputs"] if r["bytes"]]
        told = ", ".join(dict.fromkeys(files))
        yield f"  {month.period}  {'原运行' if zh else 'run'} {run}  {told}"


def again_lines(again: Again, lang: str) -> Iterator[str]:
    """What a month came to, beside what it was."""
    zh = lang != "en"
    yield (
        f"{again.period}：运行 {again.done.run} 代替 {again.old}"
        if zh
        else f"{again.period}: run {again.done.run} instead of {again.old}"
    )
    rows = [("", "原", "现", "差额") if zh else ("", "before", "now", "difference")]
    rows += [
        (AMOUNTS[name][not zh], yuan(old), yuan(again.after[name]), yuan(again.after[name] - old))
        for name, old in again.before.items()
    ]
    yield from aligned(rows, right={1, 2, 3}, indent="  ")
    for name in again.changed:
        yield f"  {'注意：' if zh else 'note: '}{_CHANGED[name][not zh]}"


def end_lines(
    months: Sequence[Waiting], done: Sequence[Again], years: Sequence[str], lang: str
) -> Iterator[str]:
    """What is left to do."""
    zh = lang != "en"
    left = [month.period for month in months[len(done) :]]
    if done and done[-1].draft:
        period = done[-1].period
        after = (f"，再 grouper resettle --from {left[0]}", f", then grouper resettle --from {left[0]}")
        more = after[not zh] if left else ""
        yield (
            f"{period} 是草稿，请复核、审批（grouper approve）{more}"
            if zh
            else f"{period} is a draft: review and approve it (grouper approve){more}"
        )
    for year in years:
        yield (
            f"{year} 年的清算已失效，请重新 grouper clear" if zh
            else f"the clearing of {year} is invalid: grouper clear it again"
        )  # fmt: skip
