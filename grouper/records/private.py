"""Columns with personal data: told by their names, by the names that a layout or the user marks, and by what
stands in them.

Names of columns are matched by the patterns of ``tables/records/personal.csv``: ``part`` of a Chinese name,
``words`` of an English or pinyin one (PatientName, pat_name and PAT-NAME are the same two words), or the
``whole`` name. Values are matched by what proves itself: identity numbers by their date and check digit,
mobile numbers by their form where half of a column has it. Names and addresses of persons cannot be told by
their values; a column of them under a name that no pattern knows stays.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import DataError, TableError, UsageError
from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table
from grouper.records.columns import ColumnMap, fold

KINDS: dict[str, tuple[str, str]] = {
    "name": ("姓名", "name"),
    "identity": ("证件号码", "identity number"),
    "phone": ("电话", "phone"),
    "address": ("地址", "address"),
    "card": ("卡号或账号", "card or account"),
    "electronic": ("电子联系方式", "e-mail or account of a service"),
    "employer": ("工作单位", "employer"),
    "person": ("生物特征", "picture or the like"),
    "marked": ("列映射或格式标明", "as a layout or the user says"),
}
_FORMS = ("part", "words", "whole")
_IDENTITY = r"(?:^|[^0-9])(?P<id>[1-9][0-9]{5}(?:19|20)[0-9]{9}[0-9Xx])(?:[^0-9]|$)"
_LIKE_IDENTITY = r"(?:^|[^0-9])[0-9]{17}[0-9Xx](?:[^0-9]|$)"
_MOBILE = r"(?:^|[^0-9])(?:\+?86)?(?P<mobile>1[3-9][0-9]{9})(?:[^0-9]|$)"
_BETWEEN = r"[\s\-‐－—()（）]"  # what people put between the digits of a number
_SHORTEST = 11
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"
_LOOKED_AT = 500  # numbers of a batch whose check digit is computed
_FEW, _STARTS = 20, 3  # more numbers than that begin in as many ways, or they are running numbers
_ID_SHARE, _MOBILE_SHARE = 20, 2  # one in … of those that could be one


class Pattern(NamedTuple):
    kind: str
    form: str
    text: str


@cache
def patterns() -> tuple[Pattern, ...]:
    """The patterns of names, those of kind ``not`` first. Raises TableError for one that is none."""
    path = tables_dir() / "records" / "personal.csv"
    found = []
    for row in read_table(path, needed=("kind", "form", "pattern", "note"), kind=TableError):
        made = Pattern(row.text("kind"), row.text("form"), row.text("pattern").casefold())
        if made.kind not in (*KINDS, "not") or made.form not in _FORMS or not made.text:
            raise row.error("form", "没有这种模式", "there is no such pattern")
        found.append(made)
    return tuple(sorted(found, key=lambda pattern: pattern.kind != "not"))


@lru_cache(4096)
def kind_of_name(name: str) -> str:
    """The kind of personal data that a column of this name holds; "" where the name tells of none."""
    name = re.sub(r"\s+(?=[^\x00-\x7f])", "", unicodedata.normalize("NFKC", name))  # 姓  名, Ｎａｍｅ
    whole, words = fold(name).rstrip("0123456789_ "), _words(name)
    for pattern in patterns():
        if pattern.form == "part":
            fits = pattern.text in whole
        elif pattern.form == "whole":
            fits = pattern.text == whole
        else:
            fits = f"_{pattern.text}_" in words or pattern.text.replace("_", "") == words.replace("_", "")
        if fits:
            return "" if pattern.kind == "not" else pattern.kind
    return ""


def by_names(header: Iterable[str]) -> dict[str, str]:
    """The columns of a header with personal data, and of which kind."""
    return {name: kind for name in header if (kind := kind_of_name(name))}


def by_values(batch: pa.RecordBatch, columns: Sequence[str]) -> dict[str, str]:
    """Those of ``columns`` whose values in a batch are identity numbers or mobile numbers."""
    found = {}
    for name in columns:
        texts = _texts(batch.column(name))
        if texts is not None and (kind := _kind_of_values(texts)):
            found[name] = kind
    return found


class Asked(NamedTuple):
    """What the user says: keep all, keep or leave out these columns; and whether values are looked at."""

    all: bool = False
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    look: bool = False


def by_header(
    columns: ColumnMap, header: Sequence[str], asked: Asked
) -> tuple[ColumnMap, dict[str, str], dict[str, str]]:
    """The map without what the user leaves out; the columns to be left out and of which kind; those that stay
    because a field is read from them, though they hold personal data."""
    out = _named(asked.drop, header, "--drop")
    keep = _named(asked.keep, header, "--keep")
    fields = {name: source for name, source in columns.fields.items() if not out.intersection(source.columns)}
    columns = replace(columns, fields=fields)
    kinds = {} if asked.all else dict.fromkeys(columns.drop, "marked") | by_names(header)
    read = {column for source in fields.values() for column in source.columns}
    noticed = {name: kind for name, kind in kinds.items() if name in read}
    left = {name: kind for name, kind in kinds.items() if name not in read | keep}
    return (
        columns,
        {name: left.get(name, "marked") for name in header if name in left or name in out},
        noticed,
    )


def unread(columns: ColumnMap, schema: pa.Schema, keep: Sequence[str]) -> list[str]:
    """The columns of a schema from which no field is read, that the user does not keep, and that could hold
    numbers of persons."""
    read = {column for source in columns.fields.values() for column in source.columns}
    stay = read | _named(keep, schema.names, "--keep")
    return [field.name for field in schema if field.name not in stay and could_hold(field.type)]


def _named(names: Sequence[str], header: Sequence[str], flag: str) -> set[str]:
    """The columns of a header that the user names with ``flag``. Raises UsageError for one it lacks."""
    known = {fold(name): name for name in header}
    for name in names:
        if fold(name) not in known:
            raise UsageError(
                zh=f"{flag} {name!r}：输入中没有这一列", en=f"{flag} {name!r}: the input has no such column"
            )
    return {known[fold(name)] for name in names}


def appeared(found: Mapping[str, str], row: int) -> DataError:
    """The error for columns in which personal data appear further down than was looked at first."""
    told_zh = "、".join(f"{name}（{KINDS[kind][0]}）" for name, kind in found.items())
    told = ", ".join(f"{name} ({KINDS[kind][1]})" for name, kind in found.items())
    first = next(iter(found))
    return DataError(
        zh=f"第 {row:,} 条记录起的一批中，这些列含个人信息：{told_zh}；没有写出结果。"
        f"用 --drop {first} 不载入该列，或用 --keep {first} 保留",
        en=f"in the batch that begins with record {row:,} these columns hold personal data: {told}; nothing "
        f"was written. Leave them out with --drop {first}, or keep them with --keep {first}",
    )


def valid_identity(text: str) -> bool:
    """Whether a text of 18 characters is an identity number: a date of birth, and the right check digit."""
    month, day = int(text[10:12]), int(text[12:14])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, text, strict=False))
    return _CHECK[total % 11] == text[17].upper()


def _words(name: str) -> str:
    """The words of a Latin name between underscores: PatientName2 -> _patient_name_."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.strip().lstrip("\ufeff"))
    return "_" + "_".join(re.findall(r"[a-z]+", apart.casefold())) + "_"


