"""Price grouped files: every case in is a case out, with the columns that made its amount."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from grouper.base.ahead import ahead
from grouper.base.canonical import canonical
from grouper.base.errors import ReconciliationError
from grouper.base.leftovers import tag
from grouper.base.machine import database_memory, memory_size, peak_rss_mib
from grouper.base.money import yuan_of
from grouper.base.output import SCRATCH, Output
from grouper.base.provenance import stamped
from grouper.base.scratch import spill_folder
from grouper.base.shown import Shown, counted
from grouper.payment.formula.expression import WORDS
from grouper.payment.policy import pool_names
from grouper.payment.price.accepted import policy_columns
from grouper.payment.price.build import build
from grouper.payment.price.cases import Cases, open_cases
from grouper.payment.price.causes import cause
from grouper.payment.price.compile import BARRIER, query, word_type
from grouper.payment.price.gated import LEFT, NOT_IN_FORCE, left_sql
from grouper.payment.price.inputs import INPUTS, PLACE, Files
from grouper.payment.price.lookups import load_lookups
from grouper.payment.price.order import Placed, merged, spool
from grouper.payment.price.steps import Step
from grouper.records.stays import Gated

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy

_BATCH = 131_072
NOT_KEPT = frozenset({"diagnoses", "procedures"})  # long, and not needed to defend an amount
STATUSES = ("paid", "held", "outside")  # of cases; rows that are none have LEFT

# Reasons that no paid case may have.
HOLDS = frozenset(
    [
        "no-pool",
        "no-county",
        "no-weight",
        "no-base-rate",
        "no-coefficient",
        "no-level-mean",
        "no-group-mean",
        "no-value",
        "no-stay",
        "no-standard",
        "no-benefit",
        "benefit-differs",
        "no-settlement",
        "fund-above-cost",
        "extreme-review",
        "offsite-foreign",
        "offsite-unknown",
        "held",
        NOT_IN_FORCE,
    ]
)


@dataclass
class Priced(Shown):
    """What a pricing run did. Amounts are Decimal yuan; ``statuses`` add up to ``rows``.

    ``reasons``: "status:cause" to cases, ``costs`` to their yuan, ``places`` to the cases of each input where
    there are several. ``gated``: what the gate found.
    ``outside``: first and last day of cases on which the policy does not apply; they are held.
    """

    policy: Policy
    rows: int
    total_cost: Decimal
    statuses: dict[str, int]
    reasons: dict[str, int]
    assumed: dict[str, str]
    unverified: list[dict[str, Any]]
    parameters: list[dict[str, Any]]
    seconds: float = 0.0
    peak_rss_mib: int | None = None  # not known on every system
    files: list[str] = field(default_factory=list)
    costs: dict[str, Decimal] = field(default_factory=dict)
    places: dict[str, dict[str, int]] = field(default_factory=dict)
    gated: Gated | None = None
    scheme_differs: dict[str, Any] | None = None
    outside: tuple[date, date] | None = None

    def line(self) -> str:
        """What it is, in one line."""
        return f"{self.policy.id}: {self.rows:,} rows ({counted(self.statuses)})"


def price_files(
    policy: Policy,
    files: Files,
    output: str,
    *,
    threads: int | None = None,
    memory: str | None = None,
    extra: dict[str, Any] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    shared: bool = False,
    scratch: bool = False,
) -> Priced:
    """Price grouped files into one Parquet file that appears whole or not at all; others may read it only
    with ``shared``. ``scratch``: it goes when the run is over, and is not made small.

    With ``threads`` above 1 (or none named) the cases are priced while others are written.

    Raises UsageError, DataError or TableError before anything is written, ReconciliationError when
    rows or costs do not add up.
    """
    begin = time.perf_counter()
    connection = connect(threads, memory, output)
    with connection:
        run = Run(connection, policy, files)
        with Output(output, SCRATCH if scratch else "parquet", private=not shared) as out:
            writer = out.open(run.schema)
            rows = 0
            with (nullcontext if threads == 1 else ahead)(run.batches()) as batches:
                for batch in batches:
                    writer.write(batch)
                    rows += batch.num_rows
                    if progress:
                        progress(rows, run.cases.all_rows)
            done = run.finish()
            done.seconds = time.perf_counter() - begin
            done.peak_rss_mib = peak_rss_mib()
            writer.provenance = provenance(done) | (extra or {})
    return done


def connect(
    threads: int | None = None, memory: str | None = None, output: str = ""
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB for one run, with the macros of the formulas; ``output``: what it will write.

    Without ``memory`` it takes what ``database_memory`` says.
    """
    import duckdb

    from grouper.payment.formula.quotient import MACROS

    connection = duckdb.connect(config={"temp_directory": spill_folder(output)})
    if threads:
        connection.execute(f"SET threads = {int(threads)}")
    if limit := memory or database_memory():
        connection.execute("SET memory_limit = ?", [memory_size(limit)])
    connection.execute(MACROS)
    connection.execute(BARRIER)
    return connection


