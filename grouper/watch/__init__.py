"""Fund watch: the indicators of reform plans from a lake's current tables, with their warning lines.

    from grouper.watch import watch
    rows = watch(connection, "lishui", "2025Q2", facts="facts.toml")

Definitions and lines are data (``tables/watch``); docs/watch.md lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grouper.base.lazy import lazy

if TYPE_CHECKING:
    from grouper.watch.deadlines import open_clearings
    from grouper.watch.definitions import Indicators, load
    from grouper.watch.facts import Facts, read_facts
    from grouper.watch.lake import open_lake
    from grouper.watch.table import SCHEMA, flagged, watch

_HOME = {
    "Facts": "facts",
    "Indicators": "definitions",
    "SCHEMA": "table",
    "flagged": "table",
    "load": "definitions",
    "open_clearings": "deadlines",
    "open_lake": "lake",
    "read_facts": "facts",
    "watch": "table",
}
__all__ = [
    "SCHEMA",
    "Facts",
    "Indicators",
    "flagged",
    "load",
    "open_clearings",
    "open_lake",
    "read_facts",
    "watch",
]


__getattr__, __dir__ = lazy(__name__, _HOME)
