"""Own cases against those of the other hospitals of a settlement lake, group by group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.base.exact import half_up
from grouper.base.sql import literal
from grouper.checks.lake import is_lake, open_records_of
from grouper.lake.layout import Lake
from grouper.lake.views import connect
from grouper.report.names import group_name
from grouper.report.numbers import mean as mean_of
from grouper.workbench.simulate.tables import Column, Reader, Table

FEW = 5  # cases of others below which a mean says little


def peers(reader: Reader, lake: str | Path, area: str, scheme: str) -> Table:
    """Means of cost and stay by group, own against all others of the lake, the dearest excess first.

    Hospitals that the file itself has are no peers. Raises UsageError where there is no lake, where it has no
    cases of the area, and where its runs went by another scheme.
    """
    if not is_lake(lake):
        raise UsageError(zh=f"--lake {lake}：不是结算湖", en=f"--lake {lake}: is no lake")
    source = open_records_of(lake, area, ())
    source.connection.close()
    if source.scheme != scheme:
        raise UsageError(
            zh=f"--lake {lake} 的分组方案是 {source.scheme}，不是 {scheme}，病组不能相比",
            en=f"--lake {lake} was grouped by {source.scheme}, not {scheme}; groups cannot be compared",
        )
    own = [r["code"] for r in reader.rows("SELECT DISTINCT hospital_code AS code FROM cases") if r["code"]]
    listed = ", ".join(map(literal, own)) or "''"
    with connect(Lake(Path(lake)), kinds=("current",)) as connection:
        means = connection.sql(
            f"""SELECT "group", count(*) AS n, sum(total_cost)::DECIMAL(38,2) AS cost, sum(los_days) AS days,
              count(los_days) AS stayed, count(DISTINCT hospital_code) AS hospitals
            FROM cases_effective WHERE area = {literal(source.area)} AND pay_status = 'paid'
              AND hospital_code NOT IN ({listed}) AND "group" IS NOT NULL GROUP BY 1"""
        ).to_arrow_table()
    reader.connection.register("_peers", means)
    found = reader.rows(
        """SELECT o.*, p.n AS others, p.hospitals, p.cost AS their_cost, p.days AS their_days,
          p.stayed AS they_stayed
        FROM (SELECT "group", any_value(group_name) AS group_name, count(*) AS n,
                sum(total_cost)::DECIMAL(38,2) AS cost, sum(los_days) AS days, count(los_days) AS stayed
              FROM cases WHERE counted AND "group" IS NOT NULL GROUP BY 1) AS o
        LEFT JOIN _peers AS p USING ("group") ORDER BY o."group" """
    )
    reader.connection.unregister("_peers")
    return _table(reader, found, source.area)


def _table(reader: Reader, found: list[dict[str, Any]], area: str) -> Table:
    t = reader.t
    few = t(f"同业不足 {FEW} 例", f"fewer than {FEW} of others")
    rows = []
    for r in found:
        mean, theirs = mean_of(r["cost"], r["n"]), mean_of(r["their_cost"], r["others"])
        excess = None if theirs is None else r["cost"] - r["their_cost"] * r["n"] / r["others"]
        rows.append(
            [
                r["group"],
                group_name(r["group_name"], t),
                r["n"],
                mean,
                mean_of(r["days"], r["stayed"]),
                r["others"] or 0,
                r["hospitals"] or 0,
                theirs,
                mean_of(r["their_days"], r["they_stayed"]),
                None if excess is None else half_up(excess, 2),
                t("无同业病例", "no peers") if not r["others"] else few if r["others"] < FEW else "",
            ]
        )
    rows.sort(key=lambda row: (row[9] is None, -(row[9] or 0), row[0]))
    columns = [
        Column(t("病组", "group"), width=9),
        Column(t("名称", "name"), width=34),
        Column(t("本院例数", "own cases"), "count", 9),
        Column(t("本院例均费用（元）", "own mean cost (yuan)"), "money", 14),
        Column(t("本院平均住院日", "own mean stay"), "points", 10),
        Column(t("同业例数", "cases of others"), "count", 9),
        Column(t("同业医院数", "other hospitals"), "count", 9),
        Column(t("同业例均费用（元）", "their mean cost (yuan)"), "money", 14),
        Column(t("同业平均住院日", "their mean stay"), "points", 10),
        Column(t("超出同业费用（元）", "cost above theirs (yuan)"), "money", 16),
        Column(t("说明", "note"), width=18),
    ]
    note = t(
        "同业为结算湖中其他医院的现行支付病例。超出同业费用 =（本院例均 − 同业例均）× 本院例数。",
        "Peers are the cases paid now of the other hospitals in the lake. Cost above = difference of means × "
        "own cases.",
    )
    return Table(t("同业比较", "peers"), t("与同业比较", "Own against peers"), columns, rows, None, note)
