"""Discharge records as they really come: layouts, readers, and normalisation into canonical columns.

``open_records`` gives a stream of source batches with their column map; ``Normaliser`` turns
each batch into the canonical fields that a scheme needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grouper.base.lazy import lazy

if TYPE_CHECKING:
    from grouper.records.columns import ColumnMap, Source, detect_layout, load_map
    from grouper.records.missing import Missing, missing_fields
    from grouper.records.normalise import NormaliseOptions, Normaliser, Prepared
    from grouper.records.propose import Sample, draft, propose_map
    from grouper.records.sample import read_sample
    from grouper.records.schema import CANONICAL, GROUPING_FIELDS, PREPARED_SCHEMA
    from grouper.records.source import RecordSource, open_records
    from grouper.records.words import WordReader

__all__ = [
    "CANONICAL",
    "GROUPING_FIELDS",
    "PREPARED_SCHEMA",
    "ColumnMap",
    "Missing",
    "NormaliseOptions",
    "Normaliser",
    "Prepared",
    "RecordSource",
    "Sample",
    "Source",
    "WordReader",
    "detect_layout",
    "draft",
    "load_map",
    "missing_fields",
    "open_records",
    "propose_map",
    "read_sample",
]

_MODULES = {
    "schema": ("CANONICAL", "GROUPING_FIELDS", "PREPARED_SCHEMA"),
    "columns": ("ColumnMap", "Source", "detect_layout", "load_map"),
    "propose": ("Sample", "draft", "propose_map"),
    "missing": ("Missing", "missing_fields"),
    "sample": ("read_sample",),
    "words": ("WordReader",),
    "normalise": ("NormaliseOptions", "Normaliser", "Prepared"),
    "source": ("RecordSource", "open_records"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


__getattr__, __dir__ = lazy(__name__, _HOME)
