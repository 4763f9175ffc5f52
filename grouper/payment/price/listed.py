"""Codes of a case that a map of columns gives by several columns, or by a separator: as one list in SQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.base.sql import literal, quote

if TYPE_CHECKING:
    from grouper.records.columns import ColumnMap, Source

CODES = ("diagnoses", "procedures")


def lists_of(columns: ColumnMap | None, schema: pa.Schema) -> dict[str, str]:
    """Field of CODES -> SQL of its list from the columns of a file (``t``), where the map says how."""
    if columns is None:
        return {}
    fields = columns.bind(schema.names).fields
    return {
        name: _list_sql(fields[name], schema)
        for name in CODES
        if name in fields and (len(fields[name].columns) > 1 or fields[name].transform)
    }


def _list_sql(source: Source, schema: pa.Schema) -> str:
    from grouper.records.normalise import separator_of

    separator = separator_of(source)
    marks = (separator or "").removeprefix("any:") if (separator or "").startswith("any:") else ""
    pattern = f"[{re.escape(marks)}]" if marks else re.escape(separator) if separator else ""
    parts = []
    for column in source.columns:
        quoted, kind = f"t.{quote(column)}", schema.field(column).type
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            parts.append(f"coalesce({quoted}, [])")
            continue
        text = f"coalesce(CAST({quoted} AS VARCHAR), '')"
        parts.append(f"string_split_regex({text}, {literal(pattern)})" if pattern else f"[{text}]")
    return f"[trim(c) FOR c IN flatten([{', '.join(parts)}]) IF trim(c) <> '']"
