"""Group discharge records by a compiled DRG scheme, batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.arrow import (
    empty,
    int32_array,
    int32_field,
    number_field,
    numbered,
    pick,
    text_array,
    text_field,
)
from grouper.base.reasons import REASONS, STATUS_NAMES, Status
from grouper.codes.book import CodeBook
from grouper.grouping.drg.compile import FIELDS, CompiledScheme
from grouper.grouping.engine import Grouped

if TYPE_CHECKING:
    from grouper.grouping.drg.explain import Explanation
    from grouper.grouping.drg.tables.model import Scheme

RESULT_COLUMNS = (
    "mdc",
    "adrg",
    "drg",
    "drg_name",
    "status",
    "reason",
    "reason_text",
    "complication",
    "complication_by",
    "warnings",
)
_TEXT = pa.dictionary(pa.int32(), pa.string())
_WARNINGS = ["", "unknown-diagnosis", "unknown-procedure", "unknown-diagnosis|unknown-procedure"]
_NEEDS_DATA = next(i for i, reason in enumerate(REASONS) if reason.status == Status.NEEDS_DATA)


class Numbers(NamedTuple):
    """What the kernel says of each row of a batch, as int32 arrays (see DrgProgram.group)."""

    result: pa.Array
    reason: pa.Array
    severity: pa.Array
    severity_by: pa.Array
    warnings: pa.Array


@dataclass
class DrgEngine:
    """A compiled scheme with its code books. Immutable in use; one serves many threads.

    ``lang`` chooses the language of ``reason_text``.
    """

    compiled: CompiledScheme
    diagnoses: CodeBook
    procedures: CodeBook
    lang: str = "zh"

    def __post_init__(self) -> None:
        results = self.compiled.results
        self._columns = {
            "mdc": numbered([r.mdc for r in results]),
            "adrg": numbered([r.adrg for r in results]),
            "drg": numbered([r.drg for r in results]),
            "drg_name": numbered([r.name for r in results]),
        }
        self._status = numbered([STATUS_NAMES[reason.status] for reason in REASONS])
        self._reason = numbered([reason.code for reason in REASONS])
        self._reason_text = numbered([reason.zh if self.lang == "zh" else reason.en for reason in REASONS])
        self._severity = numbered(["none", "CC", "MCC"])
        self._warnings = numbered(_WARNINGS)
        self._codes = text_array(["", *self.compiled.diagnoses])

    @property
    def scheme(self) -> Scheme:
        return self.compiled.scheme

    @property
    def fields(self) -> tuple[str, ...]:
        """Canonical columns that some condition reads, beside diagnoses and procedures."""
        return self.compiled.fields

    @property
    def result_fields(self) -> list[pa.Field]:
        """Names and types of the result columns."""
        return [pa.field(name, _TEXT) for name in RESULT_COLUMNS]

    def explain(self, record: Mapping[str, Any]) -> Explanation:
        """Explain one record given as canonical columns."""
        from grouper.grouping.drg.explain import explain

        return explain(self, record)

    def numbers(
        self, batch: pa.RecordBatch, flags: pa.Array | None = None, counts: Counter[str] | None = None
    ) -> Numbers:
        """Run the kernel over a batch of canonical columns.

        ``batch`` needs ``diagnoses`` and ``procedures`` as lists of texts, and those of the
        scheme's ``fields`` that there are; ``flags`` is grouper.base.reasons.Flag per row.
        """
        rows = batch.num_rows
        counts = Counter() if counts is None else counts
        dx_offsets, dx = self.diagnoses.row_ids(batch.column("diagnoses"), counts)
        if "procedures" in batch.schema.names:
            proc_offsets, proc = self.procedures.row_ids(batch.column("procedures"), counts)
        else:  # the caller allowed the column to be missing: no record has a procedure
            proc_offsets, proc = memoryview(bytes(4 * (rows + 1))).cast("i"), empty("i", 0)
        outputs = [empty("i", rows) for _ in range(5)]
        flag_buffer = None if flags is None else int32_field(flags)
        self.compiled.kernel.group(
            rows, dx_offsets, dx, proc_offsets, proc, self._fields(batch), flag_buffer, *outputs
        )
        return Numbers(*(int32_array(output, rows) for output in outputs))

    def _fields(self, batch: pa.RecordBatch) -> list[memoryview | None]:
        names = set(batch.schema.names)
        fields: list[memoryview | None] = []
        for column in FIELDS.values():
            if column not in names or column not in self.compiled.fields:
                fields.append(None)
            elif column == "department":
                fields.append(text_field(batch.column(column), self.compiled.departments))
            else:
                fields.append(number_field(batch.column(column)))
        return fields

    def row(self, numbers: Numbers, row: int) -> dict[str, str | None]:
        """One row of the result columns as a dict, without building the columns."""
        result, reason, severity, by, warnings = (column[row].as_py() for column in numbers)
        tables = {
            **{name: (table, result) for name, table in self._columns.items()},
            "status": (self._status, reason),
            "reason": (self._reason, reason),
            "reason_text": (self._reason_text, reason),
            "complication": (self._severity, severity),
        }
        values: dict[str, str | None] = {
            name: texts[places[number].as_py()].as_py() if number >= 0 else None
            for name, ((texts, places), number) in tables.items()
        }
        values["complication_by"] = self._codes[by].as_py() or None
        values["warnings"] = _WARNINGS[warnings]
        return values

    def group(self, batch: pa.RecordBatch, flags: pa.Array | None = None) -> Grouped:
        """The result columns of a batch of canonical columns."""
        counts: Counter[str] = Counter()
        numbers = self.numbers(batch, flags, counts)
        found = pc.if_else(pc.less(numbers.result, 0), pa.scalar(None, pa.int32()), numbers.result)
        columns = [pick(self._columns[name], found) for name in ("mdc", "adrg", "drg", "drg_name")]
        columns += [pick(table, numbers.reason) for table in (self._status, self._reason, self._reason_text)]
        columns.append(pick(self._severity, numbers.severity))
        columns.append(self._code_column(numbers.severity_by))
        columns.append(pick(self._warnings, numbers.warnings))
        tally = {
            REASONS[item["values"]].code: item["counts"]
            for item in pc.value_counts(numbers.reason).to_pylist()
        }
        return Grouped(columns, Counter(tally), counts)

    def _code_column(self, ids: pa.Array) -> pa.Array:
        """Diagnosis ids as a dictionary of just the codes that occur; null for 0."""
        encoded = pc.dictionary_encode(pc.if_else(pc.equal(ids, 0), pa.scalar(None, pa.int32()), ids))
        return pa.DictionaryArray.from_arrays(encoded.indices, pc.take(self._codes, encoded.dictionary))
