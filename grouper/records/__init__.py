"""Discharge records as they really come: layouts, readers, and normalisation into canonical columns.

``open_records`` gives a stream of source batches with their column map; ``Normaliser`` turns
each batch into the canonical fields that a scheme needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grouper.base.lazy import lazy

if TYPE_CHECKING:
    from grouper.records.columns import ColumnMap, Source, detect_layout, load_map
    from grouper.records.normalise import NormaliseOptions, Normaliser, Prepared
    from grouper.records.propose import propose_map
    from grouper.records.schema import CANONICAL, GROUPING_FIELDS, PREPARED_SCHEMA
    from grouper.records.source import RecordSource, open_records

__all__ = [
    "CANONICAL",
    "GROUPING_FIELDS",
    "PREPARED_SCHEMA",
    "ColumnMap",
    "NormaliseOptions",
    "Normaliser",
    "Prepared",
    "RecordSource",
    "Source",
    "detect_layout",
    "load_map",
    "open_records",
    "propose_map",
]

_MODULES = {
    "schema": ("CANONICAL", "GROUPING_FIELDS", "PREPARED_SCHEMA"),
    "columns": ("ColumnMap", "Source", "detect_layout", "load_map"),
    "propose": ("propose_map",),
    "normalise": ("NormaliseOptions", "Normaliser", "Prepared"),
    "source": ("RecordSource", "open_records"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


__getattr__ = lazy(__name__, _HOME)
