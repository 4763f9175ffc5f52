"""The page of a simulation: one file that prints, needs nothing from elsewhere and has no script."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.whole import put_text
from grouper.report.draw.charts import Bar, bars
from grouper.report.draw.html import Html, document, el, figure, section, table
from grouper.report.numbers import number, percent, yuan
from grouper.report.pages.page import style
from grouper.workbench.simulate.facts import notes, origin_of
from grouper.workbench.simulate.tables import DIMENSION_WORDS, STANDINGS, Reader, Table

if TYPE_CHECKING:
    from grouper.workbench.simulate.result import Simulation

SHOWN = {"department": 30, "doctor": 20, "group": 20, "ward": 20}  # rows of a dimension; the dearest losses
_SHORT = 20  # texts of columns of this width are never broken
LISTED = 30  # rows of the lists beside the 50 losses
_FIGURES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 11)  # of the columns of a dimension, those that the page has
_CSS = """
@page { size: A4 landscape; }
.card.bad b { color: #8c3a10; } .card.warn { border-left-color: var(--loss); background: #fdf3ed; }
.note { background: var(--ground); padding: 8px 14px; margin: 12px 0; } .note ul { margin: 4px 0; }
.note li { margin: 3px 0; }
.lists th, .dims th { white-space: nowrap; } .lists td.l:last-child { min-width: 14em; }
@media print { .lists table, .dims table { font-size: 7pt; } .cards { grid-template-columns: repeat(4, 1fr); }
 svg { max-width: 620px; } }
"""


def write_page(path: Path, title: str, done: Simulation, reader: Reader) -> None:
    """Write the page. The same tables give the same bytes."""
    put_text(path, _Page(done, reader).page(title))


class _Page:
    def __init__(self, done: Simulation, reader: Reader) -> None:
        self.done, self.reader, self.t = done, reader, reader.t

    def page(self, title: str) -> str:
        t = self.t
        made = [
            el("header", el("h1", title), self.under(), self.menu(), class_="top"),
            el("section", el("div", self.cards(), class_="cards"), self.notes(), id="first"),
            self.standing(),
            *(self.dimension(name) for name in ("department", "doctor", "ward", "group") if self.has(name)),
            self.listing("losses", self.table_of(t("亏损前50", "dearest 50")), 50),
            self.listing("mend", self.table_of(t("待改正", "to mend")), LISTED),
            self.listing("edges", self.table_of(t("临界病例", "near limits")), LISTED),
            self.listing("reviews", self.table_of(t("特例单议", "reviews")), LISTED),
            self.listing("peers", self.table_of(t("同业比较", "peers")), LISTED),
            self.origin(),
        ]
        return document(title, t.html, style() + _CSS, [part for part in made if part is not None])

    def origin(self) -> Html:
        facts = origin_of(self.done, self.t)
        told = ((el("dt", name), el("dd", el("code", str(value)))) for name, value in facts)
        return el("footer", el("h2", self.t("来历", "Provenance")), el("dl", told), id="provenance")

    def table_of(self, name: str) -> Table | None:
        return self.done.tables.get(name)

    def has(self, name: str) -> bool:
        return self.t(*DIMENSION_WORDS[name]) in self.done.tables

    def under(self) -> Html:
        policy = self.done.policy
        return el("p", self.t(policy.name, policy.name_en), " ", el("code", policy.id), class_="sub")

    def menu(self) -> Html:
        t = self.t
        links = [
            ("standing", t("去向", "standing")),
            *((n, t(*DIMENSION_WORDS[n])) for n in ("department", "doctor", "ward", "group") if self.has(n)),
            ("losses", t("亏损最大", "losses")),
            ("mend", t("待改正", "to mend")),
            ("edges", t("临界", "near limits")),
        ]
        for name, words in (("reviews", t("特例单议", "reviews")), ("peers", t("同业比较", "peers"))):
            links += [(name, words)] if self.table_of(words) else []
        return el("nav", (el("a", words, href=f"#{name}") for name, words in links))

    def cards(self) -> list[Html]:
        t, whole, totals = self.t, self.done.whole, self.done.totals
        result = whole["result"]
        cmi = number(whole["weight"] / whole["weighed"], 4) if whole["weighed"] else "—"
        held, outside, left = (totals.of(name) for name in ("held", "outside", "left"))
        estimated = totals.of("estimated")
        made = [
            _card(
                t("收益（应得收入 − 总费用）", "profit (income − cost)"),
                t.big(result, 2, True),
                t.big_unit,
                t(
                    f"占总费用 {percent(result, whole['cost'], 2, True)}",
                    f"{percent(result, whole['cost'], 2, True)} of the cost",
                ),
                "main" + (" bad" if result < 0 else ""),
            ),
            _card(
                t("应得收入", "income due"),
                t.big(whole["expected"], 2),
                t.big_unit,
                t(
                    f"总费用 {t.big(whole['cost'], 2)} 万元",
                    f"total cost {t.big(whole['cost'], 2)} {t.big_unit}",
                ),
            ),
            _card(
                t("计入病例", "cases counted"),
                number(whole["cases"]),
                t("例", ""),
                t(f"全部 {totals.rows:,} 行", f"of {totals.rows:,} rows"),
            ),
            _card(
                t("亏损病例", "losing cases"),
                number(whole["losing"]),
                t("例", ""),
                t(f"亏损额 {t.big(whole['lost'], 2)} 万元", f"{t.big(whole['lost'], 2)} {t.big_unit} lost"),
            ),
            _card(
                "CMI",
                cmi,
                "",
                t(f"总权重 {number(whole['weight'], 2)}", f"weights {number(whole['weight'], 2)}"),
            ),
            _card(
                t("高倍率／低倍率", "high / low outliers"),
                f"{whole['high']:,}／{whole['low']:,}",
                t("例", ""),
                "",
            ),
        ]
        if estimated[0]:
            made.append(
                _card(
                    t("其中估计（未结算）", "estimated (not settled)"),
                    number(estimated[0]),
                    t("例", ""),
                    t(f"应得收入 {t.big(estimated[2], 2)} 万元为估计", "income is an estimate"),
                    "warn",
                )
            )
        for name, found in (("held", held), ("outside", outside), ("left", left)):
            if found[0]:
                made.append(
                    _card(
                        t(*STANDINGS[name]),
                        number(found[0]),
                        t("行", ""),
                        t(
                            f"费用 {t.big(found[1], 2)} 万元，未计入",
                            f"{t.big(found[1], 2)} {t.big_unit}, not in it",
                        ),
                        "warn",
                    )
                )
        return made

    def notes(self) -> Html:
        return el("div", el("ul", (el("li", text) for text in notes(self.done, self.reader))), class_="note")

    def standing(self) -> Html:
        found = self.done.tables[self.t("去向", "standing")]
        return section(
            "standing", found.title, _told(found, found.rows, range(6), "small", left=(0, 1)), lead=found.note
        )

    def dimension(self, name: str) -> Html:
        """The dearest losses of a dimension as bars, and their figures."""
        t, found = self.t, self.done.tables[self.t(*DIMENSION_WORDS[name])]
        first = 2 if name == "group" else 1
        shown = found.rows[: SHOWN[name]]
        lead = (
            t(
                f"共 {len(found.rows):,} 个，按收益由低到高；列出前 {len(shown)} 个，全部见工作簿。",
                f"{len(found.rows):,} in all, the dearest losses first; {len(shown)} shown, all in "
                "the workbook.",
            )
            if len(shown) < len(found.rows)
            else found.note
        )
        at = first + 4
        drawn = [
            Bar(
                _label(row, first),
                t.scaled(row[at]),
                t.big(row[at], 2, True),
                "loss" if row[at] < 0 else "gain",
            )
            for row in _ends(found.rows, at)
        ]
        chart = (
            figure(
                f"{name}-chart",
                t(f"各{t(*DIMENSION_WORDS[name])}的收益（{t.big_unit}）", f"Profit, {t.big_unit}"),
                bars(drawn, found.title, t.big_unit),
                t("亏损最大和收益最大的", "the dearest losses and largest profits"),
            )
            if drawn
            else None
        )
        columns = [*range(first), *(first + n for n in _FIGURES)]
        return section(
            name, found.title, chart, _told(found, shown, columns, "small dims", left=range(first)), lead=lead
        )

    def listing(self, identity: str, found: Table | None, most: int) -> Html | None:
        if found is None:
            return None
        t, shown = self.t, found.rows[:most]
        lead = found.note
        if len(shown) < len(found.rows):
            lead += t(
                f"列出前 {len(shown)} 行，其余见工作簿。",
                f" The first {len(shown)}; the rest is in the workbook.",
            )
        if not shown:
            return section(identity, found.title, el("p", t("没有。", "None."), class_="none"), lead=lead)
        texts = [n for n, each in enumerate(found.columns) if each.kind == "text"]
        return section(
            identity,
            found.title,
            _told(found, shown, range(len(found.columns)), "small lists", left=texts),
            lead=lead,
        )


def _label(row: Sequence[Any], first: int) -> str:
    return f"{row[0]} {row[1]}" if first == 2 and row[1] else str(row[0])


def _ends(rows: Sequence[Sequence[Any]], at: int, most: int = 8) -> list[Sequence[Any]]:
    """The rows with the dearest losses and the largest profits, in order."""
    losing = [row for row in rows if row[at] < 0][:most]
    gaining = [row for row in rows if row[at] > 0][-most:]
    return [*losing, *gaining]


def _told(
    found: Table, rows: Sequence[Sequence[Any]], columns: Sequence[int], class_: str, left: Sequence[int]
) -> Html:
    """A table of the page: some columns of rows, amounts to the fen."""
    places = list(columns)

    def line(row: Sequence[Any]) -> list[str]:
        return [_shown(row[n], found.columns[n].kind) for n in places]

    total = None if found.total is None else line(found.total)
    heads = [found.columns[n].title for n in places]
    short = [places.index(n) for n in left if found.columns[n].width <= _SHORT]
    return table(
        heads,
        [line(row) for row in rows],
        left=[places.index(n) for n in left],
        short=short,
        total=total,
        class_=class_,
    )


def _shown(value: Any, kind: str) -> str:
    if kind == "text" or isinstance(value, str):
        return str(value or "")
    if kind == "money":
        return yuan(value)
    if kind == "percent":
        return "—" if value is None else f"{number(value, 1)}%"
    return (
        number(value, {"count": 0, "ratio": 4, "points": 2}[kind])
        if isinstance(value, int | Decimal)
        else "—"
    )


def _card(name: str, value: str, unit: str, note: str, class_: str = "") -> Html:
    body = el("b", value, el("small", f" {unit}") if unit else None)
    return el("div", el("span", name), body, el("i", note) if note else None, class_=f"card {class_}".strip())
