"""Diagnosis and procedure codes: from the text in a file to the ids of a compiled scheme.

A code that stands as the code list writes it is found at once. Other texts are folded
(case, width, blanks, dagger notation), which changes nothing but the spelling and is
counted. Guesses (lost zeros, half of a dagger pair) are made only when asked for.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from grouper._fast.codes import (
    BLANK,
    LOST_ZERO,
    MISS,
    CodeIndex,
    check_offsets,
    compact,
    lookup_strings,
    lookup_views,
    take,
)
from grouper.base.arrow import (
    INT32_LIMIT,
    bitmap,
    empty,
    int32_array,
    int32_field,
    list_parts,
    raw,
    values_of,
)
from grouper.base.errors import DataError

Kind = Literal["diagnosis", "procedure"]
_REMEMBERED = 50_000  # odd texts that are kept, so that a file of rubbish does not fill the memory
_LONGEST = 100  # bytes of a text that is kept
UNKNOWN = 0  # the id of a code that is in no list

BLANK_TEXTS = frozenset({"", "-", "--", "—", "/", "\\", "NULL", "NONE", "NA", "N/A", "NAN", "无"})
ISSUES: dict[str, tuple[str, str]] = {
    "blank": ("空编码或占位符，按无编码处理", "blank or placeholder, taken as no code"),
    "notation": ("大小写、全角、空格等写法差异，已统一", "case, width or blanks, written the standard way"),
    "dagger": ("剑号/星号写法差异，已统一", "dagger and asterisk notation, written the standard way"),
    "dot": ("编码缺小数点，已补", "the dot was missing and is set"),
    "code-name": ("单元格同时含编码和名称，已取其中的编码", "code and name in one cell; the code is taken"),
    "joined": (
        "一个单元格里有多个编码（逗号、分号等分隔），没有拆开；请在列映射中写明 separator",
        "several codes in one cell (joined by commas, semicolons …), not split; name the separator in a "
        "column map",
    ),
    "cut-short": (
        "编码似被截短（I63.9、I10）；核实后用 --repair-codes 补成全码",
        "codes that seem cut short (I63.9, I10); --repair-codes completes them",
    ),
    "completed": ("被截短的编码已按 --repair-codes 补全", "short codes completed, as --repair-codes asks"),
    "crosswalk": ("临床版编码已转换为医保版", "clinical code converted to the insurance edition"),
    "zero-repaired": ("丢失的零已按 --repair-codes 补回", "lost zeros restored, as --repair-codes asks"),
    "dagger-split": (
        "剑号星号组合不在编码版本中，按 --repair-codes 只用剑号编码",
        "the pair is not in the code edition; the dagger code alone is used, as --repair-codes asks",
    ),
    "lost-zero": (
        "手术操作编码疑似丢失零；核实后用 --repair-codes",
        "procedure codes that seem to have lost zeros; --repair-codes accepts the repair",
    ),
    "clinical": (
        "编码只见于临床版；若文件用临床版编码，请加 --codes clinical",
        "codes of the clinical edition; if the file uses it, add --codes clinical",
    ),
    "unmapped": ("临床版编码没有对应的医保版编码", "clinical codes without an insurance code"),
    "unknown": ("编码不在编码版本和方案中", "codes that neither the edition nor the scheme knows"),
}


_WITHOUT_DOT = {
    "diagnosis": re.compile(r"[A-Z]\d{2}(?:[\dX]\d{0,2})(?:X\d{3})?"),
    "procedure": re.compile(r"\d{2}(?:\d[\dX]\d{2}|X\d{3}|\d{4})(?:X\d{3})?"),
}
# A code as it may stand among other text; what does not lead to a known code is left alone.
_TOKEN = re.compile(r"[A-Z]\d{2}[0-9X.]*[0-9X](?:\+[A-Z]\d{2}[0-9X.]*\*)?|\d{2}\.?[\dX]+(?:X\d{3})?")
_NAME = re.compile(r"[\u4e00-\u9fff]")
_BOUNDS = " |()[]【】<>:_-/,;"


def _completions(kind: Kind, text: str) -> Iterable[str]:
    """Full codes that a short one may stand for, in upper case; the unspecified one of its category."""
    if kind == "diagnosis":
        if match := re.fullmatch(r"([A-Z]\d{2})(?:\.?([\dX]))?", text):
            yield f"{match[1]}.{match[2] or 'X'}00"
        return
    if match := re.fullmatch(r"(\d{1,2})(?:\.(\d{1,4}))?", text):
        head, tail = f"{match[1]:0>2}", match[2] or ""
        yield f"{head}.{tail:0<4}"
        if len(tail) < 2:
            yield f"{head}.{tail}X00" if tail else f"{head}.X000"


class Resolved(NamedTuple):
    """What a text stands for: an id (or BLANK, LOST_ZERO), its official code, and what was done."""

    id: int
    code: str
    issue: str


@dataclass(frozen=True)
class CodeOptions:
    """How texts become codes.

    ``clinical``: the file uses the clinical edition; its codes are converted.
    ``repair``: accept guesses, that is zeros put back and the dagger half of an unknown pair.
    """

    clinical: bool = False
    repair: bool = False


class CodeBook:
    """All codes of one kind that a compiled scheme knows; safe to share between threads."""

    def __init__(
        self, kind: Kind, codes: Sequence[str], crosswalk: Mapping[str, str], options: CodeOptions
    ) -> None:
        self.kind = kind
        self.codes = codes
        self.options = options
        self._crosswalk = crosswalk
        self._lock = threading.Lock()
        self._resolved: dict[bytes, Resolved] = {}
        self._folded: dict[str, str] | None = None
        self._ids = {code: number for number, code in enumerate(codes, start=1)}
        plain = [code for code in codes if not (options.clinical and code in crosswalk)]
        self._index = CodeIndex([code.encode() for code in plain], [self._ids[code] for code in plain])

    # --- one text ---------------------------------------------------------------------------

    def resolve(self, text: str | bytes) -> Resolved:
        """What one text stands for."""
        raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
        found = self._index.get(raw)
        if found > 0:
            return Resolved(found, self.codes[found - 1], "")
        if len(raw) > _LONGEST:
            return self._resolve(raw.decode("utf-8", "replace"))
        with self._lock:
            if len(self._resolved) >= _REMEMBERED:
                self._resolved.clear()
            if raw not in self._resolved:
                self._resolved[raw] = self._resolve(raw.decode("utf-8", "replace"))
            return self._resolved[raw]

    def _resolve(self, text: str) -> Resolved:
        folded = "".join(unicodedata.normalize("NFKC", text).split()).upper()
        if folded in BLANK_TEXTS:
            return Resolved(BLANK, "", "blank" if text else "")
        for candidate, issue in self._spellings(folded):
            code = self._spelled(candidate)
            if code is None:
                continue
            if self.options.clinical and code in self._crosswalk:
                target = self._crosswalk[code]
                return Resolved(self._ids.get(target, UNKNOWN), target, "crosswalk" if target else "unmapped")
            if code in self._ids:
                return Resolved(self._ids[code], code, issue)
            if code in self._crosswalk:
                return Resolved(UNKNOWN, code, "clinical")
        return self._guess(folded) or self._inside(text) or Resolved(UNKNOWN, text.strip(), "unknown")

    def _spelled(self, folded: str) -> str | None:
        """The official spelling of a text in upper case."""
        if self._folded is None:
            self._folded = {code.upper(): code for code in (*self._crosswalk, *self.codes)}
        return self._folded.get(folded)

    def _spellings(self, text: str) -> Iterable[tuple[str, str]]:
        yield text, "notation"
        place = 3 if self.kind == "diagnosis" else 2
        if _WITHOUT_DOT[self.kind].fullmatch(text):
            yield f"{text[:place]}.{text[place:]}", "dot"
        if self.kind == "diagnosis":
            plus = text.replace("†", "+").replace("＋", "+")
            yield plus, "dagger"
            yield plus.rstrip("+*"), "dagger"
            left, _, right = plus.partition("+")
            if right and left.endswith("*"):
                yield f"{right}+{left}", "dagger"
            if right and not right.endswith("*"):
                yield f"{plus}*", "dagger"

    def _guess(self, text: str) -> Resolved | None:
        if self.kind == "procedure":
            code = self.completed(text)
            if code and not self.options.repair:
                return Resolved(LOST_ZERO, code, "lost-zero")
            return Resolved(self._ids[code], code, "zero-repaired") if code else None
        if code := self.completed(text):
            if self.options.repair:
                return Resolved(self._ids[code], code, "completed")
            return Resolved(UNKNOWN, text, "cut-short")
        half = re.split(r"[+†]", text)[0]
        found = self._spelled(half) if half != text and self.options.repair else None
        return Resolved(self._ids[found], found, "dagger-split") if found and found in self._ids else None

    def completed(self, text: str) -> str | None:
        """The full code of a short one: 06.3100 for 6.31, 06.4x00 for 06.4, I63.900 for I63.9."""
        for candidate in _completions(self.kind, text):
            code = self._spelled(candidate)
            if code is not None and code in self._ids:
                return code
        return None

    def _inside(self, text: str) -> Resolved | None:
        """A code that stands in a cell with its name; a cell with several codes is not split."""
        folded = unicodedata.normalize("NFKC", text).upper().strip()
        found = {}
        for match in _TOKEN.finditer(folded):
            for candidate, _ in self._spellings(match[0]):
                code = self._spelled(candidate)
                if code is not None and (code in self._ids or code in self._crosswalk):
                    found[code] = match
                    break
        if len(found) > 1:
            return Resolved(UNKNOWN, text.strip(), "joined")
        for match in found.values():
            before, after = folded[: match.start()], folded[match.end() :]
            bounded = all(not part or part[edge] in _BOUNDS for part, edge in ((before, -1), (after, 0)))
            if _NAME.search(before + after) and (bounded or not re.search(r"\d", before + after)):
                inner = self._resolve(match[0])
                return (
                    inner if inner.issue in ("crosswalk", "unmapped") else inner._replace(issue="code-name")
                )
        return None

    # --- columns ----------------------------------------------------------------------------

    def ids(self, values: pa.Array, counts: Counter[str]) -> memoryview:
        """The ids of an array of texts (utf8, large_utf8, utf8_view or a dictionary of those).

        Null and blank texts give BLANK. ``counts`` gains the number of values per issue.
        Raises DataError for another type and ValueError for malformed buffers.
        """
        if pa.types.is_dictionary(values.type):
            return self._dictionary_ids(values, counts)
        ids, misses = self._lookup(values)
        if not misses:
            return ids
        found = int32_array(ids, len(values))
        missed = pc.equal(found, MISS)
        encoded = _binary(values).filter(missed).dictionary_encode()
        resolved = [self.resolve(text) for text in encoded.dictionary.to_pylist()]
        self._count(encoded.indices, resolved, counts)
        replaced = pc.take(pa.array([r.id for r in resolved], pa.int32()), encoded.indices)
        return int32_field(pc.replace_with_mask(found, missed, replaced))

    def _lookup(self, values: pa.Array) -> tuple[memoryview, int]:
        """Ids of plain texts, MISS where the exact text is not a code, and how many those are."""
        out = empty("i", len(values))
        kind = values.type
        if pa.types.is_null(kind):
            values = values.cast(pa.string())
            kind = values.type
        buffers = values.buffers()
        if pa.types.is_string_view(kind):
            chunks = [raw(buffer) for buffer in buffers[2:]]
            misses = lookup_views(
                self._index, raw(buffers[1]), chunks, bitmap(buffers[0]), values.offset, len(values), out
            )
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            offsets = values_of(buffers[1], "i" if pa.types.is_string(kind) else "q")
            misses = lookup_strings(
                self._index, offsets, raw(buffers[2]), bitmap(buffers[0]), values.offset, len(values), out
            )
        else:
            raise DataError(
                zh=f"{self._zh()}编码应为文本，实为 {kind}；数值会丢失前导零，请在源文件中改为文本",
                en=f"{self.kind} codes must be text, but they are {kind}; numbers lose leading zeros, "
                "make the column text in the source",
            )
        return out, misses

    def _zh(self) -> str:
        return "诊断" if self.kind == "diagnosis" else "手术操作"

    def _dictionary_ids(self, values: pa.DictionaryArray, counts: Counter[str]) -> memoryview:
        dictionary = values.dictionary
        table, misses = self._lookup(dictionary)
        resolved: dict[int, Resolved] = {}
        for position, number in enumerate(table) if misses else ():
            if number == MISS:
                resolved[position] = self.resolve(_binary(dictionary.slice(position, 1))[0].as_py())
                table[position] = resolved[position].id
        indices = values.indices
        width = indices.type.bit_width // 8
        out = empty("i", len(values))
        buffers = indices.buffers()
        signed = pa.types.is_signed_integer(indices.type)
        validity = bitmap(buffers[0])
        take(table, raw(buffers[1]), width, signed, validity, indices.offset, len(values), out)
        if any(r.issue for r in resolved.values()):
            self._count(indices, resolved, counts)
        return out

    def _count(
        self, indices: pa.Array, resolved: Sequence[Resolved] | Mapping[int, Resolved], counts: Counter[str]
    ) -> None:
        """Add the number of values per issue."""
        known = resolved if isinstance(resolved, Mapping) else dict(enumerate(resolved))
        for item in pc.value_counts(indices).to_pylist():
            entry = known.get(item["values"])
            if entry and entry.issue:
                counts[f"{self.kind}:{entry.issue}"] += item["counts"]

    def row_ids(self, column: pa.Array, counts: Counter[str]) -> tuple[memoryview, memoryview]:
        """Offsets (rows + 1) and ids of a column of code lists, blanks taken out.

        A blank principal diagnosis stays in place as BLANK. Null rows are empty.
        """
        offsets, values = list_parts(column)
        rows = len(column)
        first, last = check_offsets(offsets, column.offset, rows, len(values))
        if last - first > INT32_LIMIT:
            raise DataError(zh="一个批次的编码超过 20 亿个", en="a batch has more than two billion codes")
        ids = self.ids(values.slice(first, last - first), counts)
        lowest = pc.min(int32_array(ids, len(ids))).as_py()
        if first == column.offset == column.null_count == 0 and offsets.format == "i" and (lowest or 0) >= 0:
            return offsets[: rows + 1], ids  # no blanks to take out
        out_offsets, out_ids = empty("i", rows + 1), empty("i", len(ids))
        left = compact(
            offsets,
            column.offset,
            rows,
            bitmap(column.buffers()[0]),
            ids,
            first,
            self.kind == "diagnosis",
            out_offsets,
            out_ids,
        )
        return out_offsets, out_ids[:left]


def _binary(values: pa.Array) -> pa.Array:
    """Texts as bytes, so that invalid UTF-8 can be looked at rather than fail."""
    kind = pa.large_binary() if pa.types.is_large_string(values.type) else pa.binary()
    if pa.types.is_string_view(values.type):
        kind = pa.binary_view()
    return values.cast(kind).cast(pa.large_binary())


def code_texts(record: Mapping[str, Any], column: str) -> list[str]:
    """The codes of one record as written, from a list of them or a text joined by ``|``; blank for null.

    Raises DataError when the record has none; only ``procedures`` may be absent.
    """
    values = record.get(column)
    if isinstance(values, str):
        values = values.split("|")
    if values is None and column == "procedures":
        values = []
    if not isinstance(values, Sequence):
        raise DataError(
            zh=f"记录缺少 {column}（编码列表，或用 | 分隔的文本）",
            en=f"the record lacks {column} (a list of codes, or a text joined by |)",
        )
    return [value or "" for value in values]
