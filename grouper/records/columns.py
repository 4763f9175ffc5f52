"""Column maps: which source columns give which canonical field.

The layouts that the package knows stand in ``tables/records/aliases.csv``; any other
table is read by a map that the user writes in TOML. A name may hold ``{n}`` for a
running number: ``JBDM{n}`` stands for JBDM1, JBDM2 … in the order of the numbers.
Names are compared without regard to case and surrounding blanks.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from grouper.base.errors import DataError, TableError, UsageError
from grouper.base.formats import KEY, format_of
from grouper.base.paths import tables_dir
from grouper.base.shown import Shown
from grouper.base.tables_in import read_table
from grouper.base.toml_in import read_toml
from grouper.records.schema import CANONICAL, DATE_FIELDS, HOUR_FIELDS, LIST_FIELDS
from grouper.records.words import WordReader, check_value, fold_word

# The order settles ties between layouts that fit equally well.
LAYOUTS = ("canonical", "settlement-list", "hqms", "pinyin", "opendrg", "agency")
UNITS = ("days", "hours", "minutes")
_ALIAS = ("layout", "column", "field", "transform", "personal")
_RUNNING = "{n}"
MAX_HEADER_ROW = 50


class Source(NamedTuple):
    """The columns that give one field, in order, and how their values are read.

    Transforms: "" as the field is defined; "split:X" text of several codes joined by X; "split-any:XY"
    joined by any of these characters; "preferred" the column that is taken where others are there too;
    "hours", "days", "minutes" the unit of a duration, or several joined by "+", one for each
    column; "months" and "months-or-days" for the age in days; "newborns" weights of several
    newborns in one field or in several columns.
    """

    columns: tuple[str, ...]
    transform: str = ""


class Alias(NamedTuple):
    layout: str
    column: str
    field: str
    transform: str
    personal: bool


@dataclass(frozen=True)
class ColumnMap(Shown):
    """Canonical field -> source columns, for one layout; ``drop`` are columns with personal data.

    ``values``: field -> word of the source -> value. ``base``: a known layout that gives the fields
    which this map does not name. ``header_row``: the row of the file with the names, from 1.
    """

    layout: str
    fields: Mapping[str, Source]
    drop: tuple[str, ...] = ()
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    base: str = ""
    header_row: int = 1

    def line(self) -> str:
        """What it is, in one line."""
        return f"{self.layout}: {len(self.fields)} fields, {len(self.drop)} columns left out"

    def bind(self, header: Sequence[str]) -> ColumnMap:
        """This map with the names as ``header`` writes them and running numbers expanded.

        Raises UsageError for a column that the header lacks.
        """
        index = _Header(header)
        base = layout_map(self.base, header) if self.base else None
        fields = dict(base.fields) if base else {}
        for name, source in self.fields.items():
            found: list[str] = []
            for column in source.columns:
                names = index.find(column)
                if not names:
                    raise _no_such_column(column, name, header)
                found += [name for name in names if name not in found]
            fields[name] = source._replace(columns=tuple(found))
        columns = (*self.drop, *(base.drop if base else ()), *_private_names())
        drop = [name for column in columns for name in index.find(column)]
        used = {column for source in fields.values() for column in source.columns}
        kept = tuple(d for d in dict.fromkeys(drop) if d not in used)
        return ColumnMap(self.layout, fields, kept, self.values, header_row=self.header_row)

    def words(self, name: str, also: Iterable[str] = ()) -> WordReader:
        """The reader of a field with a list of words, with the value map of this map."""
        return WordReader(name, also, self.values.get(name))

    def translated(self, name: str, array: pa.Array) -> pa.Array:
        """A column of ``name`` with its value map applied; as it is where the map has none."""
        given = self.values.get(name)
        if not given:
            return array
        folded = {fold_word(word): value for word, value in given.items()}
        plain = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
        encoded = plain.cast(pa.string()).dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        values = [None if text is None else folded.get(fold_word(text), text) for text in texts]
        return pa.array(values, pa.string()).take(encoded.indices)

    def ambiguous(self, field: str) -> tuple[str, ...]:
        """The columns of a field that should have one column and has several; else ()."""
        source = self.fields.get(field)
        if source is None or field in LIST_FIELDS or len(source.columns) < 2:
            return ()
        if source.transform == "newborns" or "+" in source.transform:
            return ()
        return source.columns


class _Header:
    """Look-up of the columns of one file by name or by pattern."""

    def __init__(self, header: Sequence[str]) -> None:
        self._names: dict[str, str] = {}
        for name in header:
            if self._names.setdefault(fold(name), name) != name:
                raise DataError(
                    zh=f"列名重复（不分大小写）：{self._names[fold(name)]!r} 与 {name!r}",
                    en=f"two columns have the same name (case aside): "
                    f"{self._names[fold(name)]!r} and {name!r}",
                )

    def find(self, pattern: str) -> list[str]:
        folded = fold(pattern)
        if _RUNNING not in folded:
            return [self._names[folded]] if folded in self._names else []
        regex = running_number(folded)
        numbered = [(int(m[1]), name) for key, name in self._names.items() if (m := regex.fullmatch(key))]
        return [name for _, name in sorted(numbered)]


def fold(name: str) -> str:
    """A column name as it is compared."""
    return name.strip().lstrip("\ufeff").casefold()


def running_number(folded: str) -> re.Pattern[str]:
    """The pattern of a folded name with ``{n}``; group 1 is the number, of nine digits at most.

    Digits that were taken are not given back: with several ``{n}`` a search would take for ever otherwise.
    """
    return re.compile(re.escape(folded).replace(re.escape(_RUNNING), r"([0-9]{1,9}+)"))


@cache
def aliases() -> tuple[Alias, ...]:
    """All rows of the alias table, in its order."""
    table = read_table(tables_dir() / "records" / "aliases.csv", needed=_ALIAS, kind=TableError)
    return tuple(
        Alias(
            row.text("layout"),
            row.text("column"),
            row.text("field"),
            row.text("transform"),
            row.text("personal") == "yes",
        )
        for row in table
    )


@cache
def _private_names() -> tuple[str, ...]:
    return tuple(alias.column for alias in aliases() if alias.layout == "private")


def layout_map(layout: str, header: Sequence[str]) -> ColumnMap:
    """The map of a known layout for a file with this header; columns that it lacks are left out.

    Canonical names in the header give the fields for which the layout has no column.
    Raises UsageError for an unknown layout.
    """
    if layout not in LAYOUTS:
        raise UsageError(
            zh=f"未知的记录格式 {layout!r}；可用：{'、'.join(LAYOUTS)}",
            en=f"unknown layout {layout!r}; known are {', '.join(LAYOUTS)}",
        )
    index = _Header(header)
    found: dict[str, dict[str, str]] = {}
    drop: list[str] = []
    for alias in aliases():
        if alias.layout != layout:
            continue
        for name in index.find(alias.column):
            if alias.personal:
                drop.append(name)
            else:
                found.setdefault(alias.field, {}).setdefault(name, alias.transform)
    for canonical in CANONICAL:
        if canonical not in found and (names := index.find(canonical)):
            found[canonical] = {names[0]: ""}
    fields = {canonical: _source(canonical, columns) for canonical, columns in found.items()}
    return ColumnMap(layout, fields, tuple(drop)).bind(header)


def _source(field: str, columns: dict[str, str]) -> Source:
    preferred = [column for column, transform in columns.items() if transform == "preferred"]
    if preferred:
        return Source((preferred[0],))
    transforms = list(columns.values())
    if field in HOUR_FIELDS and len(columns) > 1 and all(transforms):
        return Source(tuple(columns), "+".join(transforms))
    return Source(tuple(columns), transforms[0])


def detect_layout(header: Sequence[str]) -> ColumnMap:
    """The known layout that takes most columns of ``header``, among those that find diagnoses there.

    Raises UsageError when none fits.
    """
    maps = [layout_map(layout, header) for layout in LAYOUTS]
    fitting = [candidate for candidate in maps if "diagnoses" in candidate.fields]
    if not fitting:
        names = ", ".join(header[:8]) + (" …" if len(header) > 8 else "")
        raise UsageError(
            zh=f"无法识别记录格式（列：{names}）。请运行 grouper columns FILE 生成列映射，"
            "检查后用 --columns 指定",
            en=f"the record layout is not known (columns: {names}). Run `grouper columns FILE` to get "
            "a proposed column map, check it, and name it with --columns",
        )
    return max(fitting, key=lambda m: sum(len(source.columns) for source in m.fields.values()))


def load_map(path: str | Path) -> ColumnMap:
    """Read a column map from TOML.

    Keys: ``layout`` (a name, optional), ``base`` (a known layout for all fields not named here),
    ``drop`` (columns with personal data), ``[fields]``: field = "column", ["column", …], or
    {columns = …, separator = "|", unit = "days"}, ``[values.FIELD]``: "word" = "value".
    Raises UsageError that names the key at fault.
    """
    path = Path(path)
    document = read_toml(path, flag="--columns")
    format_of(document, "columns", str(path), UsageError)
    for key in document.keys() - {"layout", "drop", "fields", "values", "base", "header_row", KEY}:
        raise _map_error(path, key, "未知的键", "unknown key")
    base = document.get("base", "")
    if base not in ("", *LAYOUTS):
        raise _map_error(path, "base", f"可用：{'、'.join(LAYOUTS)}", f"known are {', '.join(LAYOUTS)}")
    header_row = document.get("header_row", 1)
    if type(header_row) is not int or not 1 <= header_row <= MAX_HEADER_ROW:
        raise _map_error(
            path, "header_row", f"应为 1 至 {MAX_HEADER_ROW}", f"must be from 1 to {MAX_HEADER_ROW}"
        )
    fields = document.get("fields", {})
    if not isinstance(fields, dict) or not (fields or base):
        raise _map_error(path, "fields", "缺少 [fields]", "there is no [fields]")
    read = {name: _read_source(path, name, value) for name, value in fields.items()}
    return ColumnMap(
        layout=str(document.get("layout", base or path.stem)),
        fields=read,
        drop=_names(path, "drop", document.get("drop", [])),
        values=_values(path, document.get("values", {}), None if base else read.keys()),
        base=base,
        header_row=header_row,
    )


def _values(path: Path, given: Any, mapped: Iterable[str] | None) -> dict[str, dict[str, str]]:
    """The value maps; ``mapped``: the fields that the map has (None: any)."""
    if not isinstance(given, dict):
        raise _map_error(path, "values", "应为 [values.标准列]", "must be tables [values.FIELD]")
    found = {}
    for name, table in given.items():
        key = f"values.{name}"
        if name not in CANONICAL or name in (*LIST_FIELDS, *DATE_FIELDS) or _is_amount(name):
            raise _map_error(path, key, "此列不能对应取值", "this column takes no value map")
        if mapped is not None and name not in mapped:
            raise _map_error(path, key, f"[fields] 中没有 {name}", f"[fields] does not have {name}")
        if not isinstance(table, dict) or not all(isinstance(v, str | int) for v in table.values()):
            raise _map_error(path, key, '应为 "原值" = "值"', 'must be "word" = "value"')
        found[name] = {word: _text(value) for word, value in table.items()}
        for word, value in found[name].items():
            check_value(name, value, f"{path}, {key}.{word}")
    return found


def _text(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_amount(name: str) -> bool:
    return bool(pa.types.is_decimal(CANONICAL[name]))


def _read_source(path: Path, field: str, value: Any) -> Source:
    if field not in CANONICAL:
        near = difflib.get_close_matches(field, CANONICAL, 1)
        raise _map_error(
            path,
            field,
            "没有这个标准列" + (f"，是否为 {near[0]}" if near else ""),
            "there is no such canonical column" + (f"; did you mean {near[0]}" if near else ""),
        )
    if not isinstance(value, dict):
        return Source(_names(path, field, value))
    for key in value.keys() - {"columns", "separator", "unit"}:
        raise _map_error(path, f"{field}.{key}", "未知的键", "unknown key")
    columns = _names(path, f"{field}.columns", value.get("columns"))
    if "separator" in value and field in LIST_FIELDS:
        return Source(columns, _split(path, field, value["separator"]))
    if "unit" in value:
        return Source(columns, _unit(path, field, str(value["unit"]), len(columns)))
    if "separator" in value:
        raise _map_error(path, f"{field}.separator", "只用于列表字段", "only list fields have one")
    return Source(columns)


def _split(path: Path, field: str, separator: Any) -> str:
    """The transform of a separator, or of a list of characters of which any separates."""
    if isinstance(separator, str) and separator:
        return f"split:{separator}"
    if isinstance(separator, list) and all(isinstance(s, str) and len(s) == 1 for s in separator):
        return f"split-any:{''.join(separator)}"
    raise _map_error(
        path,
        f"{field}.separator",
        "应为文本或单个字符的列表",
        "must be a text, or a list of single characters",
    )


def _unit(path: Path, field: str, unit: str, columns: int) -> str:
    if field == "age_days" and unit in ("days", "months"):
        return unit
    parts = unit.split("+")
    if field in HOUR_FIELDS and all(part in UNITS for part in parts) and len(parts) == columns:
        return unit
    raise _map_error(
        path,
        f"{field}.unit",
        "age_days 可用 days、months；时长可用 days、hours、minutes，多列时用 + 连接，每列一个",
        "age_days takes days or months; durations take days, hours, minutes, "
        "joined by + for several columns, one for each",
    )


def _names(path: Path, key: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value) and (value or key == "drop"):
        return tuple(value)
    raise _map_error(path, key, "应为列名或列名列表", "must be a column name or a list of them")


def _map_error(path: Path, key: str, zh: str, en: str) -> UsageError:
    return UsageError(zh=f"列映射 {path}，{key}：{zh}", en=f"column map {path}, {key}: {en}")


def _no_such_column(column: str, field: str, header: Sequence[str]) -> UsageError:
    near = difflib.get_close_matches(column, header, 1)
    return UsageError(
        zh=f"列映射中 {field} 的来源列 {column!r} 不在文件中"
        + (f"（是否为 {near[0]!r}）" if near else "")
        + "；请修改 --columns 的文件；几个文件的列不同的，grouper settle 用 --inputs 逐个写明列映射",
        en=f"the column map takes {field} from column {column!r}, which the file does not have"
        + (f" (did you mean {near[0]!r})" if near else "")
        + "; change the file given to --columns. Where files have different columns, "
        "`grouper settle --inputs` takes a map for each",
    )
