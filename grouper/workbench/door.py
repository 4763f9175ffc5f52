"""The door of the workbench: any JSON-like value becomes one record, and it is told what became of it.

Nothing raises for what a record holds. Personal data stop here: columns by their names, and texts that are
identity or mobile numbers. What is not understood is left out and named, never guessed.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import pyarrow as pa

from grouper.base.errors import DataError, GrouperError
from grouper.base.reasons import REASONS, Flag
from grouper.grouping.one import known_layout, message_batch, numbered, one_row, prepared_row
from grouper.payment.explain.row import typed
from grouper.payment.price.inputs import GROUPED, INPUTS
from grouper.records import private
from grouper.records.columns import ColumnMap, Source, aliases, fold
from grouper.records.normalise import NormaliseOptions, Normaliser
from grouper.records.notes import describe
from grouper.records.propose import field_named
from grouper.records.schema import CANONICAL, DATE_FIELDS, GROUPING_FIELDS, LIST_FIELDS
from grouper.records.settlement_list import message_nodes
from grouper.records.stays import FIELDS as AT_GATE

_LONGEST = 40  # characters of a name that are told
_MOST = 500  # columns, and codes of a column, that are looked at
_CODE_KEYS = ("diag_code", "oprn_oprt_code", "code", "编码")
_MADE = frozenset({*GROUPED, "group", "principal", "hospital_cases", "area_cases", "readmitted_after"})
PAID = tuple(name for name in INPUTS if name not in _MADE and name not in LIST_FIELDS)  # a record may give
_READ = frozenset((*GROUPING_FIELDS, *PAID, *AT_GATE, "birth_date"))
_SECRET = frozenset({"person_id", "record_no", "birth_date", "visit_id", "refund_of"})  # read, not told again
_NONE = "no diagnoses"  # a column of a record that has none
_SCALARS = (str, int, float, Decimal, date)


class Note(NamedTuple):
    """Something done to a record: ``code`` names what, ``field`` where, and both languages say it."""

    code: str
    field: str
    zh: str
    en: str

    def as_dict(self, lang: str) -> dict[str, str]:
        return {"code": self.code, "field": self.field, "text": self.en if lang == "en" else self.zh}


@dataclass(frozen=True)
class Entered:
    """One record inside. ``batch``: its columns that are read, ``columns``: which fields they give.
    ``given``: what payment and the gate read, by canonical name. ``dropped``: what was left outside.
    ``checkable``: ``columns`` with the fields that only the checks read."""

    columns: ColumnMap
    batch: pa.RecordBatch
    given: Mapping[str, Any]
    notes: tuple[Note, ...]
    dropped: tuple[Note, ...]
    checkable: ColumnMap

    def prepared(self, required: tuple[str, ...], options: NormaliseOptions) -> dict[str, Any]:
        """The canonical fields and flags, as a file with this one row would give them to a scheme."""
        return prepared_row(_Reader(required, options), self.columns, self.batch)

    def fields(self, options: NormaliseOptions) -> tuple[dict[str, Any], list[Note]]:
        """The fields as they are understood, and notes on what was changed or cannot be used."""
        made = Normaliser(self.columns, GROUPING_FIELDS, options, GROUPING_FIELDS)
        prepared = made.prepare(self.batch)
        found = {**self.given, **prepared.batch.to_pylist()[0]}
        flags = Flag(prepared.flags[0].as_py())
        notes = [_of_reason(flag) for flag in flags]
        notes += [Note(name, "", describe(name, "zh"), describe(name, "en")) for name in prepared.counts]
        told = {n: v for n, v in found.items() if n not in _SECRET and v is not None}
        return told, notes


class _Reader(NamedTuple):
    required: tuple[str, ...]
    normalise_options: NormaliseOptions


def enter(record: Any, hospital: Mapping[str, Any] | None = None) -> Entered:
    """Let one record in. ``record``: values by column names of any known layout, a list of one such, or a
    4101 message; anything else is told as none. ``hospital``: columns of its hospital, for those that it
    lacks."""
    return _Door().enter(record, hospital or {})


@dataclass
class _Door:
    notes: list[Note] = field(default_factory=list)
    dropped: list[Note] = field(default_factory=list)

    def enter(self, record: Any, hospital: Mapping[str, Any]) -> Entered:
        if isinstance(record, list | tuple) and len(record) == 1:
            record = record[0]
        if not isinstance(record, Mapping):
            self.notes.append(
                Note("no-record", "", "不是一条记录（对象）", "this is not one record (an object)")
            )
            record = {}
        found = self._message(record)
        if found is None:
            found = self._flat({**_named(hospital), **_named(record)})
            extra: dict[str, Any] = {}
        else:
            extra = {n: v for n, v in _named(hospital).items() if n in PAID and isinstance(v, _SCALARS)}
        columns, batch = self._without_numbers_of_persons(*found)
        seen = {name: source for name, source in columns.fields.items() if name not in _READ}
        columns, batch = self._usable(columns, batch)
        given = self._given(columns, batch) | extra
        checkable = replace(columns, fields={**seen, **columns.fields})
        return Entered(columns, batch, self._typed(given), tuple(self.notes), tuple(self.dropped), checkable)

    def _drop(self, code: str, name: str, zh: str, en: str) -> None:
        told = name[:_LONGEST].encode("utf-8", "replace").decode()
        self.dropped.append(Note(code, told, zh, en))

    # --- a message, or flat columns -------------------------------------------------------

    def _message(self, record: Mapping[str, Any]) -> tuple[ColumnMap, pa.RecordBatch] | None:
        try:
            if message_nodes(_named(record)) is None:
                return None
            columns, batch = message_batch(record)
        except GrouperError as error:
            self.notes.append(Note("message", "", error.zh, error.en))
            return self._flat({})
        except (ValueError, TypeError, AttributeError, RecursionError, pa.ArrowException):
            self.notes.append(Note("message", "", "4101 消息无法读取", "the 4101 message cannot be read"))
            return self._flat({})
        for name in columns.drop:
            self._drop("personal", name, "个人信息", "personal data")
        return columns, batch

    def _flat(self, record: Mapping[str, Any]) -> tuple[ColumnMap, pa.RecordBatch]:
        kept: dict[str, pa.Array] = {}
        seen: set[str] = set()
        for name, value in list(record.items())[:_MOST]:
            if value is None or value == "":
                continue
            if fold(name) in seen:
                self._drop("twice", name, "同一列给了两次，取第一个", "given twice; the first counts")
            elif (array := self._column(name, value)) is not None:
                kept[name] = array
                seen.add(fold(name))
        names = tuple(kept)
        try:
            columns = known_layout(names)
        except GrouperError:
            kept["diagnoses"] = pa.array([[]], pa.list_(pa.string()))
            columns = known_layout((*names, "diagnoses"))
        for name in columns.drop:
            self._drop("personal", name, "个人信息", "personal data")
            kept.pop(name, None)
        return columns, pa.RecordBatch.from_pydict(kept)

    def _column(self, name: str, value: Any) -> pa.Array | None:
        if not self._known(name):
            return None
        cell = self._list(name, value) if isinstance(value, list | tuple) else value
        if isinstance(cell, bool):
            cell = str(cell).lower()
        if not isinstance(cell, (list, *_SCALARS)):
            self._drop("unreadable", name, "值的类型无法读取", "the value is of a type that cannot be read")
            return None
        try:
            return one_row(cell)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            self._drop("unreadable", name, "值无法读取", "the value cannot be read")
            return None

    def _known(self, name: str) -> bool:
        """Whether some layout knows a column; whoever does not is told why it stays outside."""
        folded = fold(name)
        if folded in _names():
            return True
        if folded in _personal():
            self._drop("personal", name, "个人信息", "personal data")
            return False
        if kind := private.kind_of_name(name):
            zh, en = private.KINDS[kind]
            self._drop("personal", name, f"个人信息（{zh}）", f"personal data ({en})")
            return False
        if numbered(name):
            return True
        if field := field_named(name):  # a label of papers: it belongs to no layout
            self._drop("unknown", name, f"不认识的字段，请写 {field}", f"not known; write {field}")
            return False
        if any(not part.isalnum() and part not in "_ -（）()." for part in name) or len(name) > _LONGEST:
            near: list[str] = []
        else:
            near = difflib.get_close_matches(folded, _canonical(), 1, cutoff=0.6)
        self._drop(
            "unknown",
            name,
            "不认识的字段" + (f"，是否为 {near[0]}" if near else ""),
            "not known" + (f"; did you mean {near[0]}" if near else ""),
        )
        return False

    def _list(self, name: str, value: list[Any] | tuple[Any, ...]) -> list[str] | None:
        """The texts of a list; of entries that are objects, their codes."""
        if fold(name) not in LIST_FIELDS:
            return None
        found = []
        for entry in value[:_MOST]:
            if isinstance(entry, Mapping):
                entry = next((entry[key] for key in _CODE_KEYS if isinstance(entry.get(key), str)), None)
            if entry is None:
                found.append("")
            elif isinstance(entry, str) and _encodes(entry):
                found.append(entry)
            else:
                found.append("")  # its place stays: nobody moves up to the principal diagnosis
                self._drop(
                    "code", name,
                    "有一项不是编码文本（数值会丢失零），按空编码处理",
                    "an entry is no text of a code (a number loses its zeros); taken as blank",
                )  # fmt: skip
        return found

    # --- what may stay --------------------------------------------------------------------

    def _without_numbers_of_persons(
        self, columns: ColumnMap, batch: pa.RecordBatch
    ) -> tuple[ColumnMap, pa.RecordBatch]:
        texts = [f.name for f in batch.schema if private.could_hold(f.type) and not _number(f.type)]
        found = private.by_values(batch, texts)
        for name, kind in found.items():
            zh, en = private.KINDS[kind]
            self._drop("personal", name, f"个人信息（{zh}）", f"personal data ({en})")
        if not found:
            return columns, batch
        return _less(columns, found), batch.drop_columns(list(found))

    def _usable(self, columns: ColumnMap, batch: pa.RecordBatch) -> tuple[ColumnMap, pa.RecordBatch]:
        """The map without fields that no column, several, or one of a wrong type would give."""
        here = set(batch.schema.names)
        fields: dict[str, Source] = {}
        for name, source in columns.fields.items():
            if name not in _READ or not here.issuperset(source.columns):
                continue
            if several := columns.ambiguous(name):
                source = source._replace(columns=several[:1])
                for other in several[1:]:
                    self._drop("twice", other, f"{name} 已由 {several[0]} 给出", f"{several[0]} gives {name}")
            fields[name] = source
        if "diagnoses" not in fields:
            batch = _with_no_diagnoses(batch)
            fields["diagnoses"] = Source((_NONE,))
        columns = replace(columns, fields=fields)
        if _wrong(columns, batch) is None:
            return columns, batch
        for name in [name for name in fields if name in (*GROUPING_FIELDS, *DATE_FIELDS)]:
            wrong = _wrong_field(columns, name, batch)
            if wrong is not None:
                self._drop("unreadable", fields.pop(name).columns[0], wrong.zh, wrong.en)
        if "diagnoses" not in fields:
            batch = _with_no_diagnoses(batch)
            fields["diagnoses"] = Source((_NONE,))
        return replace(columns, fields=fields), batch

    def _given(self, columns: ColumnMap, batch: pa.RecordBatch) -> dict[str, Any]:
        """What payment and the gate read, by canonical name."""
        row = batch.to_pylist()[0] if batch.num_rows else {}
        given = {fold(n): v for n, v in row.items() if fold(n) in PAID and fold(n) not in CANONICAL}
        for name, source in columns.fields.items():
            plain = len(source.columns) == 1 and not source.transform and name not in LIST_FIELDS
            if plain and (name in PAID or name in AT_GATE):
                given[name] = row[source.columns[0]]
        return {name: value for name, value in given.items() if value is not None}

    def _typed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of payment that can be read as what they are."""
        found = {}
        for name, value in given.items():
            try:
                if name in INPUTS and INPUTS[name].kind in ("money", "decimal", "int"):
                    typed(name, value)
                found[name] = value
            except DataError as error:
                self._drop("unreadable", name, error.zh, error.en)
        return found


