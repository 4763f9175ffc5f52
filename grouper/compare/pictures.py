"""The pictures of a comparison: flows of cases, and the parts of the difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from grouper.compare.money import PARTS
from grouper.compare.words import PART_WORDS
from grouper.report.draw.charts import Bar, bars
from grouper.report.draw.flows import Flow, flows
from grouper.report.draw.html import Html, el
from grouper.report.numbers import Lang, number

if TYPE_CHECKING:
    import duckdb

_MDCS, _ADRGS, _WAYS = 14, 8, 4  # left nodes of both pictures; ways that are drawn of each
_HIGH = {"mdc": 300.0, "adrg": 360.0}
_OUT = "grouped"


def flow(
    connection: duckdb.DuckDBPyConnection, level: str, t: Lang, status: Callable[[str], str]
) -> Html | None:
    """The flows of a level; None where the schemes have no such groups."""
    chosen = _most_cases() if level == "mdc" else _most_parted()
    pairs = connection.execute(
        f"""WITH chosen AS ({chosen})
        SELECT m.old, m.old_name, m.old_status, m.new, m.new_name, m.new_status, m.cases, m.dominant, c.place
        FROM migration AS m JOIN chosen AS c ON c.old IS NOT DISTINCT FROM m.old AND c.old_status =
          m.old_status
        WHERE m.level = '{level}' ORDER BY c.place, m.cases DESC, m.new_status, m.new"""
    ).fetchall()
    if not any(row[0] for row in pairs):
        return None
    words: dict[str, str] = {}
    rows: list[Flow] = []
    ways: dict[str, int] = {}
    for old, old_name, old_status, new, new_name, new_status, cases, dominant, _ in pairs:
        left, right = f"a {old_status} {old}", f"b {new_status} {new}"
        ways[left] = ways.get(left, 0) + 1
        words[left] = _label(old, old_name, status(old_status))
        words[right] = _label(new, new_name, status(new_status))
        if ways[left] > _WAYS and new is not None:
            right = f"c {level}"
            words[right] = t("其他病组", "other groups")
        away = new_status != _OUT if level == "mdc" else not dominant
        title = f"{words[left]} → {_label(new, new_name, status(new_status))}{t('：', ': ')}{cases:,}"
        rows.append(Flow(left, right, int(cases), title, "away" if away else "flow"))
    label = t("病例的去向", "Where cases go")
    return flows(rows, label, (t("原方案", "old scheme"), t("新方案", "new scheme")), words, _HIGH[level])


def _label(code: str | None, name: str | None, status: str) -> str:
    return " ".join(filter(None, (code, name))) if code else status


def _most_cases() -> str:
    return f"""SELECT old, old_status, row_number() OVER (ORDER BY old IS NULL, old, old_status) AS
      place FROM (
      SELECT old, old_status, sum(cases) AS cases FROM migration WHERE level = 'mdc' GROUP BY 1, 2
      ORDER BY cases DESC, old LIMIT {_MDCS})"""


def _most_parted() -> str:
    return f"""SELECT code AS old, 'grouped' AS old_status, row_number() OVER (ORDER BY split_index *
      cases DESC, code)
      AS place FROM splits WHERE level = 'adrg' AND side = 'old' AND others > 1
      ORDER BY split_index * cases DESC, code LIMIT {_ADRGS}"""


def parts(all_: Mapping[str, Any], t: Lang) -> Html:
    """The difference and its parts as bars."""
    rows = [
        Bar(
            PART_WORDS[p][t.code == "en"],
            t.scaled(all_[f"by_{p}"]),
            t.big(all_[f"by_{p}"], 2, True),
            "gain" if all_[f"by_{p}"] >= 0 else "loss",
        )
        for p in PARTS
    ]
    rows.append(
        Bar(t("差额", "difference"), t.scaled(all_["difference"]), t.big(all_["difference"], 2, True), "b")
    )
    caption = el(
        "figcaption",
        el("b", t("差额由什么组成", "What the difference is made of")),
        el("span", t("合计", "in all") + f" {number(all_['cases'])} {t('例', 'cases')}"),
    )
    return el("figure", caption, bars(rows, t("差额的组成", "Parts of the difference"), t.big_unit))
