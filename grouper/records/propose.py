"""A first draft of a column map for a table whose layout is not known."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from grouper.base.errors import UsageError
from grouper.base.shown import Shown
from grouper.base.toml_out import comment, plain, toml_line
from grouper.records import code_columns
from grouper.records.columns import Alias, aliases, detect_layout, fold, running_number
from grouper.records.schema import CANONICAL, CODE_FIELDS, GROUPING_FIELDS, LIST_FIELDS
from grouper.records.words import WordReader, known_words, nearest, word_fields

# What a settlement needs beside the fields of grouping.
SETTLEMENT_FIELDS = (
    "record_id", "hospital_code", "insurance_type", "discharge_date", "total_cost", "pool_paid", "fund_paid",
)  # fmt: skip
_NOISE = re.compile(r"[\s()（）\[\]_\-.:：/]+")
# Found by other means than an alias, a column is only a guess that somebody must check.
_SURE, _GUESS = 0, 1
_SEPARATORS = "|;,；，、/"
_CODE = r"[A-Za-z]\d{2}[\w.+*†]*|\d{2}\.?\d{2,4}(?:x\d+)?|\d{2}\.\d+"
_JOINED = re.compile(rf"(?:{_CODE})\s*([{_SEPARATORS}])\s*(?=(?:{_CODE})(?:\W|$))")
_WITH_NAME = re.compile(
    rf"(?:{_CODE})[\s|(（\[【_-]*[\u4e00-\u9fff]|[\u4e00-\u9fff][\s|(（\[【_-]*(?:{_CODE})"
)
_LOST_ZERO = re.compile(r"\d(?:\.\d*)?|\d{1,2}\.\d{1,3}")
_MANY_WORDS = 60  # a column with more different words is no column of words
_MATCHED = tuple[int, int, str, Alias]


class Proposal(NamedTuple):
    """A draft: its TOML text, the fields not found, and what is to be looked at (Chinese, English)."""

    text: str
    missing: tuple[str, ...]
    notes: tuple[tuple[str, str], ...]


def propose_map(header: Sequence[str], lang: str = "en") -> str:
    """TOML text of a column map for ``header``; see :func:`draft`."""
    return draft(Sample(list(header)), lang).text


def draft(sample: Sample, lang: str = "en") -> Proposal:
    """A column map for a file, with comments that say why each column was taken.

    It is a proposal: lines marked CHECK are guesses, and needed fields that were not found stand in
    comments. The text is always TOML.
    """
    return _Draft(sample, lang).proposal()


def known_names(row: Sequence[str]) -> int:
    """How many cells of a row are names of columns."""
    return sum(1 for name in row if name and name.strip() and _match(name) is not None)


def field_named(name: str) -> str:
    """The canonical field that a name in words stands for (主要诊断, 性别); "" where none is sure."""
    match = _match(name)
    sure = match is not None and (match[0] == _SURE or match[2].layout == "rule")
    return match[2].field if match is not None and sure else ""


def known_layout(header: Sequence[str]) -> str:
    """The layout that a file with this header is read by without a map; "" where there is none."""
    try:
        return detect_layout(header).layout
    except UsageError:
        return ""


class _Draft:
    """The making of one draft; ``say`` chooses the language of a comment."""

    def __init__(self, sample: Sample, lang: str) -> None:
        self.sample = sample
        self.zh = lang == "zh"
        self.notes: list[tuple[str, str]] = []
        self.found: dict[str, list[_MATCHED]] = {}
        self.personal: list[str] = []
        self.unused: list[str] = []
        for name in sample.header:
            match = _match(name)
            if match is None or self._only_names(name, match[2]):
                self.unused.append(name)
            elif match[2].personal:
                self.personal.append(name)
            else:
                certainty, number, alias = match
                self.found.setdefault(alias.field, []).append((certainty, number, name, alias))

    def say(self, zh: str, en: str) -> str:
        return zh if self.zh else en

    def note(self, zh: str, en: str) -> str:
        """A remark that stands in the draft and is told on the screen."""
        self.notes.append((zh, en))
        return self.say(zh, en)

    def proposal(self) -> Proposal:
        words: list[str] = []
        lines = [
            "# " + self.say(
                "建议的列映射：标准列 = 来源列。请逐行核对，标有 CHECK 的是猜测。",
                "A proposed column map: canonical field = source column. Check every line.",
            ),
            toml_line("layout", "custom"),
        ]  # fmt: skip
        if self.sample.header_row > 1:
            why = self.note(
                f"表头在第 {self.sample.header_row} 行，其上是标题",
                f"the names stand in row {self.sample.header_row}, below titles",
            )
            lines.append(f"{toml_line('header_row', self.sample.header_row)}  # {why}")
        not_loaded = self.say("个人信息，不载入", "personal data, not loaded")
        lines += [
            f"{toml_line('drop', self.personal)}  # {not_loaded}",
            "",
            "[fields]",
        ]
        missing = tuple(
            name for name in dict.fromkeys((*GROUPING_FIELDS, *SETTLEMENT_FIELDS)) if not self._has(name)
        )
        for name in CANONICAL:
            if name in self.found:
                lines += self._field(name)
                words += self._words(name)
            elif name in missing:
                lines.append(f'# {name} = ""  # {self._not_found(name)}')
        lines += [comment(remark) for remark in self._not_read()]
        if self.unused:
            kept = self.say(
                "没有认出的列，原样保留：", "Columns that were not understood; they are kept as they are:"
            )
            lines += ["", comment(kept), *(f"#   {plain(name)}" for name in self.unused)]
        return Proposal("\n".join([*lines, *words]) + "\n", missing, tuple(self.notes))

    def _only_names(self, name: str, alias: Alias) -> bool:
        """Whether a column that is named as one of codes, but not "code", holds the words of them."""
        told = code_columns.by_name(_bare(name))
        return (
            alias.layout == "rule"
            and told is not None
            and not told.codes
            and not code_columns.some_codes(self.sample.cells.get(name, {}))
        )

    def _not_read(self) -> list[str]:
        """What grouping would miss by this draft: columns of codes that no name told, and fields without
        a column of their own."""
        remarks = []
        for name in self.unused:
            field = code_columns.by_cells(self.sample.cells.get(name, {}))
            if field and not code_columns.of_other_end(name):
                zh, en = code_columns.SIDES[field]
                remarks.append(self.note(
                    f"CHECK：列 {plain(name)} 的单元格是{zh}编码，草稿没有读取；如参加分组，请加到 {field}",
                    f"CHECK: the cells of {plain(name)} are {en} codes, which this draft does not read; if "
                    f"they take part in grouping, add the column to {field}",
                ))  # fmt: skip
        if self.sample.header and "procedures" not in self.found:
            remarks.append(self.note(
                "CHECK：没有手术操作列：按这份草稿读入的病例都没有手术操作",
                "CHECK: no column of procedures: by this draft no case has any",
            ))  # fmt: skip
        if self._principal_only():
            remarks.append(self.note(
                "CHECK：诊断只有主要诊断一列：按这份草稿读入的病例都没有其他诊断，并发症不会计入",
                "CHECK: the principal diagnosis is the only column of diagnoses: by this draft no case has "
                "another, and complications do not count",
            ))  # fmt: skip
        return remarks

    def _principal_only(self) -> bool:
        found = self.found.get("diagnoses", ())
        if len(found) != 1 or found[0][3].transform or "主" not in found[0][2]:
            return False
        return not any(_JOINED.search(text) for text in self.sample.cells.get(found[0][2], ()))

    def _has(self, field: str) -> bool:
        others = {"record_id": "settlement_id"}
        return field in self.found or others.get(field) in self.found

    def _not_found(self, field: str) -> str:
        use = (
            self.say("分组可能需要", "grouping may need it")
            if field in GROUPING_FIELDS
            else self.say("结算需要", "settling needs it")
        )
        return self.say(f"表头中没有找到（{use}）", f"not found in the header ({use})")

    def _field(self, field: str) -> list[str]:
        matches = self.found[field]
        if field in LIST_FIELDS:
            return self._list(field, matches)
        matches = sorted(matches, key=lambda m: m[0])
        first, *others = matches
        lines = [f"{toml_line(field, first[2])}  # {self._reason([first])}{self._unit(first[3])}"]
        another = self.say("另一个可能的列", "another candidate")
        return lines + [f"# {toml_line(field, name)}  # {another}" for _, _, name, _ in others]

    def _list(self, field: str, matches: list[_MATCHED]) -> list[str]:
        # The column without a number, or the one named principal, comes first.
        matches = sorted(matches, key=lambda m: (not _leads(m[2], m[3]), m[1]))
        names = [name for _, _, name, _ in matches]
        value: Any = names if len(names) > 1 else names[0]
        order = self.say("按此顺序，主要的在前", "in this order, the principal or main one first")
        why = f"{self._reason(matches)}; {order}"
        if field in CODE_FIELDS:
            separators, remarks = self._codes(field, names)
            if separators:
                value = {"columns": value, "separator": separators[0] if len(separators) == 1 else separators}
            return [comment(remark) for remark in remarks] + [f"{toml_line(field, value)}  # {why}"]
        return [f"{toml_line(field, value)}  # {why}"]

    def _codes(self, field: str, names: Sequence[str]) -> tuple[list[str], list[str]]:
        """What separates the codes inside the cells of these columns, and what is odd about them."""
        joined: Counter[str] = Counter()
        named = eaten = 0
        for name in names:
            for text, number in self.sample.cells.get(name, {}).items():
                marks = set(_JOINED.findall(text))
                joined.update(dict.fromkeys(marks, number))
                named += number if not marks and _WITH_NAME.search(text) else 0
                eaten += number if field == "procedures" and _LOST_ZERO.fullmatch(text.strip()) else 0
        remarks = []
        if joined:
            told = "、".join(f"{mark!r} {number}" for mark, number in joined.most_common())
            remarks.append(self.note(
                f"CHECK：{field} 的单元格里有多个编码，分隔符 {told} 处",
                f"CHECK: cells of {field} hold several codes, separated by {told}",
            ))  # fmt: skip
        if named:
            remarks.append(self.note(
                f"CHECK：{field} 有 {named} 个单元格同时含编码和名称；分组时取其中的编码",
                f"CHECK: {named} cells of {field} hold code and name; grouping takes the code",
            ))  # fmt: skip
        numbers = [name for name in names if name in self.sample.numbers]
        if numbers or eaten:
            where = "、".join(numbers or names)
            remarks.append(self.note(
                f"CHECK：列 {plain(where)} 有被存成数值、丢失了零的编码（06.3100 变成 6.31）；"
                "请设为文本后重新导出",
                f"CHECK: {plain(where)} holds codes stored as numbers that have lost their zeros "
                "(06.3100 becomes 6.31); format the column as text and export it again",
            ))  # fmt: skip
        return sorted(joined, key=lambda mark: -joined[mark]), remarks

    def _words(self, field: str) -> list[str]:
        """A value map for the words of a column that nobody knows: guesses, to be made valid by hand."""
        if field not in word_fields():
            return []
        column = min(self.found[field], key=lambda m: m[0])[2]
        cells = self.sample.cells.get(column, Counter())
        read = WordReader(field)
        unknown = [(text, n) for text, n in cells.most_common() if read(text).bad]
        if not unknown or len(cells) > _MANY_WORDS:
            return []
        known = known_words(field)
        told = "、".join(repr(text) for text, _ in unknown[:5])
        head = self.note(
            f"CHECK：{field} 有不认识的取值 {told}；请填好并去掉行首的 #。可用：{known}",
            f"CHECK: {field} has values that are not understood: {told}; complete the lines and remove "
            f"their #. Known are {known}",
        )
        lines = ["", f"[values.{field}]", comment(head)]
        return lines + [f"# {toml_line(text, nearest(text, field))}  # {number}" for text, number in unknown]

    def _unit(self, alias: Alias) -> str:
        if alias.transform != "months-or-days":
            return ""
        form = '{ columns = "…", unit = "months" }'
        return self.say(f"；若以月计请写 {form}", f"; if it is in months write {form}")

    def _reason(self, matches: list[_MATCHED]) -> str:
        alias = next((m[3] for m in matches if m[0] == _GUESS), matches[0][3])
        if alias.layout == "rule":
            return self.say("CHECK：按列名的写法识别", "CHECK: by the way the name is written")
        if any(certainty == _GUESS for certainty, *_ in matches):
            return self.say(
                f"CHECK：列名近似 {alias.column!r}", f"CHECK: the name resembles {alias.column!r}"
            )
        if alias.layout in ("label", "canonical"):
            return self.say(f"列名为 {alias.column!r}", f"the name is {alias.column!r}")
        return self.say(f"格式 {alias.layout!r} 的列名", f"named so in the layout {alias.layout!r}")


def _leads(name: str, alias: Alias) -> bool:
    told = code_columns.by_name(_bare(name))
    return "{n}" not in alias.column and "其他" not in name and (told is None or told.leads)


def _match(name: str) -> tuple[int, int, Alias] | None:
    """How sure, the running number, and the alias for one column name; None when nothing fits."""
    folded, bare = fold(name), _bare(name)
    if folded in CANONICAL:
        return _SURE, 0, Alias("canonical", folded, folded, "", False)
    for alias in aliases():
        for text, column in ((folded, fold(alias.column)), (bare, _bare(alias.column))):
            if text == column:
                return _SURE, 0, alias
            if "{n}" in column and (numbered := running_number(column).fullmatch(text)):
                return _SURE, int(numbered[1]), alias
    if told := code_columns.by_name(bare):
        return _GUESS, told.number, Alias("rule", name, told.field, "", False)
    if code_columns.of_other_end(name):
        return None
    # The longest label inside the name is the most telling one.
    inside = [alias for alias in aliases() if alias.layout == "label" and _label(alias) in bare]
    if not inside:
        return None
    number = re.search(r"\d{1,9}", bare)
    return _GUESS, int(number[0]) if number else 0, max(inside, key=lambda alias: len(_label(alias)))


def _label(alias: Alias) -> str:
    return _bare(alias.column).replace("{n}", "")


def _bare(name: str) -> str:
    return _NOISE.sub("", unicodedata.normalize("NFKC", fold(name)))


@dataclass(frozen=True)
class Sample(Shown):
    """``cells``: column -> its texts with their numbers; ``numbers``: columns with cells that are numbers.

    ``header_row``: the row of the file with the names, from 1.
    """

    header: list[str]
    cells: Mapping[str, Counter[str]] = field(default_factory=dict)
    numbers: frozenset[str] = frozenset()
    header_row: int = 1

    def line(self) -> str:
        """What it is, in one line."""
        return f"{len(self.header)} columns, from row {self.header_row} on"
