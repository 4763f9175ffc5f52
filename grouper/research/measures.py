"""The standard measures, each declared once: as SQL over ``case_measures`` and as an expression of polars.

    SELECT * FROM measures(hospital_code)                 -- grouper sql LAKE, or views.sql
    measures(with_groups(frame), "hospital_code")         # frame: the table cases, lazy

``case_measures`` is ``cases`` with what its group is like in all hospitals of the area together. A measure
without cases to count is empty. Rates and indices are floats; counts and amounts are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from grouper.base.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

DIED = 5  # discharge_way
READMITTED = 30  # days, of the measure with a fixed span
_KEY = ("area", "scheme_id", "group_code")
_LOW, _MEDIUM_LOW = "low", "medium-low"


class Measure(NamedTuple):
    """``sql``: over the rows of a unit; ``frame``: the same for polars."""

    name: str
    sql: str
    frame: Callable[[], pl.Expr]
    unit: str
    zh: str
    en: str


def _rate(name: str, test: str, of: str, zh: str, en: str) -> Measure:
    """The share of the rows ``of`` (all for "") for which ``test`` holds; both are SQL that polars reads."""

    def frame() -> pl.Expr:
        import polars as pl

        hit = pl.sql_expr(f"({test}) AND ({of})" if of else test).sum()
        whole = pl.sql_expr(of).sum() if of else pl.len()
        return pl.when(whole > 0).then(hit / whole)

    hit = f"({test}) AND ({of})" if of else test
    whole = f" FILTER ({of})" if of else ""
    sql = f"count(*) FILTER ({hit}) / nullif(count(*){whole}, 0)"
    return Measure(name, sql, frame, "share", zh, en)


def _count(name: str, test: str, unit: str, zh: str, en: str) -> Measure:
    def frame() -> pl.Expr:
        import polars as pl

        return pl.sql_expr(test).sum().cast(pl.Int64) if test else pl.len().cast(pl.Int64)

    return Measure(name, f"count(*) FILTER ({test})" if test else "count(*)", frame, unit, zh, en)


def _mean(name: str, value: str, unit: str, zh: str, en: str) -> Measure:
    def frame() -> pl.Expr:
        import polars as pl

        return pl.sql_expr(value).mean()

    return Measure(name, f"avg({value})", frame, unit, zh, en)


def _ratio(name: str, above: str, below: str, where: str, unit: str, zh: str, en: str) -> Measure:
    """Sum over sum, of the rows that have both."""
    both = f"{where} AND {above} IS NOT NULL AND {below} IS NOT NULL"

    def frame() -> pl.Expr:
        import polars as pl

        kept = pl.sql_expr(both)
        over, under = (pl.col(column).filter(kept).sum().cast(pl.Float64) for column in (above, below))
        return pl.when(under != 0).then(over / under)

    over, under = (f"CAST(sum({column}) FILTER ({both}) AS DOUBLE)" for column in (above, below))
    return Measure(name, f"{over} / nullif({under}, 0)", frame, unit, zh, en)


def _sum(name: str, value: str, where: str, unit: str, zh: str, en: str) -> Measure:
    def frame() -> pl.Expr:
        import polars as pl

        column = pl.col(value)
        kept = column.filter(pl.sql_expr(where)) if where else column
        return pl.when(kept.count() > 0).then(kept.sum())

    return Measure(name, f"sum({value})" + (f" FILTER ({where})" if where else ""), frame, unit, zh, en)


def _groups() -> pl.Expr:
    import polars as pl

    return pl.col("group_code").filter(pl.sql_expr(_GROUPED)).n_unique().cast(pl.Int64)


_PAID = "pay_status = 'paid'"
_WEIGHED = f"{_PAID} AND weight IS NOT NULL"
_GROUPED = "status = 'grouped' AND group_code IS NOT NULL"
_BY_GROUP = f"{_PAID} AND method = 'group'"
_KNOWN_WAY = "discharge_way IS NOT NULL"
_COST_INDEX = "CAST(total_cost AS DOUBLE) / group_cost_mean"
_TIME_INDEX = "CAST(los_days AS DOUBLE) / group_stay_mean"
_HIGH, _LOWER = "outlier IN ('high', 'extreme')", "outlier = 'low'"

MEASURES = (
    _count("cases", "", "cases", "病例数", "cases"),
    Measure("groups", f"count(DISTINCT group_code) FILTER ({_GROUPED})", _groups, "groups",
            "病组数", "groups that occur"),
    _rate("grouped_rate", "status = 'grouped'", "", "入组率", "share of cases that are grouped"),
    _rate("ambiguous_rate", "status = 'ambiguous'", "", "歧义率", "share of cases in ambiguous groups"),
    _rate("held_rate", "pay_status = 'held'", "", "暂不支付率", "share of cases that are held"),
    _rate("coverage", _BY_GROUP, "", "按病组（病种）支付病例占比", "share of cases paid by group"),
    _rate("high_rate", _HIGH, _BY_GROUP, "高倍率病例占比（按病组支付的病例中）",
          "share of high outliers among cases paid by group"),
    _rate("low_rate", _LOWER, _BY_GROUP, "低倍率病例占比（按病组支付的病例中）",
          "share of low outliers among cases paid by group"),
    _count("weighted_cases", _WEIGHED, "cases", "有权重的支付病例", "paid cases with a weight"),
    _sum("weight_sum", "weight", _WEIGHED, "weight", "权重合计", "sum of their weights"),
    _ratio("cmi", "weight", "one", _PAID, "weight", "病例组合指数：权重合计除以有权重的支付病例数",
           "case mix index: sum of weights over paid cases with a weight"),
    _sum("total_cost", "total_cost", "", "yuan", "总费用", "total cost"),
    _ratio("mean_cost", "total_cost", "one", "TRUE", "yuan", "例均费用", "mean cost"),
    _ratio("mean_stay", "los_days", "one", "TRUE", "days", "平均住院日", "mean stay"),
    _mean("cost_index", _COST_INDEX, "times",
          "费用消耗指数：已入组病例的费用与全部医院同病组例均费用之比的平均",
          "cost index: mean over grouped cases of cost over the group's mean in all hospitals"),
    _mean("time_index", _TIME_INDEX, "times",
          "时间消耗指数：已入组病例的住院日与全部医院同病组平均住院日之比的平均",
          "time index: likewise of the stay in days"),
    _count("low_risk_cases", f"group_risk = '{_LOW}' AND {_KNOWN_WAY}", "cases", "低风险组病例",
           "cases in groups of low risk"),
    _rate("low_risk_mortality", f"discharge_way = {DIED}", f"group_risk = '{_LOW}' AND {_KNOWN_WAY}",
          "低风险组病死率", "mortality in groups of low risk"),
    _count("medium_low_risk_cases", f"group_risk = '{_MEDIUM_LOW}' AND {_KNOWN_WAY}", "cases",
           "中低风险组病例", "cases in groups of medium-low risk"),
    _rate("medium_low_risk_mortality", f"discharge_way = {DIED}",
          f"group_risk = '{_MEDIUM_LOW}' AND {_KNOWN_WAY}", "中低风险组病死率",
          "mortality in groups of medium-low risk"),
    _ratio("drug_share", "drug_cost", "total_cost", "TRUE", "share", "药占比", "share of drugs in the cost"),
    _ratio("consumable_share", "consumable_cost", "total_cost", "TRUE", "share", "耗占比",
           "share of consumables in the cost"),
    _ratio("payment_to_cost", "settled_income", "total_cost", _PAID, "times",
           "支付病例的医院收入与总费用之比", "income over cost of the cases paid"),
    _sum("settled_fund", "settled_fund", _PAID, "yuan", "结算的统筹基金", "due from the pools"),
)  # fmt: skip

GROUP_MEASURES_SQL = f"""WITH counted AS (
  SELECT area, scheme_id, group_code, any_value(group_name) AS group_name, any_value(mdc) AS mdc,
    count(*) AS cases, CAST(sum(total_cost) AS DOUBLE) / nullif(count(total_cost), 0) AS cost_mean,
    CAST(sum(los_days) AS DOUBLE) / nullif(count(los_days), 0) AS stay_mean,
    stddev_pop(CAST(total_cost AS DOUBLE)) AS cost_sd,
    count(*) FILTER ({_KNOWN_WAY}) AS known_ways,
    count(*) FILTER (discharge_way = {DIED}) AS deaths
  FROM cases WHERE {_GROUPED} GROUP BY ALL
), logs AS (
  SELECT area, scheme_id, avg(ln(deaths / known_ways)) AS log_mean,
    stddev_pop(ln(deaths / known_ways)) AS log_sd
  FROM counted WHERE deaths > 0 GROUP BY ALL
)
SELECT c.* EXCLUDE (cost_sd), cost_sd / nullif(cost_mean, 0) AS cost_cv,
  deaths / nullif(known_ways, 0) AS mortality,
  CASE WHEN known_ways = 0 THEN NULL WHEN deaths = 0 THEN 'zero'
    WHEN ln(deaths / known_ways) < log_mean - log_sd THEN '{_LOW}'
    WHEN ln(deaths / known_ways) < log_mean THEN '{_MEDIUM_LOW}'
    WHEN ln(deaths / known_ways) < log_mean + log_sd THEN 'medium-high' ELSE 'high' END AS risk