class Run:
    """A policy over files: opened and compiled; ``batches`` gives the priced cases once."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, policy: Policy, files: Files) -> None:
        self.connection, self.policy, self.files = connection, policy, files
        probe = files.as_of or policy.valid_from
        wanted = self._wanted(probe)
        self.cases: Cases = open_cases(connection, files, wanted, policy)
        policy.on(self.cases.first)
        policy.on(self.cases.last)
        load_lookups(policy).create(connection)
        self.epochs = policy.epochs(self.cases.first, self.cases.last)
        self.plans = [self._plan(start) for start, _ in self.epochs]
        connection.execute(word_type(self.plans))
        self.kept = [name for name in self.cases.columns if name not in NOT_KEPT]
        self.schema = self._schema()
        self._rows = 0

    def _wanted(self, probe: date) -> list[str]:
        return policy_columns(self.policy, probe)

    def _plan(self, start: date) -> list[Step]:
        values = self.policy.on(start)
        steps = build(self.policy, values, hold_above=self.files.hold_above)
        self._note(values)
        return steps

    def _note(self, values: Any) -> None:
        self.used = {**getattr(self, "used", {}), **{(n, d.start): d for n, d in values.used.items()}}

    @property
    def steps(self) -> list[Step]:
        """The columns made; the same names in every epoch of a run."""
        return self.plans[-1]

    def _schema(self) -> pa.Schema:
        own = [pa.field(name, _input_type(name)) for name in self.kept]
        made = {step.name: step for plan in self.plans for step in plan}
        fields = [pa.field(step.name, step_type(step)) for step in made.values()]
        return pa.schema([*own, pa.field("pay_date", pa.date32()), *fields])

    def sql(self) -> list[str]:
        """The queries: one for each time in which the parameters are the same, then the rows that are no
        cases. Each has the place of its rows as its last column."""
        made = {step.name: step for plan in self.plans for step in plan}
        parts = []
        for number, ((start, end), plan) in enumerate(zip(self.epochs, self.plans, strict=True)):
            several = len(self.epochs) > 1
            within = f"pay_date BETWEEN DATE '{start}' AND DATE '{end}'" if several else "TRUE"
            # In order before they are priced: filters, look-ups and products of DuckDB keep back fewer than
            # 64 rows, as may stand at the end of a row group or file, and give them behind all others.
            source = f"(SELECT * FROM cases WHERE {within} ORDER BY {PLACE})"
            inner = query(plan, source, self.connection, f"rank_{number}")
            has = {step.name for step in plan}
            columns = [_out_input(name) for name in self.kept] + ["pay_date"]
            columns += [_out_step(s, s.name in has, pool_names.PART in has) for s in made.values()]
            parts.append(f"SELECT {', '.join(columns)}, {PLACE} FROM ({inner})")
        if self.cases.gated is not None and self.cases.gated.left:
            own = [_out_input(name) for name in self.kept if INPUTS[name].kind != "window"]
            none = [f'NULL AS "{name}"' for name in self.kept if INPUTS[name].kind == "window"]
            parts.append(left_sql([*own, *none], list(made)))
        return parts

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, in the order of the inputs."""
        self.counts: dict[tuple[str, str, str, int], list[int]] = {}
        queries = self.sql()
        self.connection.execute("SET threads = 1")  # several would not keep the order of the cases
        if len(queries) == 1:
            found: Iterator[pa.RecordBatch] = (batch for batch, _ in self._stream(queries[0]))
            yield from map(self._counted, found)
            return
        with tempfile.TemporaryDirectory(prefix=f"grouper.{tag()}.") as place:
            waiting = [
                spool(self._stream(query), self.schema, Path(place) / f"{number}.parquet", PLACE)
                for number, query in enumerate(queries[1:])
            ]
            yield from map(self._counted, merged([self._stream(queries[0]), *waiting], self.schema))

    def _stream(self, query: str) -> Iterator[Placed]:
        for batch in self.connection.sql(query).to_arrow_reader(_BATCH):
            if batch.num_rows:
                *columns, places = batch.columns
                own = pa.RecordBatch.from_arrays(columns, names=batch.schema.names[:-1])
                yield _exact(own, self.schema), places

    def _counted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        self._count(batch)
        return batch

    def _count(self, batch: pa.RecordBatch) -> None:
        """Rows and costs in fen by status, reason, reason of grouping, and input."""
        status, reason = batch["pay_status"], batch["pay_reason"]
        keys = ["status", "reason", "grouping", "input"]
        table = pa.table(
            [status.indices, reason.indices, self._grouping(batch), self._inputs(batch.num_rows),
             batch["total_cost"].view(pa.int64())],
            [*keys, "total_cost"],
        )  # fmt: skip
        self._rows += batch.num_rows
        sums = table.group_by(keys).aggregate([("total_cost", "sum"), ([], "count_all")])
        for row in sums.to_pylist():
            key = (
                status.dictionary[row["status"]].as_py(),
                reason.dictionary[row["reason"]].as_py(),
                row["grouping"] or "",
                row["input"],
            )
            entry = self.counts.setdefault(key, [0, 0])
            entry[0] += row["count_all"]
            entry[1] += row["total_cost_sum"] or 0

    def _grouping(self, batch: pa.RecordBatch) -> pa.Array:
        """Why each case was grouped as it was, where the files say so."""
        if "reason" in batch.schema.names:
            return batch["reason"]
        return pa.nulls(batch.num_rows, pa.string())

    def _inputs(self, number: int) -> pa.Array:
        """From which input each of the next rows comes, from 0 on; rows come in the order of the inputs."""
        first, last, end, parts = self._rows, self._rows + number, 0, []
        for place, size in enumerate(self.cases.sizes):
            begin, end = end, end + size
            if (taken := min(end, last) - max(begin, first)) > 0:
                parts.append(pa.repeat(pa.scalar(place, pa.int64()), taken))
        return pa.concat_arrays(parts) if parts else pa.array([], pa.int64())

    def finish(self) -> Priced:
        """Rows in = rows out and cost in = cost out, or nothing is written."""
        rows = sum(entry[0] for entry in self.counts.values())
        cost = sum(entry[1] for entry in self.counts.values())
        if rows != self.cases.all_rows or cost != self.cases.all_cost:
            raise ReconciliationError(
                zh=f"对不上：读入 {self.cases.all_rows} 行 {self.cases.all_cost} 分，"
                f"写出 {rows} 行 {cost} 分；没有写出结果",
                en=f"does not add up: {self.cases.all_rows} rows and {self.cases.all_cost} fen read, "
                f"{rows} and {cost} written; nothing was written",
            )
        wrong = sorted(reason for status, reason, *_ in self.counts if status == "paid" and reason in HOLDS)
        if wrong:
            raise ReconciliationError(
                zh=f"程序内部错误：有病例以不应支付的原因支付（{wrong[0]}）；没有写出结果，请报告此错误",
                en=f"internal error: cases are paid for a reason not to ({wrong[0]}); nothing was written, "
                "please report this",
            )
        statuses = dict.fromkeys((*STATUSES, LEFT), 0)
        reasons: dict[str, int] = {}
        costs: dict[str, Decimal] = {}
        places: dict[str, dict[str, int]] = {}
        told = {key: f"{key[0]}:{cause(*key[:3])}" for key in self.counts}
        for key, (number, fen) in sorted(self.counts.items(), key=lambda item: (told[item[0]], item[0][3])):
            why, path = told[key], self.files.paths[key[3]]
            statuses[key[0]] += number
            reasons[why] = reasons.get(why, 0) + number
            costs[why] = costs.get(why, Decimal(0)) + yuan_of(fen)
            if len(self.files.paths) > 1:
                own = places.setdefault(why, {})
                own[path] = own.get(path, 0) + number
        listed = [
            {"name": name, "from": str(d.start), "to": str(d.end), "source": d.source, "article": d.article,
             "verified": d.verified, "value": canonical(d.as_data()["value"])}
            for (name, _), d in sorted(self.used.items(), key=lambda item: (item[0][0], item[0][1]))
        ]  # fmt: skip
        return Priced(
            self.policy,
            rows,
            Decimal(cost).scaleb(-2),
            statuses,
            reasons,
            self.cases.assumed,
            [item for item in listed if not item["verified"]],
            listed,
            files=list(self.files.paths),
            costs=costs,
            places=places,
            gated=self.cases.gated,
            scheme_differs=self.cases.scheme_differs,
            outside=self.cases.outside,
        )