def _encodes(text: str) -> bool:
    """Whether a text is one at all: half of a surrogate pair is none."""
    try:
        text.encode()
        return True
    except UnicodeEncodeError:
        return False


def _named(record: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in record.items()}


def _number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _less(columns: ColumnMap, names: Mapping[str, str]) -> ColumnMap:
    fields = {n: s for n, s in columns.fields.items() if not names.keys() & set(s.columns)}
    return replace(columns, fields=fields)


def _with_no_diagnoses(batch: pa.RecordBatch) -> pa.RecordBatch:
    if _NONE in batch.schema.names:
        return batch
    none = pa.array([[]], pa.list_(pa.string()))
    return pa.RecordBatch.from_arrays([*batch.columns, none], names=[*batch.schema.names, _NONE])


def _wrong(columns: ColumnMap, batch: pa.RecordBatch) -> GrouperError | None:
    """Why a file with these columns would be refused."""
    made = Normaliser(columns, GROUPING_FIELDS, NormaliseOptions(), GROUPING_FIELDS)
    try:
        made.check(batch.schema)
        made.prepare(batch)
    except GrouperError as error:
        return error
    except pa.ArrowException:
        return DataError(zh="值的类型无法读取", en="the value is of a type that cannot be read")
    return None


def _wrong_field(columns: ColumnMap, name: str, batch: pa.RecordBatch) -> GrouperError | None:
    """Why a file would be refused for the column of one field; of a date, for all that is derived from it."""
    fields = {name: columns.fields[name], "diagnoses": Source((_NONE,))}
    if name in DATE_FIELDS:
        fields |= {n: columns.fields[n] for n in DATE_FIELDS if n in columns.fields}
    if name == "diagnoses":
        fields = {name: columns.fields[name]}
    return _wrong(replace(columns, fields=fields), _with_no_diagnoses(batch))


def _of_reason(flag: Flag) -> Note:
    code = (flag.name or "").lower().replace("_", "-")
    reason = next(item for item in REASONS if item.code == code)
    return Note(code, code.removeprefix("bad-"), reason.zh, reason.en)


@cache
def _canonical() -> tuple[str, ...]:
    return (*CANONICAL, *PAID)


@cache
def _names() -> frozenset[str]:
    """The folded names of all columns that some layout knows."""
    known = (fold(a.column) for a in aliases() if a.layout not in ("label", "private") and not a.personal)
    return frozenset((*_canonical(), *known))


@cache
def _personal() -> frozenset[str]:
    return frozenset(fold(a.column) for a in aliases() if a.personal or a.layout == "private") - _names()
