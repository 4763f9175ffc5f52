"""What stands once in the engines of all families: a compiled scheme, its code books, a batch grouped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, Self, TypeVar

import pyarrow as pa

from grouper.codes.book import CodeOptions
from grouper.grouping.columns import tally
from grouper.grouping.engine import Grouped


class Compiled(Protocol):
    """A scheme in the form that a kernel runs."""

    @property
    def fields(self) -> tuple[str, ...]: ...


class Origin(Protocol):
    """Where a scheme was loaded from (grouper.grouping.origin)."""

    def again(self, codes: CodeOptions, lang: str) -> tuple[Any, ...]: ...


class Book(Protocol):
    """A code book."""

    @property
    def options(self) -> CodeOptions: ...


class Numbers(Protocol):
    """What a kernel says of each row, as int32 arrays."""

    @property
    def reason(self) -> pa.Array: ...


C = TypeVar("C", bound=Compiled)
B = TypeVar("B", bound=Book)
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
    origin: Origin | None = field(
        default=None, init=False, repr=False, compare=False
    )  # where it was loaded from

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by its scheme's id and digest, or by the scheme itself where it stands in no folder."""
        how = (self.diagnoses.options, self.lang)
        return self.origin.again(*how) if self.origin is not None else self._again(*how)

    def __copy__(self) -> Self:
        return self  # immutable in use

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    @abstractmethod
    def _again(self, options: CodeOptions, lang: str) -> tuple[Any, ...]:
        """The function and its arguments that make the engine of its scheme again."""

    @property
    @abstractmethod
    def scheme(self) -> Any:
        """The scheme or catalogue with its options."""

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
        batch.validate()  # that its buffers are as long as they say; the kernel looks at what is in them
        counts: Counter[str] = Counter()
        numbers = self.numbers(batch, flags, counts)
        return Grouped(self._built(numbers), tally(numbers.reason), counts)
