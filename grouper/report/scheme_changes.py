"""What one grouping scheme changes against another, as a page that can be printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from grouper.grouping.drg.tables.diff import key_in_words, sides, what_in_words, whereabouts
from grouper.grouping.drg.tables.model import SIZES, Scheme
from grouper.grouping.tables.change import Change
from grouper.report.draw.html import Html, document, el, section, table
from grouper.report.pages.page import style

_HEADINGS = {
    "options": ("选项", "Options"),
    "mdc": ("主要诊断大类", "MDC"),
    "adrg": ("核心组", "ADRG"),
    "drg": ("细分组", "DRG"),
    "list": ("编码集合", "Code lists"),
    "complication": ("MCC/CC", "MCC and CC"),
    "exclusion": ("排除表", "Exclusions"),
}
_MANY = 12  # codes that a cell names; `tables diff --json` has all


def page(a: Scheme, b: Scheme, changes: Sequence[Change], names: Mapping[str, str], lang: str) -> str:
    """The page of the changes from ``a`` to ``b``, "zh" or "en"; it needs nothing from elsewhere.

    ``names`` maps ICD codes to their names.
    """
    return _Page(a, b, changes, names, lang != "en").whole()


class _Page:
    def __init__(
        self, a: Scheme, b: Scheme, changes: Sequence[Change], names: Mapping[str, str], zh: bool
    ) -> None:
        self.a, self.b, self.changes, self.names, self.zh = a, b, changes, names, zh

    def say(self, zh: str, en: str) -> str:
        return zh if self.zh else en

    def of(self, section_: str, *whats: str) -> list[Change]:
        return [c for c in self.changes if c.section == section_ and (not whats or c.what in whats)]

    def whole(self) -> str:
        title = self.say(
            f"{self.b.id} 相对于 {self.a.id} 的变化", f"What {self.b.id} changes against {self.a.id}"
        )
        parts = [part for part in self.parts() if part]
        head = el("header", el("h1", title), el("p", f"{self.a.name} → {self.b.name}"))
        print_rules = "@media print { section { break-inside: auto } tr { break-inside: avoid } }"
        lang = "zh-CN" if self.zh else "en"
        return document(title, lang, style() + print_rules, el("main", head, *parts))

    def parts(self) -> Iterator[Html | None]:
        yield self.numbers()
        yield self.meanings()
        yield self.rows("adrg-new", self.say("新增的核心组", "New ADRGs"), self.of("adrg", "added"))
        yield self.rows(
            "adrg-gone", self.say("取消的核心组", "ADRGs that are gone"), self.of("adrg", "removed")
        )
        yield self.splits()
        rest = self.of("options") + self.of("mdc") + self.of("adrg", "renamed", "condition", "order")
        yield self.rows("rules", self.say("选项与条件", "Options and conditions"), rest)
        yield self.rows(
            "drg", self.say("沿用的细分组：名称与条件", "DRGs kept: names and conditions"), self.kept_drgs()
        )
        yield self.lists()
        yield self.levels()

    def numbers(self) -> Html:
        counts = Counter((c.section, c.what) for c in self.changes)
        rows = [
            [_HEADINGS[section_][0 if self.zh else 1], what_in_words(what, self.zh), str(number)]
            for (section_, what), number in counts.items()
        ]
        old, new = self.a.counts(), self.b.counts()
        sizes = [
            [self.say("数目", "size"), SIZES[key][not self.zh], f"{old.get(key, 0):,} → {new.get(key, 0):,}"]
            for key in {**new, **old}
        ]
        header = [self.say("部分", "Part"), self.say("变化", "Change"), self.say("数目", "Number")]
        return section("numbers", self.say("概览", "Overview"), table(header, sizes + rows, left=(0, 1)))

    def meanings(self) -> Html | None:
        changes = self.of("adrg", "meaning")
        if not changes:
            return None
        header = [
            self.say("编码", "Code"),
            self.a.id,
            self.b.id,
            self.say("去向与来处", "Where both are in the other edition"),
        ]
        rows = [[c.key, c.before, c.after, whereabouts(c, self.zh)] for c in changes]
        lead = self.say(
            f"{len(changes)} 个核心组编码沿用而所指改变：不写版本，编码就没有意义。",
            f"{len(changes)} ADRG codes are kept with another meaning: "
            "without its edition a code says nothing.",
        )
        title = self.say("编码沿用、所指改变", "Kept with another meaning")
        return section("meanings", title, table(header, rows, left=(0, 1, 2, 3)), lead=lead)

    def rows(self, identity: str, title: str, changes: Iterable[Change]) -> Html | None:
        rows = [
            [
                key_in_words(c, self.zh),
                what_in_words(c.what, self.zh),
                *(text or "—" for text in sides(c, self.zh)),
            ]
            for c in changes
        ]
        if not rows:
            return None
        header = [self.say("编码", "Code"), self.say("变化", "Change"), self.a.id, self.b.id]
        return section(
            identity,
            f"{title}（{len(rows)}）" if self.zh else f"{title} ({len(rows)})",
            table(header, rows, left=range(4)),
        )

    def splits(self) -> Html | None:
        """ADRGs that both have, with other DRGs."""
        rows = []
        for adrg in self.b.adrgs:
            old, new = ([d.drg for d in s.drgs.get(adrg.variant, ())] for s in (self.a, self.b))
            if old and new and set(old) != set(new):
                rows.append(
                    [adrg.variant, adrg.name, " ".join(dict.fromkeys(old)), " ".join(dict.fromkeys(new))]
                )
        if not rows:
            return None
        header = [self.say("编码", "Code"), self.say("名称", "Name"), self.a.id, self.b.id]
        title = self.say(f"细分改变的核心组（{len(rows)}）", f"ADRGs with other DRGs ({len(rows)})")
        return section("splits", title, table(header, rows, left=range(4)))

    def kept_drgs(self) -> list[Change]:
        return self.of("drg", "renamed", "condition")

    def codes(self, codes: Sequence[str]) -> str:
        shown = [f"{code} {self.names.get(code, '')}".strip() for code in codes[:_MANY]]
        return (
            "，".join(shown) + (" …" if len(codes) > _MANY else "")
            if self.zh
            else (", ".join(shown) + (" …" if len(codes) > _MANY else ""))
        )

    def lists(self) -> Html | None:
        rows = [
            [c.key, f"+{len(c.added)}", f"−{len(c.removed)}", self.codes(c.added), self.codes(c.removed)]
            for c in self.of("list")
        ]
        if not rows:
            return None
        header = [self.say("集合", "List"), "+", "−", self.say("新增", "Added"), self.say("删除", "Removed")]
        title = self.say(f"编码集合（{len(rows)}）", f"Code lists ({len(rows)})")
        return section("lists", title, table(header, rows, left=(0, 3, 4)))

    def levels(self) -> Html | None:
        rows = [
            [c.before or "—", c.after or "—", str(len(c.added)), self.codes(c.added)]
            for c in self.of("complication")
        ]
        if not rows:
            return None
        header = [self.a.id, self.b.id, self.say("编码数", "Codes"), self.say("例如", "Such as")]
        number = len(self.of("exclusion"))
        lead = self.say(
            f"排除关系另有 {number} 处不同（grouper tables diff 逐条列出）。",
            f"Exclusions differ in {number} places besides (grouper tables diff lists them).",
        )
        return section("levels", "MCC/CC", table(header, rows, left=(0, 1, 3)), lead=lead)
