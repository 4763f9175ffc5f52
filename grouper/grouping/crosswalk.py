"""From the groups of one scheme to those of another, by the cases of a file: what became of each group.

Every record is grouped twice, in one pass; what is kept is a count for each pair of groups. Nothing is read
into a code: equal codes of two editions are two groups, which these cases connect or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import ReconciliationError
from grouper.base.exact import half_up
from grouper.base.money import yuan_of
from grouper.base.output import Output, output_format
from grouper.base.provenance import stamped
from grouper.base.reasons import STATUS_NAMES
from grouper.base.whole import refuse_input
from grouper.grouping.family import family
from grouper.grouping.files import input_digest

if TYPE_CHECKING:
    from grouper.grouping.api import Grouper
    from grouper.records import ColumnMap, Normaliser

Progress = Callable[[int, int | None], None]
_BATCH_ROWS = 250_000
_COST = "total_cost"
_SHARE = pa.decimal64(9, 6)
_MONEY = pa.decimal128(18, 2)
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("old_status", "old_group", "old_name", "old_reason")),
        *((name, pa.string()) for name in ("new_status", "new_group", "new_name", "new_reason")),
        ("cases", pa.int64()),
        ("old_cases", pa.int64()),  # all cases of the old group
        ("share", _SHARE),  # of them
        ("dominant", pa.bool_()),  # most of the old group's cases go here; of equals the first by code
        ("total_cost", _MONEY),  # yuan; null where the input has no costs
        ("cost_share", _SHARE),  # of the old group's cost
    ]
)


class Side(NamedTuple):
    """A group as one scheme gives it, empty where it gives none; ``reason``: why a case is not grouped."""

    status: str
    group: str
    name: str
    reason: str = ""

    @property
    def place(self) -> tuple[int, str, str]:
        """Grouped ones first, by code."""
        return STATUS_NAMES.index(self.status), self.group, self.reason


@dataclass
class Crosswalk:
    """What a crosswalk counted. ``cases`` adds up to ``rows``; ``fen`` is empty without costs."""

    old: str
    new: str
    rows: int = 0
    cases: Counter[tuple[Side, Side]] = field(default_factory=Counter)
    fen: Counter[tuple[Side, Side]] = field(default_factory=Counter)
    costed: bool = False
    without_cost: int = 0

    def statuses(self, which: int) -> dict[str, int]:
        """Cases by status under the old (0) or new (1) scheme."""
        found = dict.fromkeys(STATUS_NAMES, 0)
        for pair, number in self.cases.items():
            found[pair[which].status] += number
        return found

    def reasons(self, which: int) -> dict[str, int]:
        """Cases that are not grouped by reason, most first, under the old (0) or new (1) scheme."""
        found: Counter[str] = Counter()
        for pair, number in self.cases.items():
            if pair[which].status != "grouped":
                found[pair[which].reason] += number
        return dict(found.most_common())

    def lines(self) -> Iterator[dict[str, Any]]:
        """Rows of SCHEMA: by old group, the successor with most cases first."""
        by_old: dict[Side, list[Side]] = {}
        for old, new in self.cases:
            by_old.setdefault(old, []).append(new)
        for old in sorted(by_old, key=lambda side: side.place):
            news = sorted(by_old[old], key=lambda new: (-self.cases[old, new], new.place))
            cases = sum(self.cases[old, new] for new in news)
            fen = sum(self.fen[old, new] for new in news)
            for place, new in enumerate(news):
                yield self._line(old, new, cases, fen) | {"dominant": place == 0}

    def _line(self, old: Side, new: Side, cases: int, fen: int) -> dict[str, Any]:
        pair = old, new
        return {
            "old_status": old.status, "old_group": old.group or None, "old_name": old.name or None,
            "old_reason": old.reason or None,
            "new_status": new.status, "new_group": new.group or None, "new_name": new.name or None,
            "new_reason": new.reason or None,
            "cases": self.cases[pair], "old_cases": cases, "share": _share(self.cases[pair], cases),
            "total_cost": yuan_of(self.fen[pair]) if self.costed else None,
            "cost_share": _share(self.fen[pair], fen) if self.costed else None,
        }  # fmt: skip


def crosswalk(
    old: Grouper,
    new: Grouper,
    inputs: Sequence[str | Path],
    output: str | Path,
    *,
    layout: str | None = None,
    columns: ColumnMap | None = None,
    input_format: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    progress: Progress | None = None,
    told: Callable[[pa.Table], pa.Table] | None = None,
) -> Crosswalk:
    """Group files under two schemes, of whichever families, and write what became of each old group.

    ``told`` puts its table in words for people. Memory is bounded by one batch and the pairs of groups that
    occur. The output appears whole or not at all.
    Raises UsageError for a missing column or an unknown layout before any work, DataError for unreadable
    input, ReconciliationError when the rows do not add up.
    """
    from grouper.records import open_records

    target, paths = str(output), [str(path) for path in inputs]
    format_ = output_format(target, None)
    refuse_input(target, paths)
    source = open_records(
        paths, layout=layout, columns=columns, file_format=input_format, encoding=encoding, sheet=sheet,
        batch_rows=_BATCH_ROWS,
    )  # fmt: skip
    done = Crosswalk(old.id, new.id)
    with source, Output(target, format_) as out:
        sides = [(each, _normaliser(each, source.columns, source.schema)) for each in (old, new)]
        costs = _costs(old, source.columns)
        done.costed = costs is not None
        for batch in source.batches():
            first = done.rows
            pair = [_sides(each, normaliser, batch, first) for each, normaliser in sides]
            _count(done, pair, costs and costs.prepare(batch, first).batch.column(_COST))
            done.rows += batch.num_rows
            if progress:
                progress(done.rows, source.num_rows)
        _reconcile(done, source.num_rows)
        table = pa.Table.from_pylist(list(done.lines()), schema=SCHEMA)
        if told is not None:
            table = told(table)
        writer = out.open(table.schema)
        for batch in table.to_batches():
            writer.write(batch)
        writer.provenance = _provenance(done, old, new, paths)
    return done


def _normaliser(grouper: Grouper, columns: ColumnMap, schema: pa.Schema) -> Normaliser:
    """The normaliser of one scheme; the input may have result columns of its own, which nothing reads."""
    from grouper.records import Normaliser

    options = grouper.options
    made = Normaliser(columns, grouper.required, grouper.normalise_options, options.allow_missing)
    made.check(schema)
    return made


def _costs(grouper: Grouper, columns: ColumnMap) -> Normaliser | None:
    """What reads the costs, apart from the schemes: a bad cost makes no record invalid. None without any."""
    from grouper.records import Normaliser

    made = Normaliser(columns, (_COST,), grouper.normalise_options, (_COST,))
    return made if made.makes(_COST) else None


def _sides(grouper: Grouper, normaliser: Normaliser, batch: pa.RecordBatch, row: int) -> list[pa.Array]:
    """Status, group, name and, but for grouped ones, reason of each record under one scheme, as texts."""
    prepared = normaliser.prepare(batch, row)
    grouped = grouper.engine.group(prepared.batch, prepared.flags)
    of = family(grouper.engine.kind)
    places = {f.name: number for number, f in enumerate(grouper.engine.result_fields)}
    found = (grouped.columns[places[name]] for name in ("status", of.GROUP, of.GROUP_NAME, "reason"))
    status, *group, reason = (pc.fill_null(column.cast(pa.string()), "") for column in found)
    return [status, *group, pc.if_else(pc.equal(status, "grouped"), "", reason)]


def _count(done: Crosswalk, pair: Sequence[Sequence[pa.Array]], costs: pa.Array | None) -> None:
    """Add a batch: cases and fen by pair of groups."""
    keys = [f"k{number}" for number in range(2 * len(Side._fields))]
    fen = pa.nulls(len(pair[0][0]), pa.int64())
    if costs is not None:
        fen = pc.multiply(costs.cast(pa.decimal128(18, 2)), pa.scalar(Decimal(100))).cast(pa.int64())
        done.without_cost += fen.null_count
    table = pa.table([*pair[0], *pair[1], fen], [*keys, "fen"])
    sums = table.group_by(keys).aggregate([([], "count_all"), ("fen", "sum")])
    for entry in sums.to_pylist():
        texts = [entry[key] for key in keys]
        half = len(texts) // 2
        key = Side(*texts[:half]), Side(*texts[half:])
        done.cases[key] += entry["count_all"]
        done.fen[key] += entry["fen_sum"] or 0


def _share(part: int, whole: int) -> Decimal | None:
    return half_up(Fraction(part, whole), 6) if whole else None


def _reconcile(done: Crosswalk, expected: int | None) -> None:
    """Rows in = cases out, or nothing is written."""
    counted = done.cases.total()
    if counted != done.rows or expected not in (None, done.rows):
        raise ReconciliationError(
            zh=f"行数不符：读入 {expected}，计入 {counted}；没有写出结果",
            en=f"rows do not add up: {expected} read, {counted} counted; nothing was written",
        )


def _provenance(done: Crosswalk, old: Grouper, new: Grouper, paths: Sequence[str]) -> dict[str, Any]:
    sides = {
        name: {"id": each.id, "sha256": each.engine.scheme.digest, "options": each.options.as_dict()}
        for name, each in (("from", old), ("to", new))
    }
    return {
        **stamped(), **sides, "inputs": [input_digest(path) for path in paths], "rows": done.rows,
        "statuses": {"from": done.statuses(0), "to": done.statuses(1)},
    }  # fmt: skip
