"""Group discharge records by a compiled DIP catalogue, batch by batch."""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from grouper._fast.dip import pick
from grouper.base.arrow import (
    empty,
    int32_array,
    int32_field,
    number_array,
    number_field,
    numbered,
    text_array,
)
from grouper.base.arrow import pick as pick_texts
from grouper.codes import icd
from grouper.codes.book import CodeOptions
from grouper.grouping.columns import TEXT, Verdicts, code_ids, result_rows, row_of
from grouper.grouping.compiled import CompiledEngine
from grouper.grouping.dip import facts
from grouper.grouping.dip.compile import DIAGNOSIS_WIDTH, FIELDS, CompiledDip, compile_catalogue
from grouper.grouping.dip.tables.catalogue import Catalogue
from grouper.grouping.dip.texts import BatchCodes, DipCodes
from grouper.grouping.marks import Marks

RESULT_COLUMNS = (
    "dip_code",
    "dip_name",
    "dip_kind",
    "score",
    "packet",
    "status",
    "reason",
    "reason_text",
    "matched",
    "unmatched",
    "auxiliary",
    "warnings",
)
PRIMARY_CARE = "primary_care"  # one more column, true or false, where the catalogue has an overlay list
SCORE = pa.decimal128(18, 6)
_PRIMARY = 1 << 30  # the bit of the kernel's warnings that is none: a condition of primary care holds
_MICRO = pa.decimal128(30, 6)
_REMEMBERED = 50_000
_MET, _UNMET = 1, 2


class Numbers(NamedTuple):
    """What the kernel says of each row: numbers of row, reason and warnings, and operations joined by |."""

    result: pa.Array
    reason: pa.Array
    warnings: pa.Array
    matched: pa.Array
    unmatched: pa.Array


@dataclass
class DipEngine(CompiledEngine[CompiledDip, DipCodes, Numbers]):
    """The engine of a catalogue; see CompiledEngine."""

    kind: ClassVar[str] = "dip"

    def __post_init__(self) -> None:
        rows = self.compiled.rows
        self._columns = {
            "dip_code": numbered([row.code for row in rows]),
            "dip_name": numbered([row.name for row in rows]),
            "dip_kind": numbered([row.kind for row in rows]),
            "packet": numbered([row.packet for row in rows]),
            "auxiliary": numbered([f"{row.aux[0]}:{row.aux[1]}" if row.aux else "" for row in rows]),
        }
        listed = self.compiled.catalogue.primary_care
        self._primary_care = None
        if listed is not None:
            flags = [row.kind == "primary_care" or row.packet.upper() in listed for row in rows]
            self._primary_care = pc.equal(number_array(flags, "i"), 1)
        self._scores = pa.array([row.score for row in rows], SCORE)
        self._verdicts = Verdicts(self.lang)
        self._marks = Marks(
            self.diagnoses.codes,
            self.procedures.codes,
            grey=(facts.grey_diagnoses(), frozenset()),
            decide=False,
        )
        attributes = self.compiled.attributes
        self._dx = _Attributed(attributes.diagnosis, self.diagnoses.codes)
        self._op = _Attributed(attributes.procedure, self.procedures.codes)
        exact = self.compiled.catalogue.options.procedure_match == "exact"
        self._prefix = None if exact else _Attributed(attributes.prefix, self.procedures.codes)
        self._known_procedures = text_array(["", *self.procedures.codes])

    def _again(self, options: CodeOptions, lang: str) -> tuple[Any, ...]:
        return make_engine, (self.scheme, options, lang)

    @property
    def scheme(self) -> Catalogue:
        """The catalogue with its options."""
        return self.compiled.catalogue

    @property
    def result_fields(self) -> list[pa.Field]:
        """Names and types of the result columns."""
        types = {"score": SCORE, PRIMARY_CARE: pa.bool_()}
        return [pa.field(name, types.get(name, TEXT)) for name in self.result_columns]

    @property
    def result_columns(self) -> tuple[str, ...]:
        """RESULT_COLUMNS, and ``primary_care`` where the catalogue has an overlay list."""
        return RESULT_COLUMNS if self._primary_care is None else (*RESULT_COLUMNS, PRIMARY_CARE)

    # --- numbers ----------------------------------------------------------------------------

    def numbers(
        self, batch: pa.RecordBatch, flags: pa.Array | None = None, counts: Counter[str] | None = None
    ) -> Numbers:
        rows = batch.num_rows
        counts = Counter() if counts is None else counts
        dx_book, op_book = BatchCodes(self.diagnoses), BatchCodes(self.procedures)
        dx, ops = code_ids(batch, dx_book, op_book, counts)
        results, reasons, warnings = outputs = [empty("i", rows) for _ in range(3)]
        met = empty("i", len(ops.ids))
        self.compiled.kernel.group(
            rows,
            *dx,
            *ops,
            self._dx.of(dx_book.extra),
            self._op.of(op_book.extra),
            self._prefix.of(op_book.extra) if self._prefix else array("i"),
            self._fields(batch),
            self._costs(batch),
            None if flags is None else int32_field(flags),
            results,
            reasons,
            warnings,
            met,
        )
        # The beginning of an operation that no list knows still counts, so no reason hangs on it.
        self._marks.apply(rows, dx, ops, reasons, warnings)
        codes = self._known_procedures
        if op_book.extra:
            codes = pa.concat_arrays([codes, text_array(list(op_book.extra))])
        joined = [_joined(rows, *ops, met, which, codes) for which in (_MET, _UNMET)]
        return Numbers(*(int32_array(output, rows) for output in outputs), *joined)

    def _fields(self, batch: pa.RecordBatch) -> list[Any]:
        names = set(batch.schema.names) & set(self.compiled.fields)
        return [number_field(batch.column(name)) if name in names else None for name in FIELDS]

    def _costs(self, batch: pa.RecordBatch) -> memoryview | None:
        """Total cost in millionths of a yuan, -1 where it is unknown."""
        if "total_cost" not in self.compiled.fields or "total_cost" not in batch.schema.names:
            return None
        cost = batch.column("total_cost").cast(_MICRO)
        micro = pc.multiply(cost, pa.scalar(Decimal(1_000_000), pa.decimal128(7, 0))).cast(pa.int64())
        known = pc.fill_null(micro, -1)
        return memoryview(known.buffers()[1]).cast("B").cast("q")[known.offset : known.offset + len(known)]

    # --- columns ----------------------------------------------------------------------------

    def row(self, numbers: Numbers, row: int) -> dict[str, Any]:
        """One row of the result columns as a dict; ``score`` is a Decimal."""
        one = Numbers(*(column.slice(row, 1) for column in numbers))
        return row_of(self.result_columns, self._built(one))

    def _built(self, numbers: Numbers) -> list[pa.Array]:
        found = result_rows(numbers.result)
        columns = {name: pick_texts(table, found) for name, table in self._columns.items()}
        columns |= self._verdicts.of(numbers.reason, pc.bit_wise_and(numbers.warnings, _PRIMARY - 1))
        columns |= {
            "score": pc.take(self._scores, found),
            "matched": numbers.matched,
            "unmatched": numbers.unmatched,
        }
        if self._primary_care is not None:
            held = pc.greater_equal(numbers.warnings, _PRIMARY)  # a condition of primary care
            columns[PRIMARY_CARE] = pc.or_(pc.take(self._primary_care, found), held)
        return [columns[name] for name in self.result_columns]