def step_type(step: Step) -> pa.DataType:
    """The Arrow type of a step's column."""
    if step.name in WORDS:
        return pa.dictionary(pa.int32(), pa.string())
    if step.digits is None:
        return pa.string()
    if step.digits < 0:
        return pa.bool_()
    if step.unit in ("cases", "days"):
        return pa.int64()
    return pa.decimal64(18, step.digits)


def _input_type(name: str) -> pa.DataType:
    spec = INPUTS[name]
    return {
        "text": pa.string(),
        "int": pa.int32(),
        "flag": pa.bool_(),
        "date": pa.date32(),
        "window": pa.int64(),
        "money": pa.decimal64(18, 2),
        "decimal": pa.decimal64(18, spec.digits),
    }[spec.kind]


def _out_input(name: str) -> str:
    whole = INPUTS[name].kind in ("money", "decimal", "window")
    return f'CAST("{name}" AS BIGINT) AS "{name}"' if whole else f'"{name}"'


def _out_step(step: Step, made: bool, parted: bool) -> str:
    """``parted``: pools are by county or alliance."""
    if not made:
        return f'NULL AS "{step.name}"'
    if parted and step.name == "pool":
        return f"{pool_names.of_case_sql()} AS pool"
    kind = step_type(step)
    whole = pa.types.is_decimal(kind) or pa.types.is_int64(kind)
    return f'CAST("{step.name}" AS BIGINT) AS "{step.name}"' if whole else f'"{step.name}"'


