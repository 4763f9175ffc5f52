"""The words of a grouped file, read by the official lists and the policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.base.errors import DataError
from grouper.payment.formula import keyed
from grouper.payment.price.accepted import policy_words
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
        sql = f'CAST(t."{column}" AS VARCHAR)'
        found = self._connection.execute(f"SELECT DISTINCT {sql} FROM {self._scan} AS t").fetchall()
        words = [word for (word,) in found if word is not None]
        read = {word: reader(word) for word in words}
        for word, parsed in read.items():
            if parsed.bad:
                raise self._unknown(name, column, word, reader)
        if all(parsed.value == word for word, parsed in read.items()):
            return kind, f't."{column}"'
        rows = [[word, parsed.value] for word, parsed in read.items()]
        table = f"words_{name}"
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} (word VARCHAR, value VARCHAR)")
        self._connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)
        keyed.create(self._connection, table, table, "word", ["value"])
        return pa.string(), keyed.found(table, sql, "value")

    def _reader(self, name: str) -> WordReader:
        columns = self._files.columns
        values = columns.values.get(name) if columns is not None else None
        return WordReader(name, self._also.get(name, ()), values)

    def _unknown(self, name: str, column: str, word: str, reader: WordReader) -> DataError:
        row = self._connection.execute(
            f"SELECT row_number FROM (SELECT row_number() OVER () AS row_number, "
            f'CAST(t."{column}" AS VARCHAR) AS word FROM {self._scan} AS t) WHERE word = ? LIMIT 1',
            [word],
        ).fetchone()
        number, path, known = (row[0] if row else 0), self._files.paths[0], reader.known()
        return DataError(
            zh=f"{path} 第 {number} 行 {column} 列（{name}）：{word!r} 无法识别；可用：{known}；"
            f"其他写法请在 --columns 文件的 [values.{name}] 中对应",
            en=f"{path}, row {number}, column {column} ({name}): {word!r} is not understood; "
            f"known are {known}; map other words in [values.{name}] of the file of --columns",
        )
