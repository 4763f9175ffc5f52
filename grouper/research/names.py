"""Tables of names: groups, categories, codes, hospitals, pools, and what the values of columns mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from grouper.base.errors import GrouperError
from grouper.base.paths import tables_dir
from grouper.base.reasons import REASONS, STATUS_NAMES, STATUS_ZH
from grouper.base.tables_in import read_table
from grouper.codes import icd
from grouper.payment.policy import words
from grouper.report.case_book import ROW_KINDS
from grouper.report.pages.quality import KINDS, TREATMENTS
from grouper.research.columns import declared

if TYPE_CHECKING:
    import duckdb

Row = Mapping[str, Any]
_LISTS = {  # list of tables/records/code_values.csv -> column
    "sex": "sex",
    "insutype": "insurance_type",
    "discharge_way": "discharge_way",
    "med_type": "admission_type",
    "hospital_level": "hospital_level",
}
_WORDS: dict[str, Mapping[str, tuple[str, str]]] = {
    "status": {name: (zh, name.replace("-", " ")) for name, zh in zip(STATUS_NAMES, STATUS_ZH, strict=True)},
    "reason": {reason.code: (reason.zh, reason.en) for reason in REASONS},
    "pay_status": words.STATUSES,
    "method": words.METHODS,
    "outlier": words.OUTLIERS,
    "review_result": words.REVIEWS,
    "row_kind": ROW_KINDS,
    "treatment": TREATMENTS,
    "complication": {
        "none": ("无并发症与合并症", "none"),
        "CC": ("并发症与合并症", "complication or comorbidity"),
        "MCC": ("严重并发症与合并症", "major complication or comorbidity"),
    },
    "kind": {**KINDS, "settle": ("月结算", "a month settled"), "clear": ("年清算", "a year cleared")},
}


_NO_BOOK: Mapping[str, list[dict[str, Any]]] = {"groups": [], "adrgs": [], "mdcs": []}


def define(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables, over the views ``cases``, ``hospitals``, ``pools`` and ``periods``."""
    used = connection.execute(
        "SELECT scheme_id, policy_id, arg_max(scheme_sha256, run), arg_max(policy_sha256, run), max(format) "
        "FROM lake.runs_current WHERE kind = 'settle' GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    books = {scheme: _codebook(scheme, digest) for scheme, _, digest, _, _ in used}
    weights = {policy: _weights(policy, digest, number) for _, policy, _, digest, number in used}
    _put(connection, "_groups", "groups", _groups(books, weights, [row[:2] for row in used]))
    for table in ("adrgs", "mdcs"):
        rows = ({"scheme_id": scheme, **row} for scheme, book in books.items() for row in book[table])
        _put(connection, table, table, rows)
    _put(connection, "diagnoses", "diagnoses", _icd(icd.diagnoses(), icd.grey_diagnoses()))
    _put(connection, "procedures", "procedures",
         _icd(icd.procedures(), icd.grey_procedures(), icd.procedure_kinds()))  # fmt: skip
    _put(connection, "pool_names", "pool_names", _pools(connection))
    _put(connection, "code_values", "code_values", _code_values(connection))
    connection.execute(f"CREATE OR REPLACE TABLE groups AS {_WITH_THOSE_SEEN}")
    connection.execute("DROP TABLE _groups")
    connection.execute(f"CREATE OR REPLACE VIEW hospital_names AS {HOSPITALS}")


_WITH_THOSE_SEEN = """SELECT * FROM _groups UNION ALL BY NAME
SELECT DISTINCT ON (c.scheme_id, c.policy_id, c.group_code) c.scheme_id, c.policy_id, c.group_code,
  c.group_name AS name_zh, c.mdc
FROM (SELECT p.scheme_id, p.policy_id, c.* FROM cases AS c JOIN periods AS p USING (run)) AS c
WHERE c.group_code IS NOT NULL AND NOT EXISTS (SELECT 1 FROM _groups AS g
  WHERE g.scheme_id = c.scheme_id AND g.policy_id = c.policy_id AND g.group_code = c.group_code)
ORDER BY 1, 2, 3"""
HOSPITALS = """SELECT h.area, h.hospital_code, arg_max(h.hospital_name, h.run) AS hospital_name,
  arg_max(h.hospital_level, h.run) AS hospital_level, any_value(k.kind) AS hospital_kind,
  arg_max(h.county, h.run) AS county
FROM hospitals AS h LEFT JOIN (SELECT area, hospital_code, arg_max(hospital_kind, run) AS kind FROM cases
  GROUP BY ALL) AS k USING (area, hospital_code)
GROUP BY ALL ORDER BY 1, 2"""


def _values(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    return [value for (value,) in connection.execute(sql).fetchall()]


def _put(connection: duckdb.DuckDBPyConnection, name: str, table: str, rows: Iterable[Row]) -> None:
    """A table of the declared columns."""
    columns = declared()[table]
    listed = list(rows)
    data = pa.table({c.name: [row.get(c.name) for row in listed] for c in columns})
    connection.register("_made", data)
    cast = ", ".join(f"CAST({c.name} AS {c.type}) AS {c.name}" for c in columns)
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT {cast} FROM _made")
    connection.unregister("_made")


def _codebook(scheme: str, digest: str) -> Mapping[str, list[dict[str, Any]]]:
    """The groups of a scheme; none where it is not to be found as the run had it."""
    from grouper.grouping.locate import locate

    try:
        located = locate(scheme, None)
        found = located.load(None)
    except GrouperError:
        return _NO_BOOK
    return located.family.codebook(found) if found.digest == digest else _NO_BOOK


def _groups(
    books: Mapping[str, Mapping[str, list[dict[str, Any]]]],
    weights: Mapping[str, Mapping[str, dict[str, Any]]],
    used: Iterable[tuple[str, str]],
) -> Iterator[Row]:
    for scheme, policy in used:
        for row in books[scheme]["groups"]:
            own = weights[policy].get(row["group_code"], {})
            yield {"scheme_id": scheme, "policy_id": policy, **row, **own}


def _weights(policy: str, digest: str, number: int) -> dict[str, dict[str, Any]]:
    """Group to weight and mean cost; {} for a policy without a table of weights, or one that is not to be
    found as the run had it. ``number``: the format of the run."""
    from grouper.payment.policy.legacy_digest import digest_in
    from grouper.payment.policy.policy import find_policy
    from grouper.payment.price.lookups import load_lookups

    try:
        found = find_policy(policy)
        rows = load_lookups(found).rows.get("weights", {}) if digest_in(found, number) == digest else {}
    except GrouperError:
        return {}
    return {
        key[0]: {name: _decimal(row.get(name)) for name in ("weight", "mean_cost")}
        for key, row in rows.items()
    }


def _decimal(value: Any) -> str | None:
    """A fraction whose decimals end, as text."""
    from grouper.payment.formula.expression import plain

    return None if value is None else plain(value)


def _icd(
    listed: Mapping[str, str], grey: frozenset[str], kinds: Mapping[str, str] | None = None
) -> Iterator[Row]:
    for code, name in listed.items():
        yield {"code": code, "name_zh": name, "grey": code in grey, "kind": (kinds or {}).get(code)}


def _pools(connection: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    rows = connection.execute(
        "SELECT DISTINCT area, pool FROM (SELECT area, pool FROM pools UNION SELECT area, pool FROM cases) "
        "WHERE pool IS NOT NULL ORDER BY ALL"
    ).fetchall()
    for area, pool in rows:
        yield {
            "area": area,
            "pool": pool,
            "name_zh": words.pool(pool, "zh"),
            "name_en": words.pool(pool, "en"),
        }


def fixed_values() -> Iterator[Row]:
    """What the values of columns mean, whatever the lake."""
    for column, named in _WORDS.items():
        for value, (zh, en) in named.items():
            yield {"column_name": column, "value": value, "name_zh": zh, "name_en": en}
    table = read_table(tables_dir() / "records" / "code_values.csv")
    for _, (name, value, zh, en, *_) in table.rows:
        if name in _LISTS:
            yield {"column_name": _LISTS[name], "value": value, "name_zh": zh, "name_en": en}


def _code_values(connection: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    """The fixed ones, and the routes and reasons that the lake has: those of a policy among them."""
    yield from fixed_values()
    for column in ("route", "pay_reason"):
        sql = f"SELECT DISTINCT {column} FROM cases WHERE {column} <> '' ORDER BY 1"
        for value in _values(connection, sql):
            yield {"column_name": column, "value": value, **_reason(value)}


def _reason(code: str) -> Row:
    return {"name_zh": words.reason(code, "zh"), "name_en": words.reason(code, "en")}