def _exact(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Whole numbers of last digits become decimals by their buffers; nothing is computed."""
    columns = []
    for column, wanted in zip(batch.columns, schema, strict=True):
        if column.null_count == len(column):
            column = pa.nulls(len(column), wanted.type)
        elif pa.types.is_decimal64(wanted.type) and pa.types.is_int64(column.type):
            column = pa.Array.from_buffers(
                wanted.type, len(column), column.buffers(), column.null_count, column.offset
            )
        elif pa.types.is_dictionary(wanted.type) and not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        elif column.type != wanted.type:
            column = column.cast(wanted.type)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def provenance(done: Priced) -> dict[str, Any]:
    """What made the amounts: software, policy, parameters and counts."""
    policy = done.policy
    return {
        **stamped(),
        "policy": {
            "id": policy.id,
            "name": policy.name,
            "sha256": policy.digest,
            "scheme": policy.scheme,
            "valid_from": str(policy.valid_from),
            "valid_to": str(policy.valid_to),
            "weights": policy.weights
            and {"name": policy.weights.path.stem, "verified": policy.weights.verified},
        },
        "parameters": done.parameters,
        "assumed": done.assumed,
        "rows": done.rows,
        **({"scheme_differs": done.scheme_differs} if done.scheme_differs else {}),
        "statuses": done.statuses,
        "reasons": done.reasons,
        "costs": {reason: str(cost) for reason, cost in done.costs.items()},
        **({"gate": done.gated.as_dict()} if done.gated else {}),
        "total_cost": str(done.total_cost),
    }
