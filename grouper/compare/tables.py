"""The tables of a comparison, as SQL over ``cases`` and ``moved`` (rows, money).

Groups of two editions are told apart by their side: no table joins a code of one with the same of the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grouper.compare.money import PARTS

if TYPE_CHECKING:
    import duckdb

LEVELS = {"mdc": "mdc", "adrg": "adrg", "group": "group"}
DIMENSIONS = {
    "all": "''", "hospital": "hospital", "level": "level", "county": "county",
    "old_group": "group_0", "new_group": "group_1",
}  # fmt: skip
THIN = 30  # groups of fewer cases: means and weights hang on single cases
_YUAN = "CAST(printf('%s%d.%02d', CASE WHEN {0} < 0 THEN '-' ELSE '' END, abs({0}) // 100, abs({0}) % 100) AS DECIMAL(18,2))"  # noqa: E501


def yuan(fen: str) -> str:
    """SQL of whole fen as yuan; exact."""
    return _YUAN.format(f"CAST({fen} AS BIGINT)")


def share(part: str, whole: str) -> str:
    """SQL of a share with 6 decimals, halves away from zero; null of nothing."""
    return (
        f"CASE WHEN {whole} <> 0 THEN CAST(half_up(CAST({part} AS HUGEINT) * 1000000, CAST({whole} AS "
        f"HUGEINT)) "
        "AS BIGINT) * CAST('0.000001' AS DECIMAL(9,6)) END"
    )


def migration() -> str:
    """Old to new at each level, groups of the same cases; what is not grouped stands under its status."""
    parts = []
    for level, column in LEVELS.items():
        old, new = (f"CASE WHEN status_{s} = 'grouped' THEN {column}_{s} END" for s in (0, 1))
        names = ("name_0", "name_1") if level == "group" else ("NULL::VARCHAR", "NULL::VARCHAR")
        parts.append(
            f"SELECT '{level}' AS level, status_0 AS old_status, {old} AS old, any_value({names[0]}) AS "
            f"old_name, "
            f"status_1 AS new_status, {new} AS new, any_value({names[1]}) AS new_name, count(*) AS cases, "
            "coalesce(sum(fen), 0) AS fen FROM cases WHERE kind = 'case' GROUP BY ALL"
        )
    old = "PARTITION BY level, old_status, old"
    new = "PARTITION BY level, new_status, new"
    return f"""WITH pairs AS ({" UNION ALL ".join(parts)}),
    wide AS (SELECT *, sum(cases) OVER ({old}) AS old_cases, sum(fen) OVER ({old}) AS old_fen,
      sum(cases) OVER ({new}) AS new_cases,
      row_number() OVER ({old} ORDER BY new_status = 'grouped' DESC, cases DESC, new_status, new) = 1
        AND new_status = 'grouped' AND old_status = 'grouped' AS dominant FROM pairs)
    SELECT w.level, old_status, old, coalesce(old_name, a.name) AS old_name, new_status, new,
      coalesce(new_name, b.name) AS new_name, cases,
      CAST(old_cases AS BIGINT) AS old_cases, CAST(new_cases AS BIGINT) AS new_cases,
      {share("cases", "old_cases")} AS share, {share("cases", "new_cases")} AS share_of_new, dominant,
      {yuan("fen")} AS total_cost, {share("fen", "old_fen")} AS cost_share
    FROM wide AS w LEFT JOIN names AS a ON a.side = 'old' AND a.level = w.level AND a.code = old
    LEFT JOIN names AS b ON b.side = 'new' AND b.level = w.level AND b.code = new
    ORDER BY list_position(['mdc', 'adrg', 'group'], w.level), old_status <> 'grouped', old_status, old,
      cases DESC, new_status, new"""


def splits() -> str:
    """Each group of both sides: how far its cases part (old) or come together (new).

    ``split_index``: 1 − Σ share², 0 where all cases go to or come from one group. Cases grouped
    on both sides.
    """
    both = "old_status = 'grouped' AND new_status = 'grouped'"

    def side(name: str, own: str, other: str) -> str:
        return (
            f"SELECT level, '{name}' AS side, {own} AS code, any_value({own}_name) AS name, sum(cases) "
            f"AS cases, "
            f"count(*) AS others, max(cases) AS most, arg_max({other}, cases) AS dominant, "
            f"sum(cases * cases) AS squares FROM migration WHERE {both} GROUP BY ALL"
        )

    return f"""WITH found AS ({side("old", "old", "new")} UNION ALL {side("new", "new", "old")})
    SELECT level, side, code, name, CAST(cases AS BIGINT) AS cases, others, dominant,
      {share("most", "cases")} AS dominant_share,
      {share("cases * cases - squares", "cases * cases")} AS split_index
    FROM found ORDER BY list_position(['mdc', 'adrg', 'group'], level), side DESC, code"""


def statuses() -> str:
    """From status to status with the reason on both sides."""
    return f"""SELECT * FROM (SELECT status_0 AS old_status, reason_0 AS old_reason, status_1 AS new_status,
      reason_1 AS new_reason, count(*) AS cases, {yuan("coalesce(sum(fen), 0)")} AS total_cost
    FROM cases WHERE kind = 'case' GROUP BY 1, 2, 3, 4)
    ORDER BY old_status <> 'grouped', new_status <> 'grouped', cases DESC, old_status, old_reason, new_status,
      new_reason"""


def weights() -> str:
    """Each group of both sides with its weight: cases, mean cost, CV over all cases, whether it is thin.

    Sums are exact; the root of the CV is a float, told with 4 decimals.
    """
    parts = [
        f"""SELECT '{side}' AS side, group_{s} AS code, any_value(name_{s}) AS name, count(*) AS cases,
        sum(fen) AS fen, sum(CAST(fen AS HUGEINT) * fen) AS squares, count(fen) AS costed
        FROM cases WHERE kind = 'case' AND status_{s} = 'grouped' GROUP BY 2"""
        for s, side in enumerate(("old", "new"))
    ]
    return f"""WITH found AS ({" UNION ALL ".join(parts)})
    SELECT f.side, f.code, f.name, w.weight, f.cases, f.cases < {THIN} AS thin,
      CASE WHEN costed > 0 THEN {yuan("half_up(fen, costed)")} END AS mean_cost,
      CASE WHEN costed > 1 AND fen > 0 THEN CAST(round(
        sqrt(greatest(CAST(costed * squares - CAST(fen AS HUGEINT) * fen AS DOUBLE), 0) * costed /
          (costed - 1))
        / CAST(fen AS DOUBLE), 4) AS DECIMAL(12,4)) END AS cv
    FROM found AS f LEFT JOIN side_weights AS w ON w.side = f.side AND w.code = f.code ORDER BY f.side
      DESC, f.code"""


def schemes() -> str:
    """Both sides as a whole, over all grouped cases with a cost: groups, RIV, CV."""
    parts = [
        f"""SELECT '{side}' AS side, group_{s} AS code, count(fen) AS n, sum(fen) AS fen,
        sum(CAST(fen AS HUGEINT) * fen) AS squares FROM cases
        WHERE kind = 'case' AND status_{s} = 'grouped' AND fen IS NOT NULL GROUP BY 2"""
        for s, side in enumerate(("old", "new"))
    ]
    return f"""WITH found AS ({" UNION ALL ".join(parts)}),
    cvs AS (SELECT *, CASE WHEN n > 1 AND fen > 0 THEN
        sqrt(greatest(CAST(n * squares - CAST(fen AS HUGEINT) * fen AS DOUBLE), 0) * n / (n - 1))
        / CAST(fen AS DOUBLE) END AS cv FROM found),
    sums AS (SELECT side, count(*) AS groups, sum(n) AS cases, count(*) FILTER (n < {THIN}) AS thin,
        count(*) FILTER (cv > 1) AS cv_above_1, sum(cv * n) / sum(n) FILTER (cv IS NOT NULL) AS cv,
        sum(squares) - sum(CAST(fen AS DOUBLE) * CAST(fen AS DOUBLE) / n) AS within,
        CAST(sum(squares) AS DOUBLE) - CAST(sum(fen) AS DOUBLE) * CAST(sum(fen) AS DOUBLE) / sum(n) AS whole
        FROM cvs GROUP BY 1)
    SELECT side, groups, CAST(cases AS BIGINT) AS cases, thin, cv_above_1,
      CAST(round(cv, 4) AS DECIMAL(12,4)) AS mean_cv,
      CASE WHEN whole > 0 THEN CAST(round(1 - within / whole, 6) AS DECIMAL(9,6)) END AS riv
    FROM sums ORDER BY side DESC"""


def money() -> str:
    """Before, after and the parts of the difference by each dimension; sums of cases, in yuan."""
    parts = [
        f"""SELECT '{name}' AS dimension, {sql} AS code, count(*) AS cases, sum(before) AS before,
        sum(after) AS after, sum(difference) AS difference,
        {", ".join(f"sum(part_{p}) AS part_{p}" for p in PARTS)}
        FROM moved JOIN cases USING (n) {"WHERE " + sql + " IS NOT NULL" if name != "all" else ""} GROUP
          BY 2"""
        for name, sql in DIMENSIONS.items()
    ]
    order = ", ".join(f"'{name}'" for name in DIMENSIONS)
    names = "CASE WHEN dimension = 'hospital' THEN h.name WHEN dimension = 'old_group' THEN o.name "
    names += "WHEN dimension = 'new_group' THEN w.name END"
    return f"""WITH found AS ({" UNION ALL ".join(parts)})
    SELECT dimension, f.code, {names} AS name, f.cases, {yuan("before")} AS before, {yuan("after")} AS after,
      {yuan("difference")} AS difference, CAST(100 * {share("difference", "before")} AS DECIMAL(12,4))
        AS percent,
      {yuan("half_up(before, f.cases)")} AS before_per_case, {yuan("half_up(after, f.cases)")} AS
        after_per_case,
      {", ".join(f"{yuan(f'part_{p}')} AS by_{p}" for p in PARTS)}
    FROM found AS f LEFT JOIN known_hospitals AS h ON dimension = 'hospital' AND h.code = f.code
    LEFT JOIN weights AS o ON dimension = 'old_group' AND o.side = 'old' AND o.code = f.code
    LEFT JOIN weights AS w ON dimension = 'new_group' AND w.side = 'new' AND w.code = f.code
    ORDER BY list_position([{order}], dimension), f.code"""


def cases(priced: bool) -> str:
    """Every row of the input, in its order: where it stood and stands, and what moved."""
    sides = [
        f"c.{name}_{s} AS {side}_{name}"
        for s, side in enumerate(("old", "new"))
        for name in (
            "status",
            "reason",
            "mdc",
            "adrg",
            "group",
            *(("pay", "way", "outlier", "weight") * priced),
        )
    ]
    own = "c.n + 1 AS input_row, c.kind, c.record_id, c.hospital AS hospital_code, "
    own += "c.level AS hospital_level, c.county"
    columns = [own, f"{yuan('c.fen')} AS total_cost", *sides]
    if not priced:
        return f"SELECT {', '.join(columns)} FROM cases AS c ORDER BY c.n"
    columns += [f"{yuan(f'm.{name}')} AS {name}" for name in ("before", "after", "difference")]
    columns += [f"{yuan(f'm.part_{p}')} AS by_{p}" for p in PARTS]
    return f"SELECT {', '.join(columns)} FROM cases AS c LEFT JOIN moved AS m USING (n) ORDER BY c.n"


def most_moved(number: int, priced: bool) -> str:
    """The rows that moved most: by money, or without policies by cost of those that are no longer grouped."""
    if priced:
        return (
            f"SELECT n, difference FROM moved WHERE difference <> 0 ORDER BY abs(difference) DESC, n "
            f"LIMIT {int(number)}"
        )
    return (
        "SELECT n, NULL::BIGINT AS difference FROM cases WHERE kind = 'case' AND status_0 = 'grouped' "
        f"AND status_1 <> 'grouped' ORDER BY fen DESC NULLS LAST, n LIMIT {int(number)}"
    )


def make(connection: duckdb.DuckDBPyConnection, priced: bool) -> list[str]:
    """Make the tables; returns their names."""
    made = {"migration": migration(), "splits": splits(), "statuses": statuses(), "weights": weights(),
            "schemes": schemes()} | ({"money": money()} if priced else {})  # fmt: skip
    for name, sql in made.items():
        connection.execute(f"CREATE OR REPLACE TABLE {name} AS {sql}")
    return list(made)
