"""The lake as a data set: a snapshot as plain Parquet, views and measures in SQL and over polars frames."""

from __future__ import annotations
