"""What is compared and how, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from grouper.base.provenance import stamped
from grouper.compare.given import Given
from grouper.compare.money import Neutral
from grouper.compare.rows import Counts
from grouper.compare.sides import Side

WEIGHTS = ("taken", "fit", "both")
MOVED = 20  # records that are explained


@dataclass(frozen=True)
class Settings:
    """What is compared and how. ``scheme``, ``policy``: of the new side, "" for that of the old one.
    ``from_scheme``, ``from_policy``: of the old side; a lake tells its own. ``weights``: "taken" from the
    policies, and fitted where none of the scheme is named; "fit": those of the new side are fitted, "both":
    of both.
    ``as_of``: the day whose parameters the new side takes for all cases. ``neutral``: the value of a unit is
    solved so that pools pay what they paid."""

    scheme: str = ""
    policy: str = ""
    from_scheme: str = ""
    from_policy: str = ""
    weights: str = "taken"
    as_of: date | None = None
    neutral: bool = False
    hospitals: str | None = None
    decisions: str | None = None
    period: str | None = None
    area: str | None = None
    moved: int = MOVED
    memory: str = "2GiB"
    threads: int = 2


@dataclass(frozen=True)
class Moved:
    """A record: ``row`` of the input from 1, amounts in yuan (None without policies), lines of both sides."""

    row: int
    record: str
    hospital: str
    before: Decimal | None
    after: Decimal | None
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass
class Compared:
    """What was made. ``counts``: rows, cases and what is no stay. ``unit``: by how much units of the new side
    are divided to be units of the old one. ``written``: rows by table."""

    old: Side
    new: Side
    counts: Counts
    settings: Settings
    given: Given
    folder: Path
    neutral: list[Neutral] = field(default_factory=list)
    unit: Decimal = Decimal(1)
    moved: list[Moved] = field(default_factory=list)
    written: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, dict[str, int]] = field(default_factory=dict)  # cases by status of each side
    total: dict[str, Any] | None = None  # the row of all cases in the table of money
    peak_rss_mib: int | None = None

    @property
    def priced(self) -> bool:
        return self.new.paid is not None

    def provenance(self) -> dict[str, Any]:
        """What made the tables, without anything of the machine."""
        chosen = self.settings
        return stamped(
            kind="compare", **self.given.about, old=self.old.about(), new=self.new.about(),
            rows=self.counts.rows, cases=self.counts.cases, left=dict(self.counts.left),
            options={"weights": chosen.weights, "budget_neutral": chosen.neutral},
            point_values=[
                {"pool": n.pool, "before": n.before and str(n.before), "solved": str(n.solved)}
                for n in self.neutral
            ],
        )  # fmt: skip
