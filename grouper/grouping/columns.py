"""What the engines of all families do alike: code ids of a batch, and the columns that every result has."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.arrow import empty, numbered, pick
from grouper.base.reasons import REASONS, STATUS_NAMES
from grouper.grouping.marks import WARNING_TEXTS

TEXT = pa.dictionary(pa.int32(), pa.string())


class Codes(NamedTuple):
    """Offsets (rows + 1) and ids of the codes of a batch, row after row."""

    offsets: memoryview
    ids: memoryview


class Book(Protocol):
    """Whoever turns a column of code lists into ids (grouper.codes.book)."""

    def row_ids(self, column: pa.Array, counts: Counter[str]) -> tuple[memoryview, memoryview]: ...


def code_ids(
    batch: pa.RecordBatch, diagnoses: Book, procedures: Book, counts: Counter[str]
) -> tuple[Codes, Codes]:
    """The codes of ``diagnoses`` and ``procedures`` of a batch, counted by their notation."""
    dx = Codes(*diagnoses.row_ids(batch.column("diagnoses"), counts))
    if "procedures" in batch.schema.names:
        return dx, Codes(*procedures.row_ids(batch.column("procedures"), counts))
    # the caller allowed the column to be missing: no record has a procedure
    return dx, Codes(memoryview(bytes(4 * (batch.num_rows + 1))).cast("i"), empty("i", 0))


class Verdicts:
    """The columns status, reason, reason_text and warnings by the numbers of reasons and warnings."""

    def __init__(self, lang: str) -> None:
        self._of_reason = {
            "status": numbered([STATUS_NAMES[reason.status] for reason in REASONS]),
            "reason": numbered([reason.code for reason in REASONS]),
            "reason_text": numbered([reason.zh if lang == "zh" else reason.en for reason in REASONS]),
        }
        self._warnings = numbered(WARNING_TEXTS)

    def of(self, reason: pa.Array, warnings: pa.Array) -> dict[str, pa.Array]:
        """The four columns; both arguments int32, a number a row."""
        columns = {name: pick(table, reason) for name, table in self._of_reason.items()}
        return {**columns, "warnings": pick(self._warnings, warnings)}

    def at(self, reason: int, warnings: int) -> dict[str, str | None]:
        """The four values of one row, without building columns."""
        texts = {name: text_at(table, reason) for name, table in self._of_reason.items()}
        return {**texts, "warnings": WARNING_TEXTS[warnings]}


def text_at(table: tuple[pa.Array, pa.Array], number: int) -> str | None:
    """The text of one number of a table of ``numbered``; None below 0."""
    texts, places = table
    return texts[places[number].as_py()].as_py() if number >= 0 else None


def result_rows(result: pa.Array) -> pa.Array:
    """Numbers of results, null where there is none (a negative number)."""
    return pc.if_else(pc.less(result, 0), pa.scalar(None, pa.int32()), result)


def tally(reason: pa.Array) -> Counter[str]:
    """How many rows have which reason, by its code."""
    counted = pc.value_counts(reason).to_pylist()
    return Counter({REASONS[item["values"]].code: item["counts"] for item in counted})


def code_column(ids: pa.Array, codes: pa.Array) -> pa.Array:
    """Ids as a dictionary of just the codes that occur; null for 0. ``codes``: id to text."""
    encoded = pc.dictionary_encode(pc.if_else(pc.equal(ids, 0), pa.scalar(None, pa.int32()), ids))
    return pa.DictionaryArray.from_arrays(encoded.indices, pc.take(codes, encoded.dictionary))


def row_of(names: tuple[str, ...], columns: list[pa.Array]) -> dict[str, Any]:
    """The only row of result columns."""
    return {name: column[0].as_py() for name, column in zip(names, columns, strict=True)}
