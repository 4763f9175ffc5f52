"""What the API, the file pipeline and the commands ask of a grouping engine, whatever its family."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import pyarrow as pa


class Grouped(NamedTuple):
    """The result columns of a batch, in the order of ``Engine.result_fields``, and what was counted."""

    columns: list[pa.Array]
    reasons: Counter[str]  # reason code -> rows
    codes: Counter[str]  # "diagnosis:notation" and the like -> values


class Named(Protocol):
    """A loaded scheme or catalogue."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def meta(self) -> Mapping[str, Any]: ...
    @property
    def digest(self) -> str: ...


class Explained(Protocol):
    """The explanation of one record."""

    @property
    def result(self) -> Mapping[str, Any]: ...
    def summary(self, lang: str = "zh") -> str: ...
    def text(self, lang: str = "zh") -> str: ...
    def as_dict(self) -> dict[str, Any]: ...


class Engine(Protocol):
    """Immutable in use: one engine may serve many threads."""

    @property
    def kind(self) -> str:
        """The kind of its family (grouper.grouping.family)."""

    @property
    def compiled(self) -> Any:
        """What it runs, in a form of the family's own."""

    @property
    def scheme(self) -> Named: ...
    @property
    def fields(self) -> tuple[str, ...]:
        """Canonical columns that the scheme reads, beside diagnoses and procedures."""

    @property
    def result_fields(self) -> list[pa.Field]:
        """Names and types of the result columns."""

    def group(self, batch: pa.RecordBatch, flags: pa.Array | None = None) -> Grouped:
        """Group a batch of canonical columns; ``flags`` is grouper.base.reasons.Flag per row."""
