"""Scores for the packets of a catalogue that prints none, and local mixed groups below them.

Each discharge goes where the grouper of the catalogue sends it. Those that no packet takes are the cases
of mixed groups (本地综合病种): by class and the first three, two, one characters of the main diagnosis.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import UsageError
from grouper.base.tables_out import csv_text
from grouper.codes.book import CodeOptions
from grouper.fitting.discharges import (
    AT_GATE,
    CLASSES,
    Counts,
    costs_and_year,
    source_columns,
    stage_for_gate,
)
from grouper.fitting.history import HistoryOptions
from grouper.fitting.packets import SUFFIX, Packet, scaled
from grouper.fitting.sums import CASES
from grouper.grouping.dip.engine import DipEngine, make_engine
from grouper.grouping.dip.tables.catalogue import Catalogue, assemble, load
from grouper.grouping.dip.tables.packets import Row

if TYPE_CHECKING:
    import duckdb

SCORES = ("code", "score", "average_cost", "drug_score", "consumable_score", "cv", "case_count")
_RECORDS = """CREATE TABLE records (p VARCHAR, prefix VARCHAR, class INTEGER, y INTEGER, fen BIGINT,
    drug BIGINT, consumable BIGINT, n BIGINT)"""


@dataclass(frozen=True)
class Scored:
    """A packet of the catalogue below: only its code counts. Same face as packets.Packet."""

    code: str
    name: str
    dx: str = ""
    main: str = ""
    related: tuple[str, ...] = ()
    treatment: str = ""
    kind: str = "national"

    @property
    def label(self) -> str:
        return self.code


def below(name: str) -> Catalogue:
    """The catalogue of ``--on``. Raises UsageError for one that has mixed groups of its own."""
    found = load(name)
    mixed = next((row for row in found.entries if row.kind == "mixed"), None)
    if mixed is not None:
        raise UsageError(
            zh=f"--on {name} 已有综合病种（{mixed.code}），不能叠加；请用没有综合病种的目录，如 dip-3.0",
            en=f"--on {name} has mixed groups of its own ({mixed.code}); choose a catalogue without them, "
            "such as dip-3.0",
        )
    return found


def probe(catalogue: Catalogue, interventional_as: str) -> Catalogue:
    """The catalogue with a mixed group for every category and class, to see where cases would fall."""
    categories = [f"{chr(ord('A') + n // 100)}{n % 100:02}" for n in range(2600)]
    rows = [
        Row(f"{dx}:{SUFFIX[name]}", "", "mixed", dx, "", "", place, Decimal(0), None, None, f"{dx}:{name}")
        for dx in categories
        for place, name in enumerate(CLASSES)
    ]
    chain = catalogue.chain
    return assemble(
        catalogue.meta,
        replace(catalogue.options, interventional_as=interventional_as),
        [*catalogue.entries, *rows],
        "",
        catalogue.id,
        chain.rules,
        chain.exclusions,
        catalogue.primary_care,
        chain.overlay,
    )


def read_grouped(
    connection: duckdb.DuckDBPyConnection,
    paths: Sequence[str],
    catalogue: Catalogue,
    how: CodeOptions,
    options: HistoryOptions,
    allow_missing: Sequence[str],
) -> Counts:
    """Fill ``records``: the packet (null: none), category and class, year and costs of each discharge.

    Raises UsageError for a missing column, DataError for unreadable files and amounts.
    """
    from grouper.records import Normaliser, open_records

    engine = make_engine(catalogue, how)
    connection.execute(_RECORDS)
    connection.execute(AT_GATE)
    counts = Counts(Counter(), Counter(), Counter())
    for path in paths:
        with open_records([path]) as source:
            wanted = ("diagnoses", "procedures", *engine.fields)
            normaliser = Normaliser(source.columns, wanted, None, allow_missing)
            normaliser.check(source.schema)
            columns = source_columns(source, path, options)
            first = 0
            for batch in source.batches():
                prepared = normaliser.prepare(batch, first)
                counts.fields += prepared.counts
                staged = _grouped(engine, prepared, counts, first)
                for name, column in columns.items():
                    staged[name] = batch.column(column)
                stage_for_gate(connection, batch, source, columns["fen"], first, counts)
                _insert(connection, pa.table(staged), path, columns, options, counts)
                first += batch.num_rows
            counts.before += first
            counts.files += 1
    return counts


def _grouped(engine: DipEngine, prepared: Any, counts: Counts, first: int) -> dict[str, pa.Array]:
    """Code, kind and what keeps a row out, null where nothing does."""
    done = engine.group(prepared.batch, prepared.flags)
    counts.codes += done.codes
    columns = dict(zip(engine.result_columns, done.columns, strict=True))
    rows = prepared.batch.num_rows
    return {
        "code": columns["dip_code"].cast(pa.string()),
        "kind": columns["dip_kind"].cast(pa.string()),
        "refused": pc.if_else(
            pc.equal(columns["status"].cast(pa.string()), "grouped"),
            None,
            columns["reason"].cast(pa.string()),
        ),
        "row": pa.array(range(first + 1, first + rows + 1), pa.int64()),
    }


def _insert(
    connection: duckdb.DuckDBPyConnection,
    staged: pa.Table,
    path: str,
    columns: dict[str, str],
    options: HistoryOptions,
    counts: Counts,
) -> None:
    """Put the usable rows of a batch into ``records`` and count the others."""
    suffixes = ", ".join(f"('{suffix}', {CLASSES.index(name)})" for name, suffix in SUFFIX.items())
    costs_and_year(
        connection,
        staged,
        path,
        columns,
        options,
        counts,
        read="code, kind, refused",
        chosen="code, kind",
        reason="WHEN refused IS NOT NULL THEN refused",
    )
    connection.execute(
        f"""INSERT INTO records SELECT CASE WHEN kind <> 'mixed' THEN upper(code) END,
            CASE WHEN kind = 'mixed' THEN code[1:3] END, s.class, y, fen, drug, consumable,
            row + {counts.before} FROM staged LEFT JOIN (VALUES {suffixes}) s(suffix, class)
            ON kind = 'mixed' AND code[5:] = s.suffix WHERE reason IS NULL"""
    )
    connection.unregister("batch")


_KINDS = """CREATE TABLE kinds AS SELECT prefix, class, sum(w) AS weight FROM records JOIN years USING (y)
    WHERE p IS NULL GROUP BY prefix, class"""
_MIXED = """INSERT INTO assigned SELECT prefix, class, left(prefix, {width}) AS short FROM kinds
    ANTI JOIN assigned USING (prefix, class)
    QUALIFY sum(weight) OVER (PARTITION BY left(prefix, {width}), class) >= {least}"""
_CASES = """INSERT INTO cases SELECT coalesce(p, g), y, fen, drug, consumable
    FROM records LEFT JOIN assigned USING (prefix, class) LEFT JOIN names USING (short, class)"""


def assign_below(
    connection: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    weights: Mapping[int, Decimal],
    mixed_min: int,
) -> dict[str, Packet | Scored]:
    """Fill ``cases`` from ``records``; give packets and mixed groups by their codes.

    A mixed group reaches ``mixed_min`` when its yearly counts, averaged by the year weights, do; one that
    does not is part of a wider one.
    """
    years = scaled(weights)
    least = mixed_min * sum(years.values())
    connection.execute("CREATE TABLE years (y INTEGER, w HUGEINT)")
    connection.executemany("INSERT INTO years VALUES (?, ?)", list(years.items()))
    connection.execute(_KINDS)
    connection.execute("CREATE TABLE assigned (prefix VARCHAR, class INTEGER, short VARCHAR)")
    for width, needed in ((3, least), (2, least), (1, 0)):
        connection.execute(_MIXED.format(width=width, least=needed))
    groups = connection.execute("SELECT DISTINCT short, class FROM assigned ORDER BY 1, 2").fetchall()
    mixed = {(short, class_): Packet(short, treatment=CLASSES[class_]) for short, class_ in groups}
    connection.execute("CREATE TABLE names (short VARCHAR, class INTEGER, g VARCHAR)")
    if mixed:
        named = [(*key, packet.code) for key, packet in mixed.items()]
        connection.executemany("INSERT INTO names VALUES (?, ?, ?)", named)
    connection.execute(CASES)
    connection.execute(_CASES)
    found: dict[str, Packet | Scored] = {row.order: Scored(row.code, row.name) for row in catalogue.rows}
    return found | {packet.code: packet for packet in mixed.values()}


def scores_text(rows: Sequence[Sequence[Any]]) -> str:
    """scores.csv: the scores of packets of the catalogue below."""
    return csv_text(SCORES, rows)
