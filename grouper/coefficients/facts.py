"""What the classes of the auxiliary catalogue ask of each row, computed for a whole batch at once.

Codes become numbers by the code books of grouping. What a code means is looked up once for each
code and packed into one number, so that a batch needs one look-up for each code that stands in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.arrow import int32_array
from grouper.codes import icd
from grouper.codes.book import CodeOptions
from grouper.coefficients.parameters import Coefficients
from grouper.grouping.dip import auxiliary, facts
from grouper.grouping.dip.texts import BatchCodes, DipCodes

if TYPE_CHECKING:
    import polars as pl

FIELDS = {
    "age": ("age_years", "age_days"),
    "severity": ("los_days", "discharge_way"),
    "tumour": ("los_days", "discharge_way"),
    "icu": ("icu_hours",),
}  # kind of a tool -> canonical columns that it reads besides the codes
CODED = ("severity", "tumour", "cci", "codes")
METASTASIS, RADIOTHERAPY, CHEMOTHERAPY = 1, 2, 4
_MCC = {"CC": 1, "MCC": 2}
# A packed meaning: Charlson conditions from bit 0, marks from bit 20, "on a list" bit 23, then 3 times
# the exclusion table plus 1 for CC, 2 for MCC.
_MARKS, _LISTED, _COMPLICATION = 20, 23, 24
_CHARLSON = (1 << _MARKS) - 1


class _Meanings:
    """A number for each code of a book, computed once; those of unknown codes come batch by batch."""

    def __init__(self, codes: Sequence[str], of: Callable[[str], int]) -> None:
        import polars as pl

        self._of = of
        self._known = pl.Series([0, *(of(code.upper()) for code in codes)], dtype=pl.Int64)

    def by_id(self, extra: Iterable[str]) -> pl.Series:
        import polars as pl

        return pl.concat([self._known, pl.Series([self._of(code) for code in extra], dtype=pl.Int64)])


class CodeLists:
    """Which classes of the tools of kind ``codes`` name a code: by the whole code or by its beginning."""

    def __init__(self, parameters: Coefficients, sides: Sequence[str]) -> None:
        self._exact: dict[str, list[int]] = {}
        self._prefixes: dict[str, list[int]] = {}
        for tool in parameters.tools:
            for i, class_ in enumerate(tool.classes if tool.kind == "codes" and tool.where in sides else ()):
                for code in class_.test["codes"]:
                    into = self._prefixes if code.endswith("*") else self._exact
                    into.setdefault(code.upper().removesuffix("*"), []).append(tool.first + i)
        self._lengths = sorted({len(prefix) for prefix in self._prefixes})

    def of(self, code: str) -> list[int]:
        """The numbers of the classes that name this code (in capitals)."""
        found = list(self._exact.get(code, ()))
        for length in self._lengths:
            found += self._prefixes.get(code[:length], ())
        return found


class Facts:
    """Makes the columns that the tools in force read."""

    def __init__(self, parameters: Coefficients, options: CodeOptions) -> None:
        kinds = {tool.kind for tool in parameters.tools}
        self.fields = tuple(dict.fromkeys(name for kind in FIELDS if kind in kinds for name in FIELDS[kind]))
        self.coded = bool(kinds & set(CODED))
        if not self.coded:
            return
        listed, listed_op = icd.diagnoses(), icd.procedures()
        self._dx = DipCodes("diagnosis", list(listed), icd.crosswalk("diagnosis"), options)
        self._op = DipCodes("procedure", list(listed_op), icd.crosswalk("procedure"), options)
        self._secondary = CodeLists(parameters, ("secondary", "any"))
        self._principal = CodeLists(parameters, ("principal", "any"))
        self._procedure = CodeLists(parameters, ("procedure",))
        self._tables = sorted({table for _, table in facts.complications().values()})
        self._excluded_by: dict[str, list[int]] = {}
        for place, table in enumerate(self._tables):
            for code in facts.exclusions().get(table, ()):
                self._excluded_by.setdefault(code, []).append(place)
        self._meanings = _Meanings(self._dx.codes, self._meaning(kinds))
        self._op_meanings = _Meanings(self._op.codes, self._operation)

    def _meaning(self, kinds: set[str]) -> Callable[[str], int]:
        """The packed meaning of a diagnosis, as far as the kinds of tools in force ask for it."""
        place = {table: i for i, table in enumerate(self._tables)}
        severity, cci = bool(kinds & {"severity", "tumour"}), "cci" in kinds

        def meaning(code: str) -> int:
            level, table = facts.complications().get(code, ("", "")) if severity else ("", "")
            complication = 3 * place[table] + _MCC[level] if level else 0
            conditions = sum(1 << i for i in facts.charlson_conditions(code)) if cci else 0
            named = bool(self._secondary.of(code) or self._principal.of(code))
            marks = _diagnosis_marks(code) if "tumour" in kinds else 0
            return complication << _COMPLICATION | named << _LISTED | marks << _MARKS | conditions

        return meaning

    def _operation(self, code: str) -> int:
        return bool(self._procedure.of(code)) << _LISTED | _operation_marks(code) << _MARKS

    def of(self, prepared: pa.RecordBatch, rows: int) -> tuple[pl.DataFrame, dict[int, list[int]]]:
        """The numbers of each row with ``counted`` (2 MCC, 1 CC), ``cci`` and ``marks``, in order.

        Beside it, for the rows that have one: the classes of code lists that name a code of the row.
        """
        import polars as pl

        columns = [pl.int_range(rows, eager=True).alias("row")]
        for name in self.fields:
            type_ = pl.Float64 if name == "icu_hours" else pl.Int32
            given = name in prepared.schema.names
            array = prepared.column(name) if given else pa.nulls(rows, pa.int32())
            columns.append(pl.Series(name, array).cast(type_))
        found: dict[int, list[int]] = {}
        if self.coded:
            columns += self._of_diagnoses(prepared.column("diagnoses"), rows, found)
            if "procedures" in prepared.schema.names:
                columns[-1] |= self._of_operations(prepared.column("procedures"), rows, found)
        return pl.DataFrame(columns), found

    def _of_diagnoses(self, column: pa.Array, rows: int, found: dict[int, list[int]]) -> list[pl.Series]:
        import polars as pl

        book = BatchCodes(self._dx)
        frame = _coded(book, column)
        frame = frame.with_columns(
            first=pl.col("row") != pl.col("row").shift(1, fill_value=2**32 - 1),
            what=self._meanings.by_id(book.extra).gather(frame["id"]),
        )
        heads = frame.filter("first")
        some = frame.filter(pl.col("what") > 0)
        others = some.filter(~pl.col("first"))
        spread = pl.when("first").then(pl.col("what") & ~(METASTASIS << _MARKS)).otherwise("what")
        marks = some.select("row", bits=spread // (1 << _MARKS) & 7)
        conditions = others.select("row", bits=pl.col("what") & _CHARLSON)
        self._add_listed(book, some, (self._principal, self._secondary), found)
        return [
            self._counted(book, heads, others, rows),
            _ored(conditions, rows, "cci", _charlson_index),
            _ored(marks, rows, "marks", int),
        ]

    def _of_operations(self, column: pa.Array, rows: int, found: dict[int, list[int]]) -> pl.Series:
        import polars as pl

        book = BatchCodes(self._op)
        frame = _coded(book, column)
        what = self._op_meanings.by_id(book.extra).gather(frame["id"])
        some = frame.with_columns(what=what, first=False).filter(pl.col("what") > 0)
        self._add_listed(book, some, (self._procedure, self._procedure), found)
        return _ored(some.select("row", bits=pl.col("what") // (1 << _MARKS) & 7), rows, "marks", int)

    def _counted(self, book: BatchCodes, heads: pl.DataFrame, others: pl.DataFrame, rows: int) -> pl.Series:
        """2 where a secondary diagnosis counts as MCC, 1 for CC: the principal does not exclude it."""
        import polars as pl

        tables = len(self._tables)
        some = others.select("row", what=pl.col("what") // (1 << _COMPLICATION)).filter(pl.col("what") > 0)
        principal = pl.zeros(rows, pl.Int64, eager=True).scatter(heads["row"], heads["id"].cast(pl.Int64))
        some = some.with_columns(pair=principal.gather(some["row"]) * tables + pl.col("what") // 3)
        texts = [*book.texts()]
        excluded = [
            head * tables + table
            for head in heads["id"].unique().to_list()
            for table in self._excluded_by.get(texts[head].upper(), ())
        ]
        barred = some["pair"].is_in(pl.Series(excluded, dtype=pl.Int64).implode())
        counting = some.filter(~barred).group_by("row").agg((pl.col("what") % 3).max())
        return (
            pl.zeros(rows, pl.Int64, eager=True).scatter(counting["row"], counting["what"]).alias("counted")
        )

    def _add_listed(
        self,
        book: BatchCodes,
        some: pl.DataFrame,
        lists: tuple[CodeLists, CodeLists],
        found: dict[int, list[int]],
    ) -> None:
        """Add the classes of code lists to the rows that have one; ``lists``: first code, other codes."""
        import polars as pl

        named = some.filter((pl.col("what") // (1 << _LISTED)) % 2 == 1)
        if named.is_empty():
            return
        texts = [*book.texts()]
        for row, id_, first in named.select("row", "id", "first").iter_rows():
            if classes := lists[not first].of(texts[id_].upper()):
                into = found.setdefault(row, [])
                into += [k for k in classes if k not in into]


def _coded(book: BatchCodes, column: pa.Array) -> pl.DataFrame:
    """The codes of a column of lists as (row, id), in order; 0 for a code that is none."""
    import polars as pl

    offsets, ids = book.row_ids(column, Counter())
    lists = pa.ListArray.from_arrays(int32_array(offsets, len(column) + 1), int32_array(ids, len(ids)))
    row = pl.Series(pc.list_parent_indices(lists)).cast(pl.UInt32).set_sorted()
    return pl.DataFrame({"row": row, "id": pl.Series(lists.values).clip(lower_bound=0)})


def _ored(bits: pl.DataFrame, rows: int, name: str, of: Callable[[int], int]) -> pl.Series:
    """``of`` the union of the bits of each row, 0 for rows without any."""
    import polars as pl

    unions = bits.filter(pl.col("bits") > 0).group_by("row").agg(pl.col("bits").bitwise_or())
    distinct = unions["bits"].unique()
    values = pl.Series([of(mask) for mask in distinct.to_list()], dtype=pl.Int64)
    mapped = unions["bits"].replace_strict(distinct, values, return_dtype=pl.Int64)
    return pl.zeros(rows, pl.Int64, eager=True).scatter(unions["row"], mapped).alias(name)


def _charlson_index(mask: int) -> int:
    """Weights of the conditions of a mask, each once, without those that a severer one stands for."""
    hits = [c for i, c in enumerate(facts.charlson()) if mask >> i & 1]
    present = {hit.name for hit in hits}
    return sum(hit.weight for hit in hits if hit.suppressed_by not in present)


def _diagnosis_marks(code: str) -> int:
    return (
        METASTASIS * code.startswith(auxiliary.METASTASIS)
        | RADIOTHERAPY * code.startswith(auxiliary.RADIOTHERAPY)
        | CHEMOTHERAPY * code.startswith(auxiliary.CHEMOTHERAPY)
    )


def _operation_marks(code: str) -> int:
    return RADIOTHERAPY * code.startswith(auxiliary.RADIOTHERAPY_BY) | CHEMOTHERAPY * code.startswith(
        auxiliary.CHEMOTHERAPY_BY
    )
