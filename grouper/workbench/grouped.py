"""The record by one scheme, and the same record arranged otherwise, many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from grouper.base.errors import GrouperError
from grouper.grouping.api import Grouper
from grouper.grouping.engine import Explained
from grouper.grouping.family import family
from grouper.records.schema import PREPARED_SCHEMA


@dataclass(frozen=True)
class Grouping:
    """The record by one scheme; ``explained`` is None where it cannot even be read, with the ``error``."""

    grouper: Grouper
    prepared: Mapping[str, Any]
    explained: Explained | None
    error: GrouperError | None = None

    @property
    def result(self) -> Mapping[str, Any]:
        return self.explained.result if self.explained else {}

    def details(self, lang: str) -> dict[str, Any]:
        """The explanation as data (grouper.grouping.family.Family.details)."""
        return family(self.grouper.engine.kind).details(self.explained, lang)

    def arranged(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The result columns of records that have the flags of this one, in one run of the kernel."""
        engine = self.grouper.engine
        fields = [f for f in PREPARED_SCHEMA if f.name in ("diagnoses", "procedures", *engine.fields)]
        batch = pa.RecordBatch.from_pylist([dict(record) for record in records], pa.schema(fields))
        flags = pa.array([self.prepared["flags"]] * len(records), pa.int32())
        columns = engine.group(batch, flags).columns
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        return [dict(zip((f.name for f in engine.result_fields), row, strict=True)) for row in rows]
