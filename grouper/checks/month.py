"""Rules of scope month as SQL over the stays of a file or a lake: each gives the rows that are found.

A query gives row, value and other, which the texts name; row is null for a finding about a hospital or
doctor, whose name then stands in ``about``. Region means all stays that were given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from grouper.checks.rules import Rule

if TYPE_CHECKING:
    import duckdb

DIED = 5  # 离院方式
_MINOR, _MAJOR = "none", "MCC"
Query = Callable[[Mapping[str, int]], str]


def _again(same: str) -> Query:
    """The stay after one of the same person, within so many days after its discharge."""

    def query(limits: Mapping[str, int]) -> str:
        return f"""SELECT row, hospital, department, g, CAST(gap AS VARCHAR) AS value, before AS other FROM (
            SELECT *, admitted - lag(discharged) OVER w AS gap, lag(g) OVER w AS before
            FROM stays WHERE person IS NOT NULL AND admitted IS NOT NULL AND discharged >= admitted
            WINDOW w AS (PARTITION BY person ORDER BY admitted, discharged, row)
        ) WHERE gap BETWEEN 0 AND {limits["days"]} AND g {same} before"""

    return query


def _overlap(limits: Mapping[str, int]) -> str:
    return """SELECT row, hospital, department, g, CAST(gap AS VARCHAR) AS value, earlier AS other FROM (
        SELECT *, admitted - last AS gap, earlier FROM (
            SELECT *, max(discharged) OVER w AS last, arg_max(id, discharged) OVER w AS earlier
            FROM stays WHERE person IS NOT NULL AND admitted IS NOT NULL AND discharged >= admitted
            WINDOW w AS (PARTITION BY person ORDER BY admitted, discharged, row
                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        )) WHERE gap < 0"""


def _low_standard(limits: Mapping[str, int]) -> str:
    return f"""SELECT row, hospital, department, g, CAST(los AS VARCHAR) AS value, principal AS other
        FROM stays WHERE low AND operations = 0 AND los <= {limits["days"]}"""


def _low_risk_death(limits: Mapping[str, int]) -> str:
    return f"""WITH risk AS (
            SELECT g, count(*) AS cases, count(*) FILTER (way = {DIED}) AS deaths FROM stays
            WHERE g IS NOT NULL AND way IS NOT NULL GROUP BY g)
        SELECT row, hospital, department, g, CAST(deaths AS VARCHAR) AS value, CAST(cases AS VARCHAR) AS other
        FROM stays JOIN risk USING (g) WHERE way = {DIED} AND cases >= {limits["cases"]}
        AND deaths * 1000 <= cases * {limits["per_mille"]}"""


def _overlong(limits: Mapping[str, int]) -> str:
    return f"""WITH means AS (SELECT g, count(los) AS cases, sum(los) AS days FROM stays
            WHERE g IS NOT NULL GROUP BY g)
        SELECT row, hospital, department, g, CAST(los AS VARCHAR) AS value,
               CAST(CAST(days AS DOUBLE) / cases AS DECIMAL(18,1))::VARCHAR AS other
        FROM stays JOIN means USING (g) WHERE cases >= {limits["cases"]}
        AND los * cases * 100 > days * {limits["percent"]}"""


def _untreated(limits: Mapping[str, int]) -> str:
    """The only major complication lifts the group; the cost is not above the mean of those without."""
    return f"""WITH plain AS (SELECT adrg, count(*) AS cases, sum(fen) AS cost FROM stays
            WHERE level = '{_MINOR}' AND fen > 0 AND adrg IS NOT NULL GROUP BY adrg)
        SELECT row, hospital, department, g, NULL AS value, "by" AS other
        FROM stays JOIN plain USING (adrg) WHERE level = '{_MAJOR}' AND severe = 1 AND fen > 0
        AND cases >= {limits["cases"]}
        AND CAST(fen AS HUGEINT) * cases * 100 <= CAST(cost AS HUGEINT) * {limits["percent"]}"""


def _share(who: str) -> Query:
    """Major complications among the grouped cases of a hospital or doctor, against those of the region."""

    def query(limits: Mapping[str, int]) -> str:
        return f"""WITH mine AS (
                SELECT {who} AS about, any_value(hospital) AS hospital, count(*) AS cases,
                       count(*) FILTER (level = '{_MAJOR}') AS severe
                FROM stays WHERE status = 'grouped' AND {who} IS NOT NULL GROUP BY {who}),
            whole AS (SELECT sum(cases) AS all_cases, sum(severe) AS all_severe FROM mine)
            SELECT NULL::BIGINT AS row, hospital, NULL AS department, NULL AS g,
                   CAST(CAST(severe AS DOUBLE) * 100 / cases AS DECIMAL(18,1))::VARCHAR AS value,
                   CAST(CAST(all_severe AS DOUBLE) * 100 / all_cases AS DECIMAL(18,1))::VARCHAR AS other,
                   about
            FROM mine, whole WHERE cases >= {limits["cases"]} AND cases < all_cases
            AND severe * all_cases * 100 > all_severe * cases * {limits["percent"]}"""

    return query


def _edge(limits: Mapping[str, int]) -> str:
    """The cost lies near the limit of high outliers, just below or above; in yuan for the text."""
    return f"""SELECT row, hospital, department, g, NULL AS value,
            CAST(round(cost * high_limit / cost_ratio, 2) AS DECIMAL(18,2))::VARCHAR AS other
        FROM priced JOIN stays USING (row) WHERE cost_ratio > 0
        AND abs(cost_ratio - high_limit) * 100 <= high_limit * {limits["percent"]}"""


MEASURES: dict[str, Query] = {
    "edge": _edge,
    "readmission_same": _again("="),
    "readmission_other": _again("<>"),
    "overlap": _overlap,
    "low_standard": _low_standard,
    "low_risk_death": _low_risk_death,
    "overlong": _overlong,
    "untreated": _untreated,
    "share_hospital": _share("hospital"),
    "share_doctor": _share("doctor"),
}


def find(connection: duckdb.DuckDBPyConnection, rule: Rule, lang: str) -> None:
    """Add the findings of a rule over the table ``stays`` to ``findings``."""
    query = MEASURES[rule.measure](rule.limits)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE found AS {query}")
    insert(connection, rule, lang)


def insert(connection: duckdb.DuckDBPyConnection, rule: Rule, lang: str) -> None:
    """Add the rows of table ``found`` to ``findings``, with their texts."""
    names = connection.sql("SELECT * FROM found LIMIT 0").columns
    about = "found.about" if "about" in names else "NULL"
    connection.execute(
        f"""INSERT INTO findings
        SELECT found.row, coalesce(stays.id, {about}), found.hospital, found.department,
               $rule, $severity, 'month', stays.principal, {_text()}, $mend, found.g, NULL, NULL, NULL
        FROM found LEFT JOIN stays ON stays.row = found.row""",
        {
            "rule": rule.id,
            "severity": rule.severity,
            "mend": rule.mend(lang),
            "text": _with_limits(rule, lang),
        },
    )


def _text() -> str:
    filled = "$text"
    for name, column in (("value", "found.value"), ("other", "found.other"), ("group", "found.g")):
        filled = f"replace({filled}, '{{{name}}}', coalesce({column}, '—'))"
    return filled


def _with_limits(rule: Rule, lang: str) -> str:
    text = rule.text(lang)
    for name, value in rule.limits.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text
