"""What a simulation made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.workbench.simulate.cases import Grounds
from grouper.workbench.simulate.tables import Table, Totals

if TYPE_CHECKING:
    from grouper.grouping.files import Summary
    from grouper.payment.policy.policy import Policy
    from grouper.payment.price.pricing import Priced


@dataclass
class Simulation:
    """What a run made. ``tables``: as in the workbook, by name; ``paths``: what was written.
    ``without_persons``: the policy looks at readmissions and the input has no column of persons."""

    policy: Policy
    summary: Summary
    priced: Priced
    totals: Totals
    whole: Mapping[str, Any]
    grounds: Grounds
    tables: dict[str, Table] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    without_persons: bool = False
    paths: dict[str, Path] = field(default_factory=dict)
    seconds: float = 0.0
    peak_rss_mib: int | None = None
