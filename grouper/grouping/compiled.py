"""What stands once in the engines of all families: a compiled scheme, its code books, a batch grouped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import pyarrow as pa

from grouper.grouping.columns import tally
from grouper.grouping.engine import Grouped


class Compiled(Protocol):
    """A scheme in the form that a kernel runs."""

    @property
    def fields(self) -> tuple[str, ...]: ...


class Numbers(Protocol):
    """What a kernel says of each row, as int32 arrays."""

    @property
    def reason(self) -> pa.Array: ...


C = TypeVar("C", bound=Compiled)
B = TypeVar("B")
N = TypeVar("N", bound=Numbers)


@dataclass
class CompiledEngine(ABC, Generic[C, B, N]):
    """A compiled scheme with its code books. Immutable in use; one serves many threads.

    ``lang`` chooses the language of ``reason_text``.
    """

    compiled: C
    diagnoses: B
    procedures: B
    lang: str = "zh"

    @property
    def fields(self) -> tuple[str, ...]:
        """Canonical columns that the scheme reads, beside diagnoses and procedures."""
        return self.compiled.fields

    @abstractmethod
    def numbers(
        self, batch: pa.RecordBatch, flags: pa.Array | None = None, counts: Counter[str] | None = None
    ) -> N:
        """Run the kernel over a batch of canonical columns.

        ``batch`` needs ``diagnoses`` and ``procedures`` as lists of texts, and those of
        ``fields`` that there are; ``flags`` is grouper.base.reasons.Flag per row. What was done
        with codes is added to ``counts``.
        """

    @abstractmethod
    def _built(self, numbers: N) -> list[pa.Array]:
        """The result columns."""

    def group(self, batch: pa.RecordBatch, flags: pa.Array | None = None) -> Grouped:
        """The result columns of a batch of canonical columns."""
        counts: Counter[str] = Counter()
        numbers = self.numbers(batch, flags, counts)
        return Grouped(self._built(numbers), tally(numbers.reason), counts)
