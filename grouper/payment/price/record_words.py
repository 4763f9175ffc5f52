"""The words of a grouped file, read by the official lists and the policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.base.errors import DataError
from grouper.base.written import amount
from grouper.payment.formula import keyed
from grouper.payment.price import decided
from grouper.payment.price.accepted import policy_words
from grouper.payment.price.grouped import row_in
from grouper.payment.price.inputs import INPUTS, PLACE
from grouper.records.words import WordReader, word_fields

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy
    from grouper.payment.price.inputs import Files

WORD_FIELDS = frozenset(word_fields())


class Words:
    """Reads columns of words in SQL: each distinct word is read once and put back in place."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, scan: str, files: Files, policy: Policy
    ) -> None:
        self._connection, self._scan, self._files = connection, scan, files
        self._also = policy_words(policy)

    def read(self, name: str, column: str, kind: pa.DataType) -> tuple[pa.DataType, str]:
        """Type and SQL of a column of the file with its words as values.

        Raises DataError that names the row, the word and the known words for a word that nobody knows.
        """
        reader = self._reader(name)

        def value(word: str) -> str | None:
            parsed = reader(word)
            if parsed.bad:
                raise self._unknown(name, column, word, reader.known())
            return None if parsed.value is None else str(parsed.value)

        return self._put(name, column, kind, value)

    def decision(self, name: str, column: str, kind: pa.DataType) -> tuple[pa.DataType, str]:
        """The same of a column of decisions, which are read as those of a file of decisions are."""

        def value(word: str) -> str | None:
            read = decided.read_word(name, word)
            if read is None and word.strip():
                raise self._unknown(name, column, word, decided.known(name))
            return read

        return self._put(name, column, kind, value)

    def _put(
        self, name: str, column: str, kind: pa.DataType, value: Callable[[str], str | None]
    ) -> tuple[pa.DataType, str]:
        sql = f'CAST(t."{column}" AS VARCHAR)'
        found = self._connection.execute(f"SELECT DISTINCT {sql} FROM {self._scan} AS t").fetchall()
        read = {word: value(word) for (word,) in found if word is not None}
        if all(of_word == word for word, of_word in read.items()):
            return kind, f't."{column}"'
        rows = [[word, of_word] for word, of_word in read.items()]
        table = f"words_{name}"
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} (word VARCHAR, value VARCHAR)")
        self._connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)
        keyed.create(self._connection, table, table, "word", ["value"])
        return pa.string(), keyed.found(table, sql, "value")

    def _reader(self, name: str) -> WordReader:
        columns = self._files.columns
        values = columns.values.get(name) if columns is not None else None
        return WordReader(name, self._also.get(name, ()), values)

    def _unknown(self, name: str, column: str, word: str, known: str) -> DataError:
        row = self._connection.execute(
            f'SELECT min({PLACE}) FROM {self._scan} AS t WHERE CAST(t."{column}" AS VARCHAR) = ?', [word]
        ).fetchall()[0]
        path, number = row_in(self._connection, self._files.paths, row[0])
        return DataError(
            zh=f"{path} 第 {number} 行 {column} 列（{name}）：{word!r} 无法识别；可用：{known}；"
            f"其他写法请在 --columns 文件的 [values.{name}] 中对应",
            en=f"{path}, row {number}, column {column} ({name}): {word!r} is not understood; "
            f"known are {known}; map other words in [values.{name}] of the file of --columns",
        )


def check_decided(
    connection: duckdb.DuckDBPyConnection, scan: str, sources: Mapping[str, str], files: Files, policy: Policy
) -> None:
    """Decisions that stand as columns in the files are in their ranges, and reviews ones that the policy can
    carry out, as those of a file of decisions. Raises DataError that names row and column."""
    _check_ranges(connection, scan, sources, files)
    names = ("special_review", "special_review_amount", "special_review_points")
    if names[0] not in sources:
        return
    own = [f'CAST(t."{sources[n]}" AS VARCHAR)' if n in sources else "NULL::VARCHAR" for n in names]
    rows = connection.execute(
        f"SELECT {own[0]} AS word, max({own[1]}), max({own[2]}), min({PLACE}) FROM "
        f"{scan} AS t WHERE trim({own[0]}) <> '' "
        f"GROUP BY word, {own[1]} IS NULL, {own[2]} IS NULL ORDER BY 4"
    ).fetchall()
    for word, yuan, points, place in rows:
        values = dict(zip(names, (decided.read_word(names[0], word), yuan, points), strict=True))
        if values[names[0]] is None:
            continue  # the reader of words tells it
        if (wrong := decided.unfit(policy, values)) is not None:
            column, zh, en = wrong
            path, row = row_in(connection, files.paths, place)
            raise DataError(
                zh=f"{path} 第 {row} 行 {sources.get(column, column)} 列：{zh}",
                en=f"{path}, row {row}, column {sources.get(column, column)}: {en}",
            )


def _check_ranges(
    connection: duckdb.DuckDBPyConnection, scan: str, sources: Mapping[str, str], files: Files
) -> None:
    for name in (name for name in decided.RANGES if name in sources):
        zh, en, outside = decided.RANGES[name]
        value = f't."{sources[name]}"'
        number = amount(value) if INPUTS[name].kind == "money" else value
        found = connection.execute(
            f"SELECT {PLACE}, word FROM (SELECT {PLACE}, CAST({value} AS VARCHAR) AS word, "
            f"TRY_CAST({number} AS DOUBLE) AS x FROM {scan} AS t) WHERE {outside} ORDER BY 1 LIMIT 1"
        ).fetchone()
        if found is not None:
            path, row = row_in(connection, files.paths, found[0])
            raise DataError(
                zh=f"{path} 第 {row} 行 {sources[name]} 列（{name}）：{found[1]} {zh}",
                en=f"{path}, row {row}, column {sources[name]} ({name}): {found[1]} {en}",
            )
