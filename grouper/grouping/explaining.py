"""What the explanations of all families do alike: codes as they came, the kernel's word, and plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from typing import Any, Protocol

import pyarrow as pa

from grouper.base.arrow import number_array, text_array
from grouper.base.errors import GrouperError
from grouper.codes.book import ISSUES, Resolved, code_texts


@dataclass(frozen=True)
class CodeStep:
    """A code as it came, what it was taken for, and its name. Families add what they say of it besides."""

    kind: str
    position: int
    raw: str
    code: str
    name: str
    issue: str


def issue_words(issue: str, lang: str) -> str:
    """What was done with a code, in words; "" where nothing was."""
    return ISSUES[issue][lang == "en"] if issue else ""


class KernelEngine(Protocol):
    """An engine whose kernel gives numbers that make rows of result columns."""

    def numbers(self, batch: pa.RecordBatch, flags: pa.Array | None = None) -> Any: ...
    def row(self, numbers: Any, row: int) -> dict[str, Any]: ...


def read_codes(
    resolve: Callable[[str], Resolved], record: Mapping[str, Any], column: str
) -> list[tuple[str, Resolved]]:
    """The codes of a column as written, each with what it stands for.

    Raises DataError when the record has no list of diagnoses.
    """
    return [(text, resolve(text)) for text in code_texts(record, column)]


def by_kernel(
    engine: KernelEngine, record: Mapping[str, Any], columns: Mapping[str, pa.Array]
) -> dict[str, Any]:
    """The result columns that the batch would give this record.

    ``columns``: what the engine reads besides the codes, each of one value.
    """
    whole: dict[str, pa.Array] = {}
    for name in ("diagnoses", "procedures"):
        values = text_array(code_texts(record, name))
        whole[name] = pa.ListArray.from_arrays(number_array([0, len(values)], "i"), values)
    whole |= columns
    flags = number_array([int(record.get("flags", 0))], "i")
    batch = pa.RecordBatch.from_arrays(list(whole.values()), list(whole))
    return engine.row(engine.numbers(batch, flags), 0)


def number_columns(record: Mapping[str, Any], names: Sequence[str]) -> dict[str, pa.Array]:
    """Those numbers of a record that are there, as columns of one value."""
    return {name: number_array([float(record[name])]) for name in names if record.get(name) is not None}


def must_agree(explained: Any, grouped: Any) -> None:
    """Raise GrouperError when the explanation finds another group than the batch."""
    if explained != grouped:
        raise GrouperError(
            zh=f"程序缺陷：解释得到 {explained}，批量分组得到 {grouped}，请报告此记录",
            en=f"a defect of this program: the explanation finds {explained}, the batch {grouped}; "
            "please report the record",
        )


def plain(value: Any, *texts: tuple[Any, Callable[[Any], str]]) -> Any:
    """Dataclasses, mappings, sets and sequences as dicts and lists, decimals as text.

    ``texts``: types (or unions of them) that become text, each with the function that does it.
    """
    every: list[tuple[Any, Callable[[Any], str]]] = [*texts, (Decimal, str)]
    for type_, text in every:
        if isinstance(value, type_):
            return text(value)
    if isinstance(value, Mapping):
        return {name: plain(item, *texts) for name, item in value.items()}
    if is_dataclass(value):
        return {item.name: plain(getattr(value, item.name), *texts) for item in fields(value)}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [plain(item, *texts) for item in value]
    return value
