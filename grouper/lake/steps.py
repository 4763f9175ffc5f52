"""What is done with a settlement after it was made: steps, each a run of the ledger and a link of the chain.

A step has a kind of its own, the area and the period of the run that it is about, and no tables. What it says
stands in ``options_json``: ``of``, the run, and what its kind has beside. So a step is hashed, kept in
``chain/``, repaired and signed as every run is.

Only ``counted`` runs are built upon: those that were settled directly, and drafts that were approved.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grouper.base.version import VERSION
from grouper.lake import commit
from grouper.lake.formats import FORMAT
from grouper.lake.layout import Lake
from grouper.lake.ledger import Record, opened

SETTLED = ("settle", "clear")
REVIEW, APPROVE, REJECT, ORDER, PAID, OPTIONS = "review", "approve", "reject", "order", "paid", "options"
STATEMENTS, OBJECTIONS, DECISIONS, EXPORT = "statements", "objections", "decisions", "export"
# Steps about one run, which they name; and those of the lake or of several runs.
OF_RUN = (REVIEW, APPROVE, REJECT, ORDER, PAID, STATEMENTS, OBJECTIONS)
KINDS = (*OF_RUN, OPTIONS, DECISIONS, EXPORT)
_COLUMNS = ("run", "kind", "area", "period", "started_by", "as_of", "note", "voids", "options_json")


@dataclass(frozen=True)
class Entry:
    """A run, or a step, as the ledger lists it. ``says``: its ``options_json``."""

    run: str
    kind: str
    area: str = ""
    period: str = ""
    who: str = ""
    when: str = ""
    note: str = ""
    voids: tuple[str, ...] = ()
    says: Mapping[str, Any] = field(default_factory=dict)

    @property
    def draft(self) -> bool:
        """Whether it was settled as a draft, approved since or not."""
        return self.kind in SETTLED and self.says.get("draft") is True

    @property
    def of(self) -> str:
        """The run that a step is about; "" of a run."""
        return "" if self.kind in SETTLED else str(self.says.get("of", ""))

    @property
    def key(self) -> tuple[str, str, str]:
        """What one run can be valid for: area, kind, period."""
        return self.area, self.kind, self.period


def entries(lake: Lake, before: str | None = None) -> list[Entry]:
    """Runs and steps in order, ``before`` one of them or all; [] where there is no ledger."""
    if not lake.ledger.is_file():
        return []
    with opened(lake) as connection:
        rows = connection.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM runs WHERE ?::VARCHAR IS NULL OR run < ? ORDER BY run",
            [before, before],
        ).fetchall()
    return [entry_of(dict(zip(_COLUMNS, row, strict=True))) for row in rows]


def entry_of(row: Mapping[str, Any]) -> Entry:
    """A row of ``runs``; what is no JSON says nothing."""
    try:
        says = json.loads(row["options_json"] or "{}")
    except ValueError:
        says = {}
    voids = tuple(run for run in str(row["voids"] or "").split(",") if run)
    area, period, who, when, note = (
        str(row[name] or "") for name in ("area", "period", "started_by", "as_of", "note")
    )
    return Entry(
        row["run"], row["kind"], area, period, who, when, note, voids, says if isinstance(says, dict) else {}
    )


def uncounted(found: Iterable[Entry]) -> set[str]:
    """Drafts that nobody approved, and steps, which are no settlements."""
    listed = list(found)
    approved = {entry.of for entry in listed if entry.kind == APPROVE}
    return {
        entry.run
        for entry in listed
        if entry.kind not in SETTLED or (entry.draft and entry.run not in approved)
    }


def current(found: Sequence[Entry]) -> dict[tuple[str, str, str], str]:
    """Area, kind and period to the valid run: the last one that counts, unless a later one voids it."""
    out = uncounted(found)
    last: dict[tuple[str, str, str], str] = {}
    void: set[str] = set()
    for entry in found:
        if entry.run not in out:
            last[entry.key] = entry.run
            void.update(entry.voids)
    return {key: run for key, run in last.items() if run not in void}


def pending(found: Sequence[Entry]) -> dict[tuple[str, str, str], Entry]:
    """Drafts that wait: neither approved nor rejected, and nothing was settled for their period since."""
    ended = {entry.of for entry in found if entry.kind in (APPROVE, REJECT)}
    last = {entry.key: entry for entry in found if entry.kind in SETTLED}
    return {key: entry for key, entry in last.items() if entry.draft and entry.run not in ended}


def enter(
    lake: Lake,
    run: str,
    kind: str,
    about: Entry | None,
    says: Mapping[str, Any],
    *,
    who: str,
    when: str = "",
    note: str = "",
    rows: Mapping[str, list[dict[str, Any]]] | None = None,
) -> str:
    """Put a step into the chain and the ledger, as ``run`` of ``commit.new_run``; returns its hash.

    ``about``: the run it concerns; ``rows``: what it has in other tables of the ledger.
    """
    told = {**says, "of": about.run} if about else dict(says)
    area, period = (about.area, about.period) if about else ("", "")
    own = {
        "run": run, "kind": kind, "area": area, "period": period,
        "started_by": who, "note": note, "as_of": when, "software": VERSION, "voids": "", "format": FORMAT,
        "options_json": json.dumps(told, ensure_ascii=False, sort_keys=True),
    }  # fmt: skip
    return commit.commit(lake, Record(own, dict(rows or {})))


def of_run(found: Sequence[Entry], run: str, kinds: Collection[str] = KINDS) -> list[Entry]:
    """The steps about a run, in order."""
    return [entry for entry in found if entry.of == run and entry.kind in kinds]