def make_engine(catalogue: Catalogue, options: CodeOptions, lang: str = "zh") -> DipEngine:
    """The engine of a catalogue for texts that are understood as ``options`` say."""
    compiled = compile_catalogue(catalogue)
    return DipEngine(
        compiled,
        DipCodes("diagnosis", compiled.diagnoses, icd.crosswalk("diagnosis"), options),
        DipCodes("procedure", compiled.procedures, icd.crosswalk("procedure"), options),
        lang,
    )


class _Attributed:
    """Attributes of all known codes (``by`` their text), and of the unknown ones of a batch behind them."""

    def __init__(self, by: Callable[[str], tuple[int, ...]], codes: Sequence[str]) -> None:
        self._by = by
        self._lock = threading.Lock()
        self._remembered: dict[str, tuple[int, ...]] = {}
        blank = [0] * len(by(""))
        self._known = array("i", blank)
        if len(blank) == DIAGNOSIS_WIDTH:
            self._known[1:3] = array("i", [-1, 1])  # id 0 is no code: no principal diagnosis
        for code in codes:
            self._known.extend(by(code.upper()))

    def of(self, extra: Iterable[str]) -> array[int]:
        found = array("i")
        with self._lock:
            for code in extra:
                if code not in self._remembered:
                    if len(self._remembered) >= _REMEMBERED:
                        self._remembered.clear()
                    self._remembered[code] = self._by(code.upper())
                found.extend(self._remembered[code])
        return self._known + found if found else self._known


def _joined(
    rows: int, offsets: memoryview, ids: memoryview, met: memoryview, which: int, codes: pa.Array
) -> pa.Array:
    """The operations of each row that are marked ``which``, joined by |."""
    out_offsets, out_ids = empty("i", rows + 1), empty("i", len(ids))
    number = pick(rows, offsets, ids, met, which, out_offsets, out_ids)
    texts = pc.take(codes, int32_array(out_ids, number))
    lists = pa.ListArray.from_arrays(int32_array(out_offsets, rows + 1), texts)
    return pc.dictionary_encode(pc.binary_join(lists, "|"))
