"""The text files of a scheme folder: code lists, small CSV tables and ``scheme.toml``.

A list file is a sequence of sections::

    [AA1.proc]
    33.6x00
    37.5100x001
    [AD1.proc] = AA1.proc
    + 52.8000
    - 33.6x00
    [MDCB.dx] = BB1.dx | BR1.dx

A section is the whole list when its codes stand alone. It is a change of the list that
it names when codes carry ``+`` or ``-``: of the lists after ``=``, or else of the base
scheme's list of the same name. ``= NAME`` alone repeats a list without writing it again,
``= NAME | NAME`` is the union of lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from grouper.base.errors import TableError
from grouper.base.tables_in import Row, read_table, read_text
from grouper.base.tables_out import csv_text
from grouper.grouping.tables.compose import composed

Lists = dict[str, frozenset[str]]


def read_lists(path: Path, base: Mapping[str, frozenset[str]], *, capitals: bool = False) -> Lists:
    """The lists of a file on top of ``base``; ``capitals``: names and codes in capitals.

    Raises TableError for a file that is not there or cannot be read.
    """
    text = read_text(path, TableError)
    return parse_lists(text.upper() if capitals else text, base, str(path))


def parse_lists(text: str, base: Mapping[str, frozenset[str]], where: str) -> Lists:
    """All lists of a file, changes applied to ``base``; inherited lists are included.

    Raises TableError naming ``where`` and the section that cannot be read.
    """
    lists: Lists = dict(base)
    before, *sections = ("\n" + text).split("\n[")
    if before.strip():
        raise TableError(
            zh=f"{where}：第一个小节 [名称] 之前有内容；每个编码集合都要先写小节名，且从行首写起",
            en=f"{where}: there is text before the first section [NAME]; every list begins with its name, at "
            "the start of a line",
        )
    for section in sections:
        head, _, body = section.partition("\n")
        name, bracket, alias = head.partition("]")
        parts = [part.strip() for part in alias.strip().removeprefix("=").split("|")] if alias.strip() else []
        if not bracket or not all(part in lists for part in parts):
            raise TableError(
                zh=f"{where}：无法读取小节 [{head}，或它引用的编码集合不存在",
                en=f"{where}: section [{head} cannot be read, or the list it refers to does not exist",
            )
        items = body.split()
        if any("[" in item for item in items):
            raise TableError(
                zh=f"{where} [{name}]：小节名须从行首写起",
                en=f"{where} [{name}]: the name of a section stands at the start of a line",
            )
        if parts or "+" in items or "-" in items:
            old = frozenset().union(*(lists[part] for part in parts)) if len(parts) > 1 else None
            old = lists.get(parts[0] if parts else name, frozenset()) if old is None else old
            lists[name] = _changed(old, items, f"{where} [{name}]") if items else old
        else:
            lists[name] = frozenset(items)
    return lists


def _changed(old: frozenset[str], items: Sequence[str], where: str) -> frozenset[str]:
    """``items`` alternate between a sign and a code."""
    signs, codes = items[0::2], items[1::2]
    if len(signs) != len(codes) or not set(signs) <= {"+", "-"}:
        raise TableError(
            zh=f"{where}：增减行必须都写成“+ 编码”或“- 编码”",
            en=f"{where}: every line of a changed list must be '+ CODE' or '- CODE'",
        )
    plus = {code for sign, code in zip(signs, codes, strict=True) if sign == "+"}
    minus = {code for sign, code in zip(signs, codes, strict=True) if sign == "-"}
    if minus - old or plus & old:
        wrong = min((minus - old) | (plus & old))
        raise TableError(
            zh=f"{where}：{wrong} 的增减与基础集合不符",
            en=f"{where}: the change of {wrong} does not fit the list it changes",
        )
    return (old | plus) - minus


def format_lists(lists: Mapping[str, frozenset[str]], base: Mapping[str, frozenset[str]]) -> str:
    """The shortest text that gives ``lists`` on top of ``base``; equal lists are left out.

    Without a base, unions and near repeats of other lists are written as such, behind the others.
    """
    current = dict(base)  # what a reader of the file knows at this point
    known: dict[frozenset[str], str] = {}
    for name, codes in base.items():
        known.setdefault(codes, name)
    parts: list[str] = []
    made = {} if base else composed(lists)
    for name, codes in lists.items():
        if name in made:
            continue
        old = current.get(name)
        if old == codes:
            continue
        same = known.get(codes)
        if same is not None and len(codes) > 1 and current.get(same) == codes:
            parts.append(f"[{name}] = {same}\n")
        elif old is not None and len(codes ^ old) * 2 < len(codes):
            parts.append(_section(f"[{name}]", old - codes, codes - old))
        else:
            parts.append("\n".join([f"[{name}]", *sorted(codes)]) + "\n")
        current[name] = codes
        known.setdefault(codes, name)
    parts += [_section(f"[{n}] = {' | '.join(c.parts)}", c.minus, c.plus) for n, c in made.items()]
    return "".join(parts)


def _section(head: str, minus: Iterable[str], plus: Iterable[str]) -> str:
    """A section that changes other lists."""
    lines = [head, *(f"- {code}" for code in sorted(minus)), *(f"+ {code}" for code in sorted(plus))]
    return "\n".join(lines) + "\n"


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV table; a missing file has none.

    Raises TableError when the header is not ``columns``.
    """
    return [dict(row.cells) for row in numbered_rows(path, columns)]


def numbered_rows(path: Path, columns: Sequence[str]) -> list[Row]:
    """The same with their numbers in the file."""
    if not path.exists():
        return []
    table = read_table(path, needed=columns, known=(), kind=TableError, strip=False)
    if table.header != tuple(columns):
        raise TableError(
            zh=f"{path}：表头应为 {','.join(columns)}",
            en=f"{path}: the header must be {','.join(columns)}",
        )
    return list(table)


def format_rows(rows: Iterable[Mapping[str, str]], columns: Sequence[str]) -> str:
    """The rows as CSV text with a header and LF line ends."""
    return csv_text(columns, ([row[column] for column in columns] for row in rows))