FROM counted AS c LEFT JOIN logs USING (area, scheme_id)"""

CASE_MEASURES_SQL = """SELECT c.*, 1 AS one, g.cost_mean AS group_cost_mean, g.stay_mean AS group_stay_mean,
  g.cost_cv AS group_cost_cv, g.risk AS group_risk
FROM cases AS c LEFT JOIN group_measures AS g
  ON c.status = 'grouped' AND g.area = c.area AND g.scheme_id = c.scheme_id AND g.group_code = c.group_code"""

STAYS_SQL = f"""SELECT *, CASE WHEN died OR next_admission < discharge_date THEN NULL
    ELSE next_admission - discharge_date END AS days_to_next
FROM (SELECT *, coalesce(discharge_way = {DIED}, FALSE) AS died,
    lead(admission_date) OVER (PARTITION BY area, person_id
      ORDER BY admission_date, discharge_date, record_id) AS next_admission
  FROM cases WHERE person_id IS NOT NULL AND admission_date <= discharge_date)"""

POINT_VALUES_SQL = """SELECT area, year, month, period, run, pool, method,
  CAST(point_value AS DECIMAL(18,4)) AS point_value, point_value_exact, bound FROM pools
UNION ALL BY NAME SELECT area, year, month, period, run, pool, method,
  CAST(point_value AS DECIMAL(18,4)) AS point_value, point_value_exact, bound FROM pools_cleared"""

RIV_SQL = f"""SELECT CAST(unit AS VARCHAR) AS unit, sum(n) AS cases, count(*) AS groups,
  1 - sum(squares - s * s / n) / nullif(sum(squares) - sum(s) * sum(s) / sum(n), 0) AS riv
