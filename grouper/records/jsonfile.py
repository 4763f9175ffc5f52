"""Reading JSON: a stream of objects from any file, and flat JSON lines as Arrow batches."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.json

from grouper.base.errors import DataError, GrouperError, TableError, UsageError
from grouper.records.columns import fold
from grouper.records.encoding import detect_encoding, encoding_error, named_encoding, open_utf8
from grouper.records.readers import BaseReader

_BLOCK = 8 << 20  # bytes of JSON lines that become one batch
_CHUNK = 1 << 20
_MAX_OBJECT = 256 << 20  # characters; a longer object is taken for broken JSON
_BETWEEN = re.compile(r"[\s,\[\]]*")
_OBJECTS_PER_BLOCK = 5_000
DEEPEST = 32  # objects and lists in one another
_NO_SIGNS = bytes(byte for byte in range(256) if byte not in b'[]{}"\\')
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class Number(str):
    """The text of a JSON number, so that it can be told from a text and loses no digits."""

    __slots__ = ()


def _integer(text: str) -> int | float:
    """A whole number; one that no column can hold is a huge number, so that its row is told and no more."""
    return int(text) if len(text) <= 18 else _huge(text)


def _decimal(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else _huge(text)


def _huge(text: str) -> float:
    return -1e300 if text.startswith("-") else 1e300


class _Twice(ValueError):
    """A key stands twice in one object, so that one of its values would be lost."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Twice(next(key for key, number in Counter(key for key, _ in pairs).items() if number > 1))
    return found


_PLAIN = json.JSONDecoder(parse_float=_decimal, parse_int=_integer, object_pairs_hook=_pairs)
_TEXTUAL = json.JSONDecoder(parse_float=Number, parse_int=Number, object_pairs_hook=_pairs)


def textual(value: Mapping[str, Any]) -> dict[str, Any]:
    """An object in memory as ``objects`` gives it: numbers as :class:`Number`, what JSON lacks as text."""
    found: dict[str, Any] = _TEXTUAL.decode(json.dumps(value, ensure_ascii=False, default=str))
    return found


def json_encoding(path: Path, label: str, encoding: str | None) -> str:
    return named_encoding(encoding) if encoding else detect_encoding(path, label)


def objects(path: Path, label: str, encoding: str, *, textual: bool = True) -> Iterator[dict[str, Any]]:
    """The objects of a file that holds one object, an array of them, or one after the other.

    Reads in pieces. ``textual`` gives numbers as :class:`Number`. Raises DataError for broken JSON.
    """
    decode = (_TEXTUAL if textual else _PLAIN).raw_decode
    buffer, start, size, number, ended = "", 0, _CHUNK, 0, False
    utf8 = codecs.getincrementaldecoder("utf-8")()
    try:
        with open_utf8(path, encoding) as stream:
            while True:
                start = _BETWEEN.match(buffer, start).end()  # type: ignore[union-attr]  # it matches ""
                try:
                    value, start = decode(buffer, start)
                except json.JSONDecodeError:
                    if start == len(buffer) and ended:
                        return
                    if ended or len(buffer) - start > _MAX_OBJECT:
                        raise _broken(label, number + 1) from None
                except _Twice as error:
                    raise _repeated(label, number + 1, str(error)) from None
                except RecursionError:
                    raise _deep(label, number + 1) from None
                else:
                    number += 1
                    if not isinstance(value, dict):
                        raise _broken(label, number)
                    if depth(value) > DEEPEST:
                        raise _deep(label, number)
                    size = _CHUNK
                    yield value
                    continue
                chunk = stream.read(size)
                ended = not chunk
                buffer, start = buffer[start:] + utf8.decode(chunk, final=ended), 0
                size *= 2  # so that a long object is tried a few times only
    except UnicodeError:
        raise encoding_error(label, encoding) from None


def one_value(text: str) -> Any:
    """The JSON value of standard input. Raises UsageError when it is none."""
    return json_value(text, "", UsageError)


