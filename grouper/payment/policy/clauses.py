"""The clauses of the national documents (``tables/policies/national/clauses.csv``) that policies rest on.

A clause stands in a document that is in force or a draft. A value of a policy cites clauses by their ids
(``clause = "p26"``): source and article come from here. What rests on a draft can never count as verified.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from grouper.base.errors import TableError
from grouper.base.paths import tables_dir
from grouper.base.tables_in import Row, read_table

STATUSES = ("in-force", "draft")
USES = ("parameter", "deadline", "validity", "none")
RULES = ("equals", "at_most", "between", "about", "one_of", "includes", "allowed", "by", "from", "")
_DOCUMENT = (
    "document",
    "title",
    "title_en",
    "number",
    "issued",
    "status",
    "from",
    "to",
    "verified",
    "source",
)
_CLAUSE = (
    "clause", "document", "article", "zh", "en", "use", "parameter", "methods", "rule", "value", "unit",
    "reason_zh", "reason_en",
)  # fmt: skip


@dataclass(frozen=True)
class Document:
    """``start``: a day from which it surely holds (None: a draft). ``verified``: its own text was read."""

    id: str
    title: str
    title_en: str
    number: str
    issued: str
    status: str
    start: date | None
    end: date
    verified: bool
    source: str

    @property
    def in_force(self) -> bool:
        return self.status == "in-force"

    @property
    def named(self) -> str:
        """As sources name it."""
        return f"《{self.title}》" + (f"（{self.number}）" if self.number else "")


@dataclass(frozen=True)
class Clause:
    """What a document says. ``use``: of a parameter (``rule`` and ``value`` for policies of ``methods``, all
    where empty), a deadline (of the year ``unit``), a validity, or none, with the reason."""

    id: str
    document: Document
    article: str
    zh: str
    en: str
    use: str
    parameter: str
    methods: tuple[str, ...]
    rule: str
    value: str
    unit: str
    reason_zh: str
    reason_en: str


def documents() -> dict[str, Document]:
    """Every document by its id."""
    return _documents(tables_dir() / "policies" / "national" / "documents.csv")


def clauses() -> dict[str, Clause]:
    """Every clause by its id, in the order of the documents."""
    return _clauses(tables_dir() / "policies" / "national" / "clauses.csv")


def deadlines() -> dict[int, Clause]:
    """The clause that says until when a year is to be cleared, by year."""
    return {int(c.unit): c for c in clauses().values() if c.use == "deadline"}


def deadline(year: int) -> tuple[date, Clause] | None:
    """The last day for clearing a year, and the clause that says so; None for a year that none speaks of.

    Years after the last that is named are cleared by the same day, one year later each, as the plan says.
    """
    known = deadlines()
    if not known or year < min(known):
        return None
    clause = known.get(year) or known[max(known)]
    day = date.fromisoformat(clause.value)
    return day.replace(year=day.year + max(0, year - int(clause.unit))), clause


def cite(ids: Sequence[str]) -> tuple[str, str]:
    """Source and article of a value that rests on clauses. Raises KeyError for an id that is none."""
    found = [clauses()[one] for one in ids]
    if len(found) == 1:
        return found[0].document.named, found[0].article
    return "；".join(f"{clause.document.named}{clause.article}" for clause in found), ""


@lru_cache(maxsize=4)
def _documents(path: Path) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for row in read_table(path, needed=_DOCUMENT, known=(), kind=TableError):
        _one_of(row, "status", STATUSES)
        _one_of(row, "verified", ("true", "false"))
        start = _day(row, "from")
        if (start is None) == (row.text("status") == "in-force"):
            raise row.error(
                "from", "现行文件须有起始日期，征求意见稿不得有", "in force from a day, a draft never"
            )
        found[row.text("document")] = Document(
            id=row.text("document"),
            title=row.text("title"),
            title_en=row.text("title_en"),
            number=row.text("number"),
            issued=row.text("issued"),
            status=row.text("status"),
            start=start,
            end=_day(row, "to") or date.max,
            verified=row.text("verified") == "true",
            source=row.text("source"),
        )
    return found


@lru_cache(maxsize=4)
def _clauses(path: Path) -> dict[str, Clause]:
    found: dict[str, Clause] = {}
    for row in read_table(path, needed=_CLAUSE, known=(), kind=TableError):
        _one_of(row, "document", tuple(documents()))
        _one_of(row, "use", USES)
        _one_of(row, "rule", RULES)
        if row.text("clause") in found:
            raise row.error("clause", "条款重复", "this clause is there twice")
        if (row.text("use") == "none") == (not row.text("reason_zh")):
            raise row.error("reason_zh", "不作参数的条款须说明原因", "a clause without use has a reason")
        found[row.text("clause")] = Clause(
            id=row.text("clause"),
            document=documents()[row.text("document")],
            article=row.text("article"),
            zh=row.text("zh"),
            en=row.text("en"),
            use=row.text("use"),
            parameter=row.text("parameter"),
            methods=tuple(filter(None, row.text("methods").split("|"))),
            rule=row.text("rule"),
            value=row.text("value"),
            unit=row.text("unit"),
            reason_zh=row.text("reason_zh"),
            reason_en=row.text("reason_en"),
        )
    return found


def _one_of(row: Row, column: str, words: Sequence[str]) -> None:
    if row.text(column) not in words:
        raise row.error(column, f"应为 {'、'.join(words)} 之一", f"is one of {', '.join(words)}")


def _day(row: Row, column: str) -> date | None:
    text = row.text(column)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise row.error(column, "应为 YYYY-MM-DD", "should be YYYY-MM-DD") from error