def could_hold(type_: pa.DataType) -> bool:
    """Whether a column of this type could hold numbers of persons."""
    if pa.types.is_dictionary(type_) or pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return could_hold(type_.value_type)
    if pa.types.is_decimal(type_):
        return bool(type_.precision - type_.scale >= _SHORTEST)
    return bool(
        pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_)
        or pa.types.is_int64(type_) or pa.types.is_uint64(type_) or pa.types.is_float64(type_)
    )  # fmt: skip


def _texts(column: pa.Array) -> pa.Array | None:
    """The values of a column, as texts without nulls; None where none is long enough."""
    type_ = column.type
    if pa.types.is_dictionary(type_):
        column = column.dictionary.take(pc.drop_null(column.indices))
    elif pa.types.is_list(type_) or pa.types.is_large_list(type_):
        column = column.flatten()
    if not could_hold(column.type) or pa.types.is_dictionary(column.type):
        return None
    try:
        if pa.types.is_floating(column.type):
            column = column.filter(pc.less(pc.abs(column), 1e18)).cast(pa.decimal128(38, 0), safe=False)
        if pa.types.is_integer(column.type) or pa.types.is_decimal(column.type):
            most = pc.max(column).as_py()
            if most is None or most < 10 ** (_SHORTEST - 1):
                return None
            if pa.types.is_decimal(column.type):
                column = column.cast(pa.decimal128(38, 0), safe=False)
        elif (pc.max(pc.binary_length(column.cast(pa.large_string()))).as_py() or 0) < _SHORTEST:
            return None
        return pc.replace_substring_regex(pc.drop_null(column.cast(pa.string())), _BETWEEN, "")
    except pa.ArrowException:  # no number of a person is so large, and no text so broken
        return None


def _kind_of_values(texts: pa.Array) -> str:
    long = texts.filter(pc.greater_equal(pc.binary_length(texts), _SHORTEST))
    if not len(long):
        return ""
    like = long.filter(pc.match_substring_regex(long, _LIKE_IDENTITY))
    if len(like):
        numbers = pc.struct_field(pc.extract_regex(like, _IDENTITY), "id")
        some = pc.drop_null(numbers)[:_LOOKED_AT].to_pylist()
        good = sum(map(valid_identity, some))
        if good * _ID_SHARE >= min(len(like), _LOOKED_AT) and good:
            return "identity"
    found = pc.extract_regex(long, _MOBILE)
    mobiles = pc.drop_null(pc.struct_field(found, "mobile"))
    if len(mobiles) * _MOBILE_SHARE < len(texts):
        return ""
    starts = {text[:3] for text in mobiles[:_LOOKED_AT].to_pylist()}
    return "phone" if len(mobiles) <= _FEW or len(starts) >= _STARTS else ""
