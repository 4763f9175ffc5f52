"""The tables of docs/watch.md, made from the shipped indicators.

    python -m grouper.watch.listing docs/watch.md

A test fails when the page no longer says what the files say.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from grouper.base.paths import tables_dir
from grouper.base.whole import write_text
from grouper.watch.definitions import UNITS, Indicator, load

BEGIN, END = "<!-- indicators -->", "<!-- end of indicators -->"


def page(text: str) -> str:
    """``text`` with the part between BEGIN and END made anew."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{listing()}\n\n{END}{rest.split(END)[1]}"


def listing() -> str:
    """The common indicators, then what each area sets of its own."""
    common = load("common").indicators
    parts = ["### Common", _definitions(common)]
    known = {item.id: item for item in common}
    for path in sorted((tables_dir() / "watch").glob("*.toml")):
        if path.stem == "common":
            continue
        area = load(path.stem)
        own = [item for item in area.indicators if item != known.get(item.id)]
        new = [item for item in own if item.id not in known]
        parts += [f"### {area.name_en}", _numbers(own)]
        if new:
            parts.append(_definitions(new))
    return "\n\n".join(parts)


def _definitions(items: Sequence[Indicator]) -> str:
    head = ("`indicator`", "what", "definition", "formula", "unit", "lines", "verified")
    rows = [
        (
            f"`{item.id}`",
            f"{item.zh} {item.en}",
            item.definition_en,
            f"`{item.formula}`",
            UNITS[item.unit][2],
            _lines(item),
            _verified(item),
        )
        for item in items
    ]
    return _table([head, *rows])


def _numbers(items: Sequence[Indicator]) -> str:
    head = ("`indicator`", "base", "target", "kind", "lines", "not verified")
    rows = [
        (
            f"`{item.id}`",
            f"{item.base.value} ({item.base.at})" if item.base else "–",
            f"{item.target.wanted} ({item.target.by})" if item.target else "–",
            item.target.kind if item.target else "–",
            _lines(item),
            ", ".join(item.unverified) or "–",
        )
        for item in items
    ]
    return _table([head, *rows])


def _lines(item: Indicator) -> str:
    if item.lines is None:
        return "–"
    parts = (("watch", item.lines.watch), ("alarm", item.lines.alarm))
    return "; ".join(f"{name} {', '.join(map(str, each))}" for name, each in parts if each)


def _verified(item: Indicator) -> str:
    return f"not {', '.join(item.unverified)}" if item.unverified else "yes"


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def main() -> None:
    path = Path(sys.argv[1])
    write_text(path, page(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
