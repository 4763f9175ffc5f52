"""``grouper simulate``: a file of stays grouped and priced, summed up in one workbook and one page."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from grouper.base.errors import GrouperError, UsageError
from grouper.base.leftovers import clear, tag
from grouper.base.machine import peak_rss_mib
from grouper.base.output import SCRATCH, Output
from grouper.base.paths import local_path
from grouper.base.provenance import read as read_provenance
from grouper.base.sql import parquet_schema
from grouper.base.whole import refuse_input
from grouper.fitting.sums import workspace
from grouper.grouping.files import group_files
from grouper.payment.price.accepted import required_columns
from grouper.payment.price.inputs import INPUTS, Files
from grouper.payment.price.pricing import Priced, price_files
from grouper.records.columns import detect_layout
from grouper.records.stays import Gate
from grouper.report.numbers import OF_METHODS, Lang
from grouper.workbench.loaded import policy_ids
from grouper.workbench.missing import mend as how_to_write
from grouper.workbench.plain import label_of
from grouper.workbench.simulate.book import write_book, write_cases
from grouper.workbench.simulate.cases import make_cases
from grouper.workbench.simulate.facts import facts_of, origin_of, title_of
from grouper.workbench.simulate.mend import mend
from grouper.workbench.simulate.page import write_page
from grouper.workbench.simulate.peers import peers
from grouper.workbench.simulate.result import Simulation
from grouper.workbench.simulate.tables import Reader

if TYPE_CHECKING:
    from grouper.grouping.api import Grouper
    from grouper.payment.policy.policy import Policy
    from grouper.records import ColumnMap

Progress = Callable[[int, int | None], None]
LISTED = 200_000  # rows up to which the list of cases is a workbook; a longer one is Parquet
_BATCH = 131_072
_OF_ONE = ("record_id", "person_id", "total_cost", "principal", "group", "status", "reason")  # each row's own
_CONSTANTS = tuple(
    name for name, spec in INPUTS.items() if spec.kind not in ("window", "list") and name not in _OF_ONE
)


def simulate(
    grouper: Grouper,
    inputs: Sequence[str | Path],
    policy: Policy,
    folder: str | Path,
    *,
    scheme: str = "",
    lake: str | Path | None = None,
    area: str = "",
    as_of: date | None = None,
    hospitals: str | None = None,
    constants: Mapping[str, str] | None = None,
    ward: str | None = None,
    layout: str | None = None,
    columns: ColumnMap | None = None,
    input_format: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    interim: str = "hold",
    scheme_differs: bool = False,
    memory: str = "2GiB",
    threads: int = 2,
    lang: str = "zh",
    progress: Progress | None = None,
    shared: bool = False,
) -> Simulation:
    """Group and price files of stays as ``group`` and ``pay`` do, and write a workbook, a page and the list
    of all rows into ``folder``.

    ``scheme``: the name by which ``grouper`` was loaded, where it is not the policy's. ``constants``: columns
    that the input lacks, with the one value of all rows. ``hospitals``, ``as_of``, ``interim``,
    ``scheme_differs``: as in ``pay``. ``ward``: the column of wards. ``lake``, ``area``: peers.
    Cases whose funds are not settled have the amount due as their income, told as an estimate. Memory is
    bounded by a batch and ``memory``; the rows wait in the run's own folder, which goes at the end.

    Raises UsageError, DataError or TableError before anything is written, ReconciliationError when rows or
    sums do not add up.
    """
    begin = time.perf_counter()
    paths, place, t = (
        [str(path) for path in inputs],
        Path(folder),
        Lang(lang, OF_METHODS.get(policy.method, "")),
    )
    targets = {
        name: place / f"{t(*pair)}{end}"
        for name, pair, end in (("workbook", _NAME, ".xlsx"), ("page", _NAME, ".html"))
    }
    for target in targets.values():
        refuse_input(target, paths)
    place.mkdir(parents=True, exist_ok=True)
    clear(place.resolve(), ".simulate")
    with (
        tempfile.TemporaryDirectory(prefix=f".simulate.{tag()}.", dir=place.resolve()) as scratch,
        workspace(memory, threads) as connection,
    ):
        made = _Made(grouper, policy, Path(scratch), dict(constants or {}), columns)
        summary = group_files(
            grouper,
            paths,
            made.grouped,
            layout=layout,
            columns=columns,
            input_format=input_format,
            encoding=encoding,
            sheet=sheet,
            progress=progress,
        )
        gate = Gate(dated=as_of is None, interim=interim, net=True)
        priced = made.price(hospitals, as_of, gate, scheme_differs, threads, memory)
        grounds = make_cases(connection, made.source, made.priced, policy, columns, ward)
        reader = Reader(connection, policy, grounds, t)
        done = Simulation(policy, summary, priced, reader.totals(), reader.whole(), grounds)
        done.constants, done.without_persons = made.constants, "person_id" in made.added
        asked = {
            "schemes": () if policy.scheme == grouper.id else (scheme or grouper.id,),
            "policy": policy.id if policy.id in policy_ids() else str(policy.files[0]),
        }
        tables = [
            reader.standing(),
            *reader.dimensions(),
            reader.losses(),
            reader.edges(),
            mend(reader, made.source, asked, columns, frozenset(grouper.result_names)),
            reader.reviews(),
            peers(reader, lake, area or policy.area, grouper.id) if lake is not None else None,
        ]
        done.tables = {table.name: table for table in tables if table is not None}
        done.paths = targets | {"cases": _write_all(done, reader, place, targets, t, shared)}
    done.seconds, done.peak_rss_mib = time.perf_counter() - begin, peak_rss_mib()
    return done


_NAME = ("模拟测算", "simulation")
_CASES = ("模拟测算-病例", "simulation-cases")


def _write_all(
    done: Simulation, reader: Reader, place: Path, targets: Mapping[str, Path], t: Lang, shared: bool
) -> Path:
    """The workbook, the page and the list of all rows."""
    title, facts = title_of(done, reader), facts_of(done, reader)
    write_book(targets["workbook"], title, facts, list(done.tables.values()), list(origin_of(done, t)), t)
    write_page(targets["page"], title, done, reader)
    if done.totals.rows <= LISTED:
        target = place / f"{t(*_CASES)}.xlsx"
        write_cases(target, title, done.policy.id, reader)
        return target
    target = place / f"{t(*_CASES)}.parquet"
    with Output(str(target), "parquet", private=not shared) as out:
        rows = reader.connection.sql("SELECT * FROM cases ORDER BY row").to_arrow_reader(_BATCH)
        writer = out.open(rows.schema)
        for batch in rows:
            writer.write(batch)
        writer.provenance = {"policy": {"id": done.policy.id, "sha256": done.policy.digest}}
    return target


@dataclass
class _Made:
    """The files of a run on their way: grouped, with constants, priced."""

    grouper: Grouper
    policy: Policy
    scratch: Path
    constants: dict[str, str]
    columns: ColumnMap | None

    @property
    def grouped(self) -> str:
        return str(self.scratch / "grouped.parquet")

    @property
    def source(self) -> str:
        """The grouped rows with the constants."""
        return str(self.scratch / "filled.parquet") if self.added else self.grouped

    @cached_property
    def added(self) -> dict[str, str | None]:
        """The columns that all rows get: the constants; and no person, where the policy reads one that the
        input has not, so that nothing counts as a readmission."""
        reads = required_columns(self.policy, self.policy.valid_from)
        lacks = "person_id" in reads and "person_id" not in (*self.names, *self.bound.fields)
        return {**self.constants, **({"person_id": None} if lacks else {})}

    @cached_property
    def names(self) -> list[str]:
        return list(parquet_schema(self.grouped).names)

    @cached_property
    def bound(self) -> ColumnMap:
        return self.columns.bind(self.names) if self.columns else detect_layout(self.names)

    @property
    def priced(self) -> str:
        return str(self.scratch / "priced.parquet")

    def price(
        self, hospitals: str | None, as_of: date | None, gate: Gate, differs: bool, threads: int, memory: str
    ) -> Priced:
        if self.added:
            self._fill()
        files = Files([self.source], self.columns, hospitals, as_of=as_of, gate=gate, scheme_differs=differs)
        try:
            return price_files(self.policy, files, self.priced, threads=threads, memory=memory, scratch=True)
        except GrouperError as error:  # it names a file of ours for the user's
            zh, en = error.zh.replace(self.source, "输入"), error.en.replace(self.source, "the input")
            told = error.zh.partition("缺少列")[2].partition("，政策")[0]
            told = re.sub(r"（[^）]*）", "", told)  # columns that look like it
            lacking = [name for name in _CONSTANTS if name in re.findall(r"\w+", told, re.ASCII)]
            if lacking:
                values = ["；".join(how_to_write(name, lang) for name in lacking) for lang in ("zh", "en")]
                zh = f"{zh}；或用 --set 给全部行一个值：{values[0]}"
                en = f"{en}; or give all rows one value by --set: {values[1]}"
            raise type(error)(zh=zh, en=en) from error

    def _fill(self) -> None:
        """The grouped rows with a column for each constant, batch by batch."""
        for name in self.constants:
            if name not in _CONSTANTS:
                raise UsageError(
                    zh=f"--set {name}：没有这样的列；可用 {'、'.join(_CONSTANTS)}",
                    en=f"--set {name}: no such column; there are {', '.join(_CONSTANTS)}",
                )
            if name in self.names or name in self.bound.fields:
                raise UsageError(
                    zh=f"--set {name}：输入已有{label_of(name, 'zh')}列，不能用一个值代替",
                    en=f"--set {name}: the input has that column; one value cannot stand for it",
                )
        added = [pa.field(name, pa.string()) for name in self.added]
        with pq.ParquetFile(local_path(self.grouped)) as file, Output(self.source, SCRATCH) as out:
            plain = file.schema_arrow.remove_metadata()
            writer = out.open(pa.schema([*plain, *added]))
            for batch in file.iter_batches(_BATCH):
                more = [pa.array([value] * batch.num_rows, pa.string()) for value in self.added.values()]
                writer.write(
                    pa.RecordBatch.from_arrays(
                        [*batch.columns, *more], schema=pa.schema([*batch.schema, *added])
                    )
                )
            writer.provenance = read_provenance(parquet_schema(self.grouped).metadata, self.grouped)
