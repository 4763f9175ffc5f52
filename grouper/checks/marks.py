"""What each distinct text of a code stands for, and in which lists it is: one look per text and run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from grouper.base.errors import TableError
from grouper.checks.combinations import sides_of
from grouper.checks.lists import code_lists
from grouper.codes import icd
from grouper.codes.book import CodeBook

_MOST = 63  # lists of a side: each is a bit of a whole number


class Marked(NamedTuple):
    """``code``: the official code, else the text. ``mask``: bits of the lists it is in. ``first`` and
    ``second``: bits of combinations of which it may be a side. ``blank``: the text stands for no code."""

    code: str
    name: str
    mask: int
    first: int
    second: int
    blank: bool


SCHEMA = {
    "text": pl.String, "code": pl.String, "name": pl.String, "mask": pl.Int64, "first": pl.Int64,
    "second": pl.Int64, "blank": pl.Boolean,
}  # fmt: skip


class Marks:
    """The marks of the codes of one side; safe to share between threads, as it only grows."""

    def __init__(self, side: str, book: CodeBook, names: Iterable[str]) -> None:
        self.side = side
        self._book = book
        self._lists = code_lists()
        mine = sorted(name for name in names if self._side_of(name) == side)
        if len(mine) > _MOST:
            raise TableError(zh=f"规则用到的集合超过 {_MOST} 个", en=f"the rules use more than {_MOST} lists")
        self.bits = {name: 1 << number for number, name in enumerate(mine)}
        self._icd = icd.diagnoses() if side == "diagnosis" else icd.procedures()
        self._found: dict[str, Marked] = {}

    def _side_of(self, name: str) -> str:
        if name not in self._lists.side:
            raise TableError(
                zh=f"rules.toml 用到不存在的集合 {name}",
                en=f"rules.toml uses the list {name}, which is not there",
            )
        return self._lists.side[name]

    def of(self, text: str) -> Marked:
        """The marks of one text."""
        if text not in self._found:
            self._found[text] = self._mark(text)
        return self._found[text]

    def frame(self, texts: Iterable[str]) -> pl.DataFrame:
        """The marks of distinct texts, one row each."""
        rows = [(text, *self.of(text)) for text in texts]
        return pl.DataFrame(rows, schema=SCHEMA, orient="row")

    def has(self, text: str, names: Iterable[str]) -> bool:
        """Whether a text is in one of the lists; none of none."""
        return any(self.of(text).mask & self.bits[name] for name in names)

    def _mark(self, text: str) -> Marked:
        resolved = self._book.resolve(text)
        if not resolved.code and resolved.issue != "unmapped":
            return Marked("", "", 0, 0, 0, True)
        code, issue = resolved.code or text, resolved.issue
        if self.side == "diagnosis" and issue in ("unknown", "cut-short"):
            issue = self._half(code) or issue
        mask = sum(bit for name, bit in self.bits.items() if self._lists.has(name, code, issue))
        first, second = sides_of(code) if self.side == "diagnosis" else (0, 0)
        return Marked(code, self._icd.get(code, ""), mask, first, second, False)

    def _half(self, code: str) -> str:
        """Half of a dagger pair is its own fault, not an unknown code."""
        if code.endswith("*") and "+" not in code:
            return "asterisk"
        return "dagger" if self._lists.has("dagger_half", code, "") else ""


def exploded(lists: pa.Array) -> pl.DataFrame:
    """The entries of a column of lists of texts: row, pos from 0, text."""
    column = pl.from_arrow(lists.cast(pa.list_(pa.string())))
    frame = pl.DataFrame({"row": pl.Series(range(len(lists)), dtype=pl.Int64), "text": column})
    frame = frame.filter(pl.col("text").list.len() > 0)
    frame = frame.with_columns(pos=pl.int_ranges(0, pl.col("text").list.len(), dtype=pl.Int64))
    return frame.explode("text", "pos").select("row", "pos", "text")
