"""Streams that each keep the order of the inputs, as one that does.

Cases of several times of a policy, and rows that are not priced, come out of different queries. All but one
wait in files; nothing is held in memory but a batch of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from grouper.base.errors import ReconciliationError

Placed = tuple[pa.RecordBatch, pa.Array]  # rows and their places, ascending


def spool(parts: Iterator[Placed], schema: pa.Schema, path: Path, place: str) -> Iterator[Placed]:
    """Write a stream to ``path``; what comes back reads it again."""
    wide = schema.append(pa.field(place, pa.int64()))
    with pq.ParquetWriter(path, wide, compression="lz4") as writer:
        for batch, places in parts:
            writer.write_batch(pa.RecordBatch.from_arrays([*batch.columns, places], schema=wide))
    return _read(path, schema)


def _read(path: Path, schema: pa.Schema) -> Iterator[Placed]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            columns = [
                column if column.type == wanted.type else column.cast(wanted.type)
                for column, wanted in zip(batch.columns[:-1], schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema), batch.columns[-1].cast(pa.int64())


def merged(streams: Sequence[Iterator[Placed]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of all streams by their places.

    Raises ReconciliationError when a stream does not keep the order.
    """
    heads = [_Head(stream) for stream in streams]
    while live := [head for head in heads if head.fill()]:
        upto = min(head.last for head in live)
        taken = [part for head in live if (part := head.take(upto)) is not None]
        if len(taken) == 1:
            yield taken[0][0]
            continue
        table = pa.Table.from_batches([batch for batch, _ in taken], schema).unify_dictionaries()
        places = pa.concat_arrays([places for _, places in taken])
        ordered = table.take(pc.sort_indices(places)).combine_chunks()
        yield from ordered.to_batches()


class _Head:
    """The batch of a stream that is next."""

    def __init__(self, stream: Iterator[Placed]) -> None:
        self.stream = stream
        self.batch: pa.RecordBatch | None = None
        self.places = pa.array([], pa.int64())
        self._before = -1

    def fill(self) -> bool:
        while not len(self.places):
            found = next(self.stream, None)
            if found is None:
                return False
            self.batch, self.places = found
            self._check()
        return True

    def _check(self) -> None:
        if not len(self.places):
            return
        rising = pc.all(pc.less(self.places[:-1], self.places[1:])).as_py() is not False
        if not rising or self.places[0].as_py() <= self._before:
            raise ReconciliationError(
                zh="计价打乱了行的次序，没有写出结果；请报告此错误",
                en="pricing lost the order of the rows, nothing was written; please report this",
            )
        self._before = self.last

    @property
    def last(self) -> int:
        return int(self.places[-1].as_py())

    def take(self, upto: int) -> Placed | None:
        """The rows up to a place; they are gone from here."""
        number = pc.sum(pc.less_equal(self.places, upto)).as_py() or 0
        if not number or self.batch is None:
            return None
        part = (self.batch.slice(0, number), self.places.slice(0, number))
        self.batch, self.places = self.batch.slice(number), self.places.slice(number)
        return part
