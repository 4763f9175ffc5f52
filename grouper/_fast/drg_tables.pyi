"""Types of the compiled module; see drg_tables.pyx for what it checks."""

from typing import Any

from typing_extensions import disjoint_base

@disjoint_base
class DrgTables:
    @property
    def results(self) -> int: ...
    def __init__(self, spec: dict[str, Any]) -> None: ...
