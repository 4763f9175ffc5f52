"""Group discharge records by a compiled DRG scheme, batch by batch."""

from __future__ import annotations

from array import array
from collections import ChainMap, Counter
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa

from grouper._fast.marks import add_by_result
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
from grouper.base.reasons import REASONS, Status
from grouper.codes import icd
from grouper.codes.book import CodeBook, CodeOptions
from grouper.grouping.columns import TEXT, Verdicts, code_column, code_ids, result_rows, text_at
from grouper.grouping.compiled import CompiledEngine
from grouper.grouping.drg.compile import CompiledScheme, compile_scheme
from grouper.grouping.drg.describing import Lists
from grouper.grouping.drg.tables.criteria import warned_groups
from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.drg.tables.store import NOT_NAMED
from grouper.grouping.marks import UNTESTED, Marks

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
_NEEDS_DATA = next(i for i, reason in enumerate(REASONS) if reason.status == Status.NEEDS_DATA)


class Numbers(NamedTuple):
    """What the kernel says of each row of a batch, as int32 arrays (see DrgProgram.group)."""

    result: pa.Array
    reason: pa.Array
    severity: pa.Array
    severity_by: pa.Array
    warnings: pa.Array


def marks_of(compiled: CompiledScheme) -> Marks:
    """What the scheme does not use: grey codes that no condition names, and its lists of such codes."""
    lists = compiled.scheme.lists
    named = frozenset().union(*(codes for name, codes in lists.items() if name not in NOT_NAMED))
    return Marks(
        compiled.diagnoses,
        compiled.procedures,
        grey=(icd.grey_diagnoses() - named, icd.grey_procedures()),
        out=(lists.get("UNGROUPABLE.dx", frozenset()), lists.get("UNGROUPABLE.proc", frozenset())),
        used=named,
        decide=True,
    )


@dataclass
class DrgEngine(CompiledEngine[CompiledScheme, CodeBook, Numbers]):
    """The engine of a scheme; see CompiledEngine."""

    kind: ClassVar[str] = "drg"

    def __post_init__(self) -> None:
        results = self.compiled.results
        self._columns = {
            "mdc": numbered([r.mdc for r in results]),
            "adrg": numbered([r.adrg for r in results]),
            "drg": numbered([r.drg for r in results]),
            "drg_name": numbered([r.name for r in results]),
        }
        self._verdicts = Verdicts(self.lang)
        self._severity = numbered(["none", "CC", "MCC"])
        self.marks = marks_of(self.compiled)
        self._untested = self._untested_results()
        self._codes = text_array(["", *self.compiled.diagnoses])
        named = ChainMap(icd.diagnoses(), icd.procedures())
        self.lists = Lists(self.scheme.lists, named)
        self.exclusions = Lists(self.scheme.exclusions, named)

    def _again(self, options: CodeOptions, lang: str) -> tuple[Any, ...]:
        return make_engine, (self.scheme, options, lang)

    @property
    def scheme(self) -> Scheme:
        return self.compiled.scheme

    @property
    def result_fields(self) -> list[pa.Field]:
        """Names and types of the result columns."""
        return [pa.field(name, TEXT) for name in RESULT_COLUMNS]

    def numbers(
        self, batch: pa.RecordBatch, flags: pa.Array | None = None, counts: Counter[str] | None = None
    ) -> Numbers:
        rows = batch.num_rows
        counts = Counter() if counts is None else counts
        dx, proc = code_ids(batch, self.diagnoses, self.procedures, counts)
        outputs = [empty("i", rows) for _ in Numbers._fields]
        results, reasons, _, _, warnings = outputs
        flag_buffer = None if flags is None else int32_field(flags)
        self.compiled.kernel.group(rows, *dx, *proc, self._fields(batch), flag_buffer, *outputs)
        self.marks.apply(rows, dx, proc, reasons, warnings)
        if self._untested:
            add_by_result(rows, results, self._untested, warnings)
        return Numbers(*(int32_array(output, rows) for output in outputs))

    def _untested_results(self) -> array[int] | None:
        """Per number of a result: what its group adds to the kernel's warnings. None if no group does."""
        groups = warned_groups(self.scheme)
        adds = array("i", (UNTESTED if result.drg in groups else 0 for result in self.compiled.results))
        return adds if any(adds) else None

    def _fields(self, batch: pa.RecordBatch) -> list[memoryview | None]:
        names = set(batch.schema.names)
        fields: list[memoryview | None] = []
        for column in self.compiled.columns.values():
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
        values = {name: text_at(table, result) for name, table in self._columns.items()}
        values |= self._verdicts.at(reason, warnings)
        values["complication"] = text_at(self._severity, severity)
        values["complication_by"] = self._codes[by].as_py() or None
        return {name: values[name] for name in RESULT_COLUMNS}

    def _built(self, numbers: Numbers) -> list[pa.Array]:
        found = result_rows(numbers.result)
        columns = {name: pick(table, found) for name, table in self._columns.items()}
        columns |= self._verdicts.of(numbers.reason, numbers.warnings)
        columns["complication"] = pick(self._severity, numbers.severity)
        columns["complication_by"] = code_column(numbers.severity_by, self._codes)
        return [columns[name] for name in RESULT_COLUMNS]


def make_engine(scheme: Scheme, options: CodeOptions, lang: str = "zh") -> DrgEngine:
    """The engine of a scheme for texts that are understood as ``options`` say."""
    edition = scheme.meta.get("editions", {}).get("icd9cm3", icd.EDITIONS[0])
    compiled = compile_scheme(scheme, icd.diagnoses(), icd.procedures_of(edition))
    return DrgEngine(
        compiled,
        CodeBook("diagnosis", compiled.diagnoses, icd.crosswalk("diagnosis"), options),
        CodeBook("procedure", compiled.procedures, icd.crosswalk("procedure"), options),
        lang,
    )
