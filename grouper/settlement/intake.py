"""The door: every input file is opened alone, read, made canonical and grouped; all rows come out, in order.

Nothing is judged here. What a value could not be read as is named in ``fault`` ("bad-amount:total_cost"),
and settlement.validate decides what becomes of the row. Names and addresses have no canonical column, so
they end here; person ids may be replaced by a keyed hash.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import DataError, UsageError
from grouper.grouping.family import families
from grouper.records import ColumnMap, Normaliser, RecordSource, open_records, scalars
from grouper.records.columns import fold
from grouper.records.damage import readable
from grouper.records.missing import missing_fields
from grouper.records.normalise import MAX_AGE, MAX_STAY
from grouper.records.schema import CANONICAL
from grouper.records.values import Parser, integer
from grouper.records.words import flag, whole_number, word_fields
from grouper.settlement import tables

if TYPE_CHECKING:
    from grouper.grouping.api import Grouper

Progress = Callable[[int, int | None], None]
_BATCH = 131_072
_TEXT_FILES = frozenset({".csv", ".tsv", ".txt", ".jsonl", ".ndjson"})
_SAMPLE = 1 << 20
TEXTS = (
    "record_id", "settlement_id", "visit_id", "person_id", "record_no", "hospital_code", "hospital_level",
    "insurance_type", "region_code", "region_of_treatment", "department", "admission_type", "payment_method",
)  # fmt: skip
DATES = ("admission_date", "discharge_date", "settlement_date")
AMOUNTS = (
    "total_cost", "own_expense", "self_pay_first", "deductible", "in_scope_amount", "pool_paid",
    "pool_paid_before", "fund_paid", "serious_illness_paid", "medical_aid_paid", "civil_servant_paid",
    "large_amount_paid", "account_paid", "cash_paid", "drug_cost", "consumable_cost", "service_cost",
)  # fmt: skip
NUMBERS = {
    "age_years": integer(0, MAX_AGE, "周?岁"),
    "los_days": integer(0, MAX_STAY, "天|日"),
}
# What schemes read beside: kept so that a lake can be grouped again by another scheme.
GROUPED_BY = ("sex", "age_days", "birth_weight_g", "admission_weight_g", "icu_hours")
WORDS = frozenset(word_fields())
FLAGS = ("refund_flag", "valid_flag", "interim_flag")
_ORIGINALS = ("refund_of", "orig_setl_id", "refd_setl_id", "原结算id")  # no canonical name; folded
# Warnings of grouping that are told of a month as well.
MARKS = ("principal-grey", "principal-not-for-grouping", "procedure-not-for-grouping")
_YUAN = pa.decimal128(18, 2)
_NO_TEXT = pa.scalar(None, pa.string())

_BEFORE = pa.schema(
    [("n", pa.int64()), ("input_file", pa.string()), ("input_row", pa.int64()), ("role", pa.string())]
    + [(name, pa.string()) for name in TEXTS]
    + [("refund_of", pa.string())]
    + [(name, pa.date32()) for name in DATES]
    + [(name, _YUAN) for name in AMOUNTS]
    + [(name, pa.int32()) for name in NUMBERS]
    + [(name, CANONICAL[name]) for name in GROUPED_BY]
    + [("discharge_way", pa.int32())]
    + [(name, pa.bool_()) for name in FLAGS]
    + [("diagnoses", pa.list_(pa.string())), ("procedures", pa.list_(pa.string()))]
)


def grouped_columns() -> dict[str, pa.DataType]:
    """The result columns of grouping that are kept, of all families, with their types."""
    found: dict[str, pa.DataType] = {}
    for each in families():
        found |= each.settled()
    return {**found, "status": pa.string(), "reason": pa.string()}


def row_schema() -> pa.Schema:
    """The columns of the rows of all input files."""
    grouped = [pa.field(name, type_) for name, type_ in grouped_columns().items()]
    return pa.schema([*_BEFORE, *grouped, pa.field("fault", pa.string())])


@dataclass(frozen=True)
class Reading:
    """How input files are read; the options of ``open_records``. ``key``: of the hash of person ids.

    ``also``: words of a field that the policy knows beside the official ones. ``needed``: columns that
    each file must have for the policy.
    """

    columns: ColumnMap | None = None
    layout: str | None = None
    input_format: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    key: bytes | None = None
    also: Mapping[str, frozenset[str]] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    header_row: int | None = None


class InputFile(NamedTuple):
    """A file with settlement lists: its role, how it is read, and its name in tables and messages."""

    role: str
    path: str
    reading: Reading
    name: str


@dataclass
class Taken:
    """What came in: rows by role, what normalisation changed, and which canonical columns some file has.

    ``unknown``: (column, word) that nobody knows -> rows. ``codes``: what was found of codes
    ("diagnosis:unknown") -> how often; ``all_codes``: how many codes there are.
    """

    rows: Counter[str]
    changed: Counter[str]
    present: set[str]
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    all_codes: int = 0


def read_files(
    files: Sequence[InputFile],
    grouper: Grouper,
    output: Path,
    progress: Progress | None = None,
) -> Taken:
    """Write all rows of ``files`` into ``output`` in canonical columns.

    Raises UsageError or DataError that names the file; what files lack is told of all of them at once.
    """
    taken = Taken(Counter(), Counter(), set())

    def batches() -> Iterator[pa.RecordBatch]:
        done = 0
        total = None
        for number, each in enumerate(files):
            with _opened(each) as source:
                try:
                    work = _File(source, grouper, each)
                except UsageError as error:
                    raise _with_the_rest(error, files[number + 1 :], grouper) from error
                if progress:
                    total = _all_rows(source, [file.path for file in files], number, done)
                    progress(done, total)
                for batch in source.batches():
                    made = work.canonical(batch, done)
                    done += made.num_rows
                    taken.rows[each.role] += made.num_rows
                    yield made
                    if progress:
                        progress(done, total)
                taken.changed += work.counts
                taken.present |= work.present
                taken.unknown += work.unknown
                taken.codes += work.codes
                taken.all_codes += work.all_codes

    tables.write(output, row_schema(), batches(), scratch=True)
    return taken


def _with_the_rest(error: UsageError, others: Sequence[InputFile], grouper: Grouper) -> UsageError:
    """What one file lacks, and what those after it lack, so that all is mended at once."""
    zh, en = [error.zh], [error.en]
    for each in others:
        try:
            with _opened(each) as source:
                _File(source, grouper, each)
        except UsageError as further:
            zh.append(further.zh)
            en.append(further.en)
    return UsageError(zh="\n".join(zh), en="\n".join(en))


def _all_rows(source: RecordSource, paths: Sequence[str], number: int, before: int) -> int | None:
    """About how many rows the files have: ``before`` and those of the one now open, and as many by its
    bytes in those that follow. None where the open file does not tell."""
    here = source.num_rows if source.num_rows is not None else _lines(Path(paths[number]))
    if here is None:
        return None
    sizes = [Path(path).stat().st_size if Path(path).is_file() else 0 for path in paths]
    opened, rest = sum(sizes[: number + 1]), sum(sizes[number + 1 :])
    return before + here + (rest * (before + here) // opened if opened else 0)


def _lines(path: Path) -> int | None:
    """About how many rows a text file has, by the lines of its beginning; None for other files."""
    if not path.is_file() or path.suffix.lower() not in _TEXT_FILES:
        return None
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    lines = max(sample.count(b"\n"), 1)
    return max(lines * path.stat().st_size // max(len(sample), 1) - 1, 1)  # one is the header


def _opened(file: InputFile) -> RecordSource:
    reading = file.reading
    return open_records(
        [file.path], layout=reading.layout, columns=reading.columns, file_format=reading.input_format,
        encoding=reading.encoding, sheet=reading.sheet, header_row=reading.header_row, batch_rows=_BATCH,
    )  # fmt: skip


class _File:
    """One input file on its way to canonical columns."""

    def __init__(self, source: RecordSource, grouper: Grouper, file: InputFile) -> None:
        reading = file.reading
        self.map, self.schema, self.grouper = source.columns, source.schema, grouper
        self.key, self.role, self.name = reading.key, file.role, file.name
        self.counts: Counter[str] = Counter()
        self.rows = 0
        self.codes: Counter[str] = Counter()
        self.all_codes = 0
        self.present: set[str] = set()
        self.unknown: Counter[tuple[str, str]] = Counter()
        self.also = reading.also
        self.stay = grouper.options.stay
        self.rows_schema, self.grouped = row_schema(), grouped_columns()
        self.normaliser: Normaliser = self._checked(reading)
        self.beside = self.normaliser.beside(self.schema, GROUPED_BY)

    def _checked(self, reading: Reading) -> Normaliser:
        """The normaliser, when this file has all that the scheme and the policy need; all is told at once."""
        kept = {*self.rows_schema.names} - {*self.grouped}
        needed = [name for name in reading.needed if name in kept]
        if "settlement_id" in self.map.fields:
            needed = [name for name in needed if name != "record_id"]
        try:
            made = self._normaliser(reading)
            derived = [name for name in needed if made.makes(name)]
            wrong = None
        except UsageError as error:
            derived, wrong = ["los_days", "age_years"], error
        missing = missing_fields(self.map, self.schema.names, [n for n in needed if n not in derived])
        if wrong is None and not missing:
            return made
        zh, en = (f"{self.name}：{wrong.zh}", f"{self.name}: {wrong.en}") if wrong else ("", "")
        if missing:
            free = " ".join(f"--allow-missing {m.field}" for m in missing)
            zh += f"\n{self.name} 缺少支付政策需要的列：{'；'.join(m.zh for m in missing)}；"
            zh += f"请用 --columns 指明来源列，确无此列时可用 {free}"
            en += f"\n{self.name} lacks columns that the policy reads: {'; '.join(m.en for m in missing)}; "
            en += f"name their sources with --columns, or go on without by {free}"
        raise UsageError(zh=zh.strip(), en=en.strip())

    def _normaliser(self, reading: Reading) -> Normaliser:
        from dataclasses import replace

        from grouper.grouping.api import Grouper

        # results never meet the input's own columns of the same names, so a prefix is of no use here
        apart = Grouper(self.grouper.engine, replace(self.grouper.options, prefix="grouped__"))
        return apart.normaliser(self.map, self.schema)

    def canonical(self, batch: pa.RecordBatch, before: int) -> pa.RecordBatch:
        """The rows of ``batch`` in the columns of ``row_schema``; ``before``: rows of all files before it."""
        rows = batch.num_rows
        try:
            prepared = self.normaliser.prepare(batch, self.rows)
        except UsageError as error:
            raise UsageError(zh=f"{self.name} {error.zh}", en=f"{self.name}, {error.en}") from error
        grouped = self.grouper.engine.group(prepared.batch, prepared.flags)
        self.counts += prepared.counts
        self.codes += grouped.codes + _marked(self.grouper.engine.result_fields, grouped.columns)
        for name in ("diagnoses", "procedures"):
            lists = prepared.batch.column(name)
            self.all_codes += len(lists.flatten()) if pa.types.is_list(lists.type) else 0
        made: dict[str, pa.Array] = {
            "n": _counting(before, rows),
            "input_file": pa.repeat(self.name, rows),
            "input_row": _counting(self.rows + 1, rows),
            "role": pa.repeat(self.role, rows),
        }
        self.rows += rows
        faults: list[tuple[str, pa.Array | None]] = []
        for name in (*TEXTS, *DATES, *AMOUNTS, *NUMBERS, "discharge_way", *FLAGS):
            made[name] = self._field(batch, name, faults)
        faults.sort(key=lambda fault: fault[0] == "bad-value:hospital_level")  # it may do no harm
        made["refund_of"] = self._original(batch)
        for name, column in zip(prepared.batch.schema.names, prepared.batch.columns, strict=True):
            if name in ("diagnoses", "procedures", *GROUPED_BY) or (
                name in NUMBERS and self.normaliser.makes(name)
            ):
                made[name] = column
        made |= self.normaliser.more(batch, self.beside)
        if self.stay != "given" and not self.normaliser.makes("los_days"):
            made["los_days"] = self._stay(made)  # the scheme does not read it, but payment may
        for item, column in zip(self.grouper.engine.result_fields, grouped.columns, strict=True):
            if item.name in self.grouped:
                made[item.name] = column
        made["fault"] = _first(faults, rows)
        self.present |= {name for name, array in made.items() if array is not None}
        arrays = [_as(made.get(item.name), item.type, rows) for item in self.rows_schema]
        return pa.RecordBatch.from_arrays(arrays, schema=self.rows_schema)

    def _stay(self, made: Mapping[str, pa.Array | None]) -> pa.Array | None:
        """The stay from the dates, where both are there; else as it is given."""
        first, last, given = (made[name] for name in ("admission_date", "discharge_date", "los_days"))
        if first is None or last is None:
            return given
        days = pc.days_between(first, last)
        stay = pc.max_element_wise(days, 1, skip_nulls=False) if self.stay == "nights" else pc.add(days, 1)
        stay = pc.if_else(pc.greater_equal(days, 0), stay, None).cast(pa.int32())
        return stay if given is None else pc.coalesce(stay, given.cast(pa.int32()))

    def _field(
        self, batch: pa.RecordBatch, name: str, faults: list[tuple[str, pa.Array | None]]
    ) -> pa.Array | None:
        source = self.map.fields.get(name)
        if source is None or self.map.ambiguous(name) or source.columns[0] not in batch.schema.names:
            return None
        array = batch.column(source.columns[0])
        with readable(source.columns[0], name, array.type, self.name):
            return self._typed(array, name, faults)

    def _typed(self, array: pa.Array, name: str, faults: list[tuple[str, pa.Array | None]]) -> pa.Array:
        if name in WORDS:
            return self._word(array, name, faults)
        array = self.map.translated(name, array)
        if name in DATES:
            column = scalars.dates(array, self.counts, name)
            faults.append((f"bad-date:{name}", column.bad))
            return column.values
        if name in AMOUNTS:
            return self._amount(array, name, faults)
        if name in NUMBERS:
            top = MAX_AGE if name == "age_years" else MAX_STAY
            return scalars.integers(array, 0, top, NUMBERS[name], self.counts, name).values
        return self._text(array, name)

    def _word(self, array: pa.Array, name: str, faults: list[tuple[str, pa.Array | None]]) -> pa.Array:
        """A column of words; a word that neither the list nor the policy knows is a fault."""
        read: Parser = self.map.words(name, self.also.get(name, ()))
        type_ = pa.string()
        if name in FLAGS:
            read, type_ = flag(read), pa.bool_()
        elif name == "discharge_way":
            read, type_ = whole_number(read), pa.int32()
        texts = scalars.texts(array)
        column = scalars.parsed(texts, read, type_, self.counts, name)
        if column.bad is not None:
            found = pc.value_counts(scalars.plain(texts).filter(column.bad)).to_pylist()
            self.unknown.update({(name, entry["values"]): entry["counts"] for entry in found})
        faults.append((f"bad-value:{name}", column.bad))
        return column.values

    def _amount(self, array: pa.Array, name: str, faults: list[tuple[str, pa.Array | None]]) -> pa.Array:
        column = scalars.money(array, self.counts, name)
        faults.append((f"bad-amount:{name}", column.bad))
        return column.values

    def _text(self, array: pa.Array, name: str) -> pa.Array:
        texts = _plain(array, name, self.name)
        if name == "person_id" and self.key is not None:
            key = self.key
            return _by_value(texts, lambda value: hmac.new(key, value.encode(), "sha256").hexdigest())
        return texts

    def _original(self, batch: pa.RecordBatch) -> pa.Array | None:
        """The settlement that a refund takes back, where the file says so."""
        source = self.map.fields.get("refund_of")
        if source is not None and not self.map.ambiguous("refund_of"):
            return _plain(batch.column(source.columns[0]), "refund_of", self.name)
        for name in batch.schema.names:
            if fold(name) in _ORIGINALS:
                return _plain(batch.column(name), name, self.name)
        return None


def _marked(fields: Sequence[pa.Field], columns: Sequence[pa.Array]) -> Counter[str]:
    """Rows whose principal diagnosis or main operation is grey or not used for grouping, by the warning."""
    found: Counter[str] = Counter()
    for item, column in zip(fields, columns, strict=True):
        if item.name.removeprefix("grouped__") == "warnings":
            for entry in pc.value_counts(column.cast(pa.string())).to_pylist():
                found.update(
                    {f"row:{name}": entry["counts"] for name in MARKS if name in (entry["values"] or "")}
                )
    return found


def _plain(array: pa.Array, name: str, file: str) -> pa.Array:
    """Ids and codes as texts without blanks; whole numbers as they are written."""
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_floating(kind):
        whole = pc.equal(pc.floor(array), array)
        if pc.all(whole).as_py() is False or (pc.max(pc.abs(array)).as_py() or 0) >= 2**53:
            raise DataError(
                zh=f"{file}：列 {name} 是小数，不能作标识；请以文本重新导出",
                en=f"{file}: column {name} holds decimals, which name nothing; export it again as text",
            )
        array = array.cast(pa.int64())
    text = array.cast(pa.string())
    trimmed = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.equal(trimmed, ""), _NO_TEXT, trimmed)


def _by_value(array: pa.Array, made: Callable[[str], str]) -> pa.Array:
    """``made`` of every distinct text, put back in place."""
    encoded = array.dictionary_encode()
    values = [None if value is None else made(value) for value in encoded.dictionary.to_pylist()]
    return pa.array(values, pa.string()).take(encoded.indices)


def _first(faults: Sequence[tuple[str, pa.Array | None]], rows: int) -> pa.Array:
    """The name of the first fault of each row, null where there is none."""
    found = pa.nulls(rows, pa.string())
    for name, bad in faults:
        if bad is not None and pc.any(bad).as_py():
            here = pc.if_else(pc.fill_null(bad, False), pa.scalar(name), _NO_TEXT)
            found = pc.coalesce(found, here)
    return found


def _counting(first: int, rows: int) -> pa.Array:
    return pa.arange(first, first + rows)


def _as(array: Any, kind: pa.DataType, rows: int) -> pa.Array:
    if array is None:
        return pa.nulls(rows, kind)
    if pa.types.is_list(kind):
        return pa.array(array).cast(kind) if not isinstance(array, pa.Array) else array.cast(kind)
    return array if array.type == kind else array.cast(kind)