FROM (SELECT key AS unit, scheme_id, group_code, count(*) AS n, sum(CAST(total_cost AS DOUBLE)) AS s,
    sum(CAST(total_cost AS DOUBLE) * CAST(total_cost AS DOUBLE)) AS squares
  FROM cases WHERE {_GROUPED} AND total_cost IS NOT NULL GROUP BY 1, 2, 3)
GROUP BY 1 ORDER BY 1"""

READMISSIONS_SQL = """SELECT CAST(key AS VARCHAR) AS unit, count(*) FILTER (NOT died) AS discharges,
  count(*) FILTER (days_to_next BETWEEN 1 AND days) AS readmitted,
  count(*) FILTER (days_to_next = 0) AS same_day,
  count(*) FILTER (days_to_next BETWEEN 1 AND days) / nullif(count(*) FILTER (NOT died), 0)
    AS readmission_rate
FROM stays GROUP BY 1 ORDER BY 1"""


def measures_sql() -> str:
    """SQL of all measures by the expression ``key``."""
    listed = ",\n  ".join(f"{measure.sql} AS {measure.name}" for measure in MEASURES)
    return f"SELECT CAST(key AS VARCHAR) AS unit,\n  {listed}\nFROM case_measures GROUP BY 1 ORDER BY 1"


VIEWS: dict[str, tuple[str, str, str]] = {  # name -> SQL, Chinese, English
    "group_measures": (GROUP_MEASURES_SQL, "各病组：例均费用、平均住院日、变异系数 CV、病死率、风险等级",
                       "groups: mean cost, mean stay, CV, mortality, class of risk"),
    "case_measures": (CASE_MEASURES_SQL, "病例及其病组的均值与风险等级", "cases with means of their group"),
    "stays": (STAYS_SQL, "病例及同一人员至下次入院的天数", "cases with the days to the person's next stay"),
    "point_values": (POINT_VALUES_SQL, "各期各基金池的点值", "values of a point by period and pool"),
}  # fmt: skip
MACROS: dict[str, tuple[str, str, str, str]] = {  # name -> parameters, SQL, Chinese, English
    "measures": ("key", measures_sql(),
                 "按任一列（如 `hospital_code`、`county`、`mdc`）或 `'all'` 给出全部指标",
                 "all measures by any column (hospital_code, county, mdc …), or 'all'"),
    "riv": ("key", RIV_SQL, "组间方差减少系数", "reduction in variance"),
    "readmissions": ("key, days", READMISSIONS_SQL, "出院后 1 至 `days` 天内再住院；当日再入院多为转院，另列",
                     "stays within 1 to days of a discharge; those of the same day, mostly transfers, apart"),
}  # fmt: skip


# --- the same over polars ----------------------------------------------------------------------


def group_measures(cases: pl.LazyFrame) -> pl.LazyFrame:
    """The groups of the table ``cases``; ``GROUP_MEASURES_SQL``."""
    import polars as pl

    cost = pl.col("total_cost").cast(pl.Float64)
    counted = (
        cases.filter(pl.sql_expr(_GROUPED))
        .group_by(_KEY)
        .agg(
            pl.col("group_name").drop_nulls().first(),
            pl.col("mdc").drop_nulls().first(),
            pl.len().cast(pl.Int64).alias("cases"),
            (pl.col("total_cost").sum().cast(pl.Float64) / pl.col("total_cost").count()).alias("cost_mean"),
            pl.col("los_days").mean().alias("stay_mean"),
            cost.std(ddof=0).alias("cost_sd"),
            pl.col("discharge_way").count().cast(pl.Int64).alias("known_ways"),
            (pl.col("discharge_way") == DIED).sum().cast(pl.Int64).alias("deaths"),
        )
        .with_columns((pl.col("deaths") / pl.col("known_ways")).alias("mortality"))
        .with_columns(pl.when(pl.col("deaths") > 0).then(pl.col("mortality").log()).alias("log"))
    )
    whole = ["area", "scheme_id"]
    mean, sd, log = pl.col("log").mean().over(whole), pl.col("log").std(ddof=0).over(whole), pl.col("log")
    risk = (
        pl.when(pl.col("known_ways") == 0).then(None)
        .when(pl.col("deaths") == 0).then(pl.lit("zero"))
        .when(log < mean - sd).then(pl.lit(_LOW))
        .when(log < mean).then(pl.lit(_MEDIUM_LOW))
        .when(log < mean + sd).then(pl.lit("medium-high"))
        .otherwise(pl.lit("high"))
    )  # fmt: skip
    return counted.with_columns(
        (pl.col("cost_sd") / pl.col("cost_mean")).alias("cost_cv"), risk.alias("risk")
    ).drop("cost_sd", "log")


def with_groups(cases: pl.LazyFrame) -> pl.LazyFrame:
    """``case_measures``: the table ``cases`` with what its groups are like."""
    import polars as pl

    beside = group_measures(cases).select(
        *_KEY, pl.col("cost_mean").alias("group_cost_mean"), pl.col("stay_mean").alias("group_stay_mean"),
        pl.col("cost_cv").alias("group_cost_cv"), pl.col("risk").alias("group_risk"),
        pl.lit("grouped").alias("status"),
    )  # fmt: skip
    return cases.join(beside, on=[*_KEY, "status"], how="left").with_columns(pl.lit(1).alias("one"))


def measures(cases: pl.LazyFrame, by: str | None = None) -> pl.LazyFrame:
    """All measures of ``with_groups(cases)`` by a column, or of all rows.

    Raises UsageError for a frame that ``with_groups`` has not made.
    """
    names = cases.collect_schema().names()
    if "group_cost_mean" not in names or (by and by not in names):
        raise UsageError(
            zh=f"该表没有列 {by or 'group_cost_mean'}；请先用 with_groups(cases)，再按其中一列汇总",
            en=f"the frame has no column {by or 'group_cost_mean'}: take with_groups(cases), and one of its "
            "columns",
        )
    made = [measure.frame().alias(measure.name) for measure in MEASURES]
    return _by(cases, by).agg(made).sort("unit")


def riv(cases: pl.LazyFrame, by: str | None = None) -> pl.LazyFrame:
    """RIV of the table ``cases`` by a column, or of all rows."""
    import polars as pl

    cost = pl.col("total_cost").cast(pl.Float64)
    kept = cases.filter(pl.sql_expr(_GROUPED) & pl.col("total_cost").is_not_null())
    unit = pl.col(by).cast(pl.String) if by else pl.lit("all")
    inner = kept.group_by(unit.alias("unit"), "scheme_id", "group_code").agg(
        pl.len().cast(pl.Int64).alias("n"), cost.sum().alias("s"), (cost * cost).sum().alias("squares")
    )
    n, s, squares = pl.col("n"), pl.col("s"), pl.col("squares")
    whole = squares.sum() - s.sum() * s.sum() / n.sum()
    inside = (squares - s * s / n).sum()
    return (
        inner.group_by("unit")
        .agg(
            n.sum().alias("cases"), pl.len().cast(pl.Int64).alias("groups"),
            pl.when(whole != 0).then(1 - inside / whole).alias("riv"),
        )
        .sort("unit")
    )  # fmt: skip


def readmissions(cases: pl.LazyFrame, by: str | None = None, days: int = READMITTED) -> pl.LazyFrame:
    """Readmissions of the table ``cases`` within 1 to ``days`` days by a column, or of all rows."""
    import polars as pl

    person, first, last = ["area", "person_id"], pl.col("admission_date"), pl.col("discharge_date")
    died = (pl.col("discharge_way") == DIED).fill_null(value=False)
    stays = (
        cases.filter(pl.col("person_id").is_not_null() & (first <= last))
        .sort("admission_date", "discharge_date", "record_id")
        .with_columns(first.shift(-1).over(person).alias("next"), died.alias("died"))
    )
    gap = (pl.col("next") - last).dt.total_days()
    stays = stays.with_columns(pl.when(~pl.col("died") & (gap >= 0)).then(gap).alias("gap"))
    alive = (~pl.col("died")).sum().cast(pl.Int64)
    again = pl.col("gap").is_between(1, days).sum().cast(pl.Int64)
    return (
        _by(stays, by)
        .agg(
            alive.alias("discharges"), again.alias("readmitted"),
            (pl.col("gap") == 0).sum().cast(pl.Int64).alias("same_day"),
            pl.when(alive > 0).then(again / alive).alias("readmission_rate"),
        )
        .sort("unit")
    )  # fmt: skip


def _by(frame: pl.LazyFrame, by: str | None) -> pl.lazyframe.group_by.LazyGroupBy:
    import polars as pl

    unit = pl.col(by).cast(pl.String) if by else pl.lit("all")
    return frame.group_by(unit.alias("unit"))
