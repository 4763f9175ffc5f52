"""The fields of records that the rules read: those of grouping by the normaliser, the rest beside it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from grouper.grouping.api import Grouper
from grouper.records import scalars
from grouper.records.columns import ColumnMap
from grouper.records.lists import code_lists
from grouper.records.normalise import Normaliser, separator_of
from grouper.records.schema import GROUPING_FIELDS
from grouper.records.values import hours

TEXTS = (
    "record_id", "settlement_id", "visit_id", "record_no", "hospital_code", "person_id", "department",
    "doctor", "external_cause", "pathology", "newborn_admission_type",
)  # fmt: skip
DATES = ("birth_date", "admission_date", "discharge_date")
COSTS = ("drug_cost", "consumable_cost", "operation_cost")
# One value per diagnosis or operation, in their order.
LISTED = ("present_on_admission", "procedure_dates", "diagnosis_names")
_IDS = ("record_id", "settlement_id", "visit_id", "record_no")
_YUAN = pa.decimal128(18, 2)


@dataclass(frozen=True)
class Read:
    """A batch read: ``prepared`` and ``flags`` for the engine, and all fields by name."""

    prepared: pa.RecordBatch
    flags: pa.Array
    columns: dict[str, pa.Array]


class FieldReader:
    """Reads the batches of one source. Raises UsageError where it has no diagnoses."""

    def __init__(self, grouper: Grouper, columns: ColumnMap, schema: pa.Schema) -> None:
        self._map = columns
        options = grouper.normalise_options
        # Only what is there is read: what a check lacks is not evaluated, a group that needs it needs data.
        self._grouping = Normaliser(columns, grouper.required, options, GROUPING_FIELDS)
        self._grouping.check(schema)
        clear = [name for name in GROUPING_FIELDS if not columns.ambiguous(name)]
        self._facts = Normaliser(columns, clear, options, GROUPING_FIELDS)
        self._facts.check(schema)
        self.fields = frozenset(
            name
            for name in (*GROUPING_FIELDS, *TEXTS, *DATES, *COSTS, *LISTED, "ventilator_hours")
            if (self._facts.makes(name) if name in GROUPING_FIELDS else self._one(name))
        )

    def _one(self, name: str) -> bool:
        return name in self._map.fields and not self._map.ambiguous(name)

    def read(self, batch: pa.RecordBatch, first_row: int = 0) -> Read:
        """The fields of a batch. What is not understood is null here: the flags of grouping name it."""
        grouping = self._grouping.prepare(batch, first_row)
        made = self._facts.prepare(batch, first_row)
        columns = {name: made.batch.column(name) for name in made.batch.schema.names}
        for name in (*TEXTS, *DATES, *COSTS, "ventilator_hours"):
            if name in self.fields and name not in columns:
                columns[name] = self._scalar(name, batch)
        for name in LISTED:
            if name in self.fields:
                columns[name] = self._list(name, batch)
        columns["id"] = self._id(columns, batch.num_rows, first_row)
        return Read(grouping.batch, grouping.flags, columns)

    def _id(self, columns: dict[str, pa.Array], rows: int, first_row: int) -> pa.Array:
        """What names a record in findings: the first id that the file has, else the number of the row."""
        for name in _IDS:
            if name in columns:
                return columns[name]
        return pa.array([str(first_row + row + 1) for row in range(rows)], pa.string())

    def _scalar(self, name: str, batch: pa.RecordBatch) -> pa.Array:
        array = self._map.translated(name, batch.column(self._map.fields[name].columns[0]))
        if name in DATES:
            return scalars.dates(array, Counter(), name).values
        if name in COSTS:
            return scalars.money(array, Counter(), name).values.cast(_YUAN)
        if name == "ventilator_hours":
            if scalars.is_text(array.type):
                return scalars.parsed(array, hours(1.0), pa.float64(), Counter(), name).values
            return scalars.durations(array, 1.0, Counter(), name).values
        if pa.types.is_null(array.type):
            return array.cast(pa.string())
        text = pc.utf8_trim_whitespace(scalars.plain(scalars.texts(array)).cast(pa.string()))
        return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)

    def _list(self, name: str, batch: pa.RecordBatch) -> pa.Array:
        source = self._map.fields[name]
        arrays = [_as_texts(batch.column(column)) for column in source.columns]
        # As diagnoses: a blank first entry keeps its place.
        lists = code_lists(arrays, separator_of(source), "diagnoses", Counter())
        return lists.cast(pa.list_(pa.string()))


def _as_texts(array: pa.Array) -> pa.Array:
    """A column, or the entries of a column of lists, as texts."""
    if pa.types.is_nested(array.type):
        return array.cast(pa.list_(pa.string())) if not _is_texts(array.type) else array
    return array if scalars.is_text(array.type) or pa.types.is_null(array.type) else array.cast(pa.string())


def _is_texts(kind: pa.DataType) -> bool:
    return scalars.is_text(kind.value_type)