def json_value(text: str, told: str, kind: type[GrouperError] = TableError) -> Any:
    """The JSON value of a text. ``told``: its file. Raises ``kind`` for broken JSON, a key that stands twice
    and what is too deep."""
    try:
        value, _ = _PLAIN.raw_decode(text.lstrip("\ufeff \t\r\n"))
    except _Twice as error:
        raise _repeated(told, 1, str(error), kind) from None
    except RecursionError:
        raise _deep(told, 1, kind) from None
    except json.JSONDecodeError as error:
        zh, en = (told, told) if told else ("标准输入", "standard input")
        place = f"第 {error.lineno} 行第 {error.colno} 个字符处写法不对（缺逗号、引号或括号，或多了内容）"
        raise kind(zh=f"{zh}不是 JSON：{place}", en=f"{en} is not JSON: {error}") from error
    if depth(value) > DEEPEST:
        raise _deep(told, 1, kind)
    return value


def _without_huge(block: bytes) -> bytes:
    """JSON lines with numbers that no column can hold made the hugest that one can."""
    try:
        lines = [_PLAIN.decode(line) for line in block.decode().splitlines() if line.strip()]
    except (json.JSONDecodeError, _Twice, RecursionError, UnicodeDecodeError):
        return block  # the reader says what is wrong
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()


def _broken(label: str, number: int) -> DataError:
    return DataError(
        zh=f"{label}：第 {number} 个对象不是有效的 JSON 对象",
        en=f"{label}: object number {number} is not a valid JSON object",
    )


def _place(label: str, number: int) -> tuple[str, str]:
    return (
        (f"{label}：第 {number} 个对象", f"{label}: object number {number}")
        if label
        else ("标准输入的 JSON", "the JSON of standard input")
    )


def _repeated(label: str, number: int, key: str, kind: type[GrouperError] = DataError) -> GrouperError:
    zh, en = _place(label, number)
    return kind(zh=f"{zh}中键 {key!r} 重复", en=f"{en} has the key {key!r} twice")


def _deep(label: str, number: int, kind: type[GrouperError] = DataError) -> GrouperError:
    zh, en = _place(label, number)
    return kind(
        zh=f"{zh}的嵌套超过 {DEEPEST} 层",
        en=f"{en} has lists and objects more than {DEEPEST} deep in one another",
    )


def depth(value: Any) -> int:
    """How deep objects and lists stand in one another, counted no further than one beyond the limit."""
    level, found = 0, [value]
    while found and level <= DEEPEST + 1:
        inner: list[Any] = []
        for item in found:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        found = inner
        level += 1
    return level - 1


def _brackets_deep(block: bytes) -> bool:
    """Whether objects and lists stand deeper in one another than they may, without parsing them.

    Texts are taken out, then brackets without anything in them again and again: a level each time.
    """
    left = block.translate(None, _NO_SIGNS)
    if b"\\" not in left:  # quotes open and close in turn, so that those side by side may go
        left = left.replace(b'""', b"")
    left = _TEXT.sub(b"", left)
    for _ in range(DEEPEST):
        left = left.replace(b"[]", b"").replace(b"{}", b"")
    return b"[]" in left or b"{}" in left or len(left) > DEEPEST


class JsonReader(BaseReader):
    """A file whose records may leave out fields without a value."""

    def widen(self, fields: Iterable[pa.Field]) -> None:
        """Add columns that other files have and this one leaves out, all null."""
        known = {fold(name) for name in self._all.names}
        self._all = self.schema = pa.schema([*self._all, *(f for f in fields if fold(f.name) not in known)])


