"""The section of ``docs/settlement.md`` about the relations of a month, made from their declarations.

    python -m grouper.settlement.relations_page docs/settlement.md

A test fails when the page no longer says what is declared.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from grouper.base.whole import write_text
from grouper.settlement.relations import FILES, OF_THE_LAKE, RELATIONS, Column, Relation

_BLOCK = re.compile(r"(<!-- relations: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def stream() -> str:
    """Where each relation comes from and where it goes, in the order of a month."""
    lines = ["| relation | what | made by | from | read by |", "|---|---|---|---|---|"]
    for each in RELATIONS:
        ways = (_codes(names) for names in (each.makers, each.sources, each.readers))
        cells = [f"`{each.name}`", each.what, *ways]
        lines.append(f"| {' | '.join(cells)} |")
    for name, what, readers in OF_THE_LAKE:
        lines.append(f"| `{name}` | {what} | `grouper.lake.views` |  | {_codes(readers)} |")
    for name, what, makers, readers in FILES:
        lines.append(f"| `{name}` | {what} | {_codes(makers)} |  | {_codes(readers)} |")
    return "\n".join(lines)


def columns() -> str:
    """The columns of each relation by their unit; in brackets those that not every month has."""
    lines = ["| relation | columns |", "|---|---|"]
    lines += [f"| `{each.name}` | {_columns(each)} |" for each in RELATIONS]
    return "\n".join(lines)


def _columns(relation: Relation) -> str:
    units: dict[str, list[Column]] = {}
    for column in relation.columns:
        units.setdefault(f"{column.kind.unit}, {column.kind.sql}", []).append(column)
    told = [f"{unit}: {', '.join(_name(column) for column in own)}" for unit, own in units.items()]
    return "; ".join([*told, *(["and what the records of the lake have"] if relation.more else [])])


def _name(column: Column) -> str:
    return f"`{column.name}`" if column.needed else f"[`{column.name}`]"


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def fill(page: str) -> str:
    """The page with the tables made anew."""
    tables = {"stream": stream, "columns": columns}
    return _BLOCK.sub(lambda found: f"{found[1]}{tables[found[2]]()}\n{found[3]}", page)


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/settlement.md")
    write_text(path, fill(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
