"""The lake: Hive-partitioned Parquet that only grows, and the ledger that says which of it is valid."""

from __future__ import annotations

from grouper.lake.layout import TABLES, Lake

__all__ = ["TABLES", "Lake"]