class JsonLinesReader(JsonReader):
    """Flat objects: one a line, or (``array``) an array of them.

    Opening reads the whole file once, because a field may first appear in its last line.
    """

    def __init__(self, path: Path, label: str, encoding: str | None, *, array: bool) -> None:
        self._path = path
        self._array = array
        self._encoding = json_encoding(path, label, encoding)
        self.label = label
        schema, rows = pa.schema([]), 0
        for block in self._blocks():
            part = self._parse(block, rows, None)
            found = pa.schema([(field.name, _timeless(field.type)) for field in part.schema])
            schema = self._unify(schema, found, rows)
            rows += part.num_rows
        if not rows:
            raise DataError(zh=f"{label}：文件中没有记录", en=f"{label}: the file holds no records")
        super().__init__(label, pa.schema([(field.name, _filled(field.type)) for field in schema]))
        self.num_rows = rows

    def batches(self, batch_rows: int) -> Iterator[pa.RecordBatch]:
        rows = 0
        for block in self._blocks():
            table = self._parse(block, rows, self.schema)
            rows += table.num_rows
            yield from table.select(self.schema.names).combine_chunks().to_batches()

    def _blocks(self) -> Iterator[bytes]:
        if self._array:
            found = objects(self._path, self.label, self._encoding, textual=False)
            while lines := [
                json.dumps(value, ensure_ascii=False) for value in islice(found, _OBJECTS_PER_BLOCK)
            ]:
                yield "\n".join(lines).encode()
            return
        rest = b""
        try:
            with open_utf8(self._path, self._encoding) as stream:
                while chunk := stream.read(_BLOCK):
                    head, newline, tail = chunk.rpartition(b"\n")
                    if newline:
                        yield rest + head
                        rest = tail
                    else:
                        rest += chunk
        except UnicodeError:
            raise encoding_error(self.label, self._encoding) from None
        yield rest

    def _parse(self, block: bytes, rows_before: int, schema: pa.Schema | None) -> pa.Table:
        if not block.strip():
            return pa.table({}) if schema is None else schema.empty_table()
        if _brackets_deep(block):
            self._refuse_deep(block, rows_before)
        options = pa.json.ParseOptions(explicit_schema=schema)
        if schema is not None:
            # All fields were seen on opening: the others are those that are not to be kept.
            options.unexpected_field_behavior = "ignore"
        try:
            return pa.json.read_json(
                io.BytesIO(block), pa.json.ReadOptions(use_threads=False, block_size=len(block) + 1), options
            )
        except pa.ArrowInvalid as error:
            odd = "too big" in str(error) or "couldn't parse" in str(error)  # of a number of many digits
            if odd and (smaller := _without_huge(block)) != block:
                return self._parse(smaller, rows_before, schema)
            raise self._refused(str(error), rows_before) from error

    def _refuse_deep(self, block: bytes, rows_before: int) -> NoReturn:
        """Raise DataError: the parser calls itself for each level, and ends the process at too many."""
        lines = enumerate(block.splitlines(), rows_before + 1)
        raise _deep(self.label, next((n for n, line in lines if _brackets_deep(line)), rows_before + 1))

    def _refused(self, message: str, rows_before: int) -> DataError:
        row = re.search(r"in row (\d+)", message)
        message = message.partition(", couldn't parse")[0]  # a value, which is not shown
        place = rows_before + int(row[1]) + 1 if row else f"> {rows_before}"
        return DataError(
            zh=f"{self.label} 第 {place} 条记录：JSON 无法读取（{message}）；"
            "同一字段须始终是同一种类型，编码须为文本",
            en=f"{self.label} record {place}: the JSON cannot be read ({message}); a field must have "
            "one type throughout, and codes must be text",
        )

    def _unify(self, before: pa.Schema, block: pa.Schema, rows_before: int) -> pa.Schema:
        try:
            return pa.unify_schemas([before, block], promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(
                zh=f"{self.label}：从第 {rows_before + 1} 条记录起，同一字段的类型与前面不一致：{error}",
                en=f"{self.label}: from record {rows_before + 1} on, a field is of another type than before: "
                f"{error}",
            ) from error


def _timeless(type_: pa.DataType) -> pa.DataType:
    """The inferred type, but text where texts were taken for times: the next one may not look so."""
    if pa.types.is_list(type_):
        return pa.list_(_timeless(type_.value_type))
    return pa.string() if pa.types.is_timestamp(type_) else type_


def _filled(type_: pa.DataType) -> pa.DataType:
    """Text for a field that has no value in the whole file."""
    if pa.types.is_list(type_):
        return pa.list_(_filled(type_.value_type))
    return pa.string() if pa.types.is_null(type_) else type_


def first_object(found: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    return next(iter(found), None)
