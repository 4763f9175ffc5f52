"""The files of a month and how each is read: of the command line, or of a list of inputs (``--inputs``).

The options of the command line are those of its files. A file of the list has what the list says of it, and
nothing else: map, layout, format, encoding, sheet and header row are its own. docs/records.md has the keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.base.formats import KEY, format_of
from grouper.base.tables_in import near
from grouper.base.toml_in import read_toml
from grouper.records.columns import LAYOUTS, MAX_HEADER_ROW, load_map
from grouper.records.source import FORMATS
from grouper.settlement.intake import InputFile, Reading

FLAG = "--inputs"
ROLES = ("input", "correction")
_TEXTS = ("path", "columns", "layout", "format", "encoding", "sheet")
_KEYS = (*_TEXTS, "header_row")
_CHOICES = {"layout": LAYOUTS, "format": FORMATS}


@dataclass(frozen=True)
class Given:
    """A file as it is named; paths as they are opened. ``where``: its place in the list of inputs; empty for
    files of the command line, of which its options tell the rest. ``header_row``: 0 where nothing is said."""

    role: str
    path: str
    columns: str = ""
    layout: str = ""
    format: str = ""
    encoding: str = ""
    sheet: str = ""
    header_row: int = 0
    where: str = ""

    @property
    def told(self) -> bool:
        """Something is said of how to read it: it holds settlement lists, not decisions."""
        return bool(self.where and any(getattr(self, name) for name in _KEYS[1:]))


def given_files(inputs: Sequence[str], corrections: Sequence[str], listed: str) -> list[Given]:
    """All files with settlement lists or decisions: of the command line, then of the list ``listed``.

    Raises UsageError where there is no input, or that names file and key of the list.
    """
    named = [("input", path) for path in inputs] + [("correction", path) for path in corrections]
    found = [Given(role, path) for role, path in named]
    if listed:
        found += read_inputs(listed)
    if not any(each.role == "input" for each in found):
        raise UsageError(
            zh="没有输入文件；请用 --input 给出，或在 --inputs 的清单中写 [[input]]",
            en="there is no input; name files with --input, or as [[input]] in the list of --inputs",
        )
    return found


def read_inputs(path: str) -> list[Given]:
    """The files of a list of inputs, inputs first. Raises UsageError that names file and key."""
    raw = read_toml(path, flag=FLAG)
    format_of(raw, "inputs", path, UsageError)
    _known(raw, (*ROLES, KEY), path, "")
    found = []
    for role in ROLES:
        entries = raw.get(role, [])
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            raise _error(path, role, f"应为 [[{role}]]", f"should be [[{role}]]")
        found += [_given(role, entry, path, f"{role}[{number}]") for number, entry in enumerate(entries, 1)]
    return found


def _given(role: str, entry: Mapping[str, Any], where: str, key: str) -> Given:
    _known(entry, _KEYS, where, key)
    for name in _TEXTS:
        if not isinstance(entry.get(name, ""), str):
            raise _error(where, f"{key}.{name}", "应为文字（加引号）", "should be a text, in quotes")
    for name, known in _CHOICES.items():
        if (value := entry.get(name, "")) and value not in known:
            raise _error(
                where, f"{key}.{name}", f"{value!r} 不认识；可用 {'、'.join(known)}",
                f"{value!r} is unknown; there are {', '.join(known)}",
            )  # fmt: skip
    row = entry.get("header_row", 0)
    if type(row) is not int or ("header_row" in entry and not 1 <= row <= MAX_HEADER_ROW):
        raise _error(
            where, f"{key}.header_row", f"应为 1 至 {MAX_HEADER_ROW}", f"should be from 1 to {MAX_HEADER_ROW}"
        )
    files = {name: _file(entry.get(name, ""), where, f"{key}.{name}") for name in ("path", "columns")}
    if not files["path"]:
        raise _error(where, f"{key}.path", "缺失", "is missing")
    texts = {name: entry.get(name, "") for name in _TEXTS} | files
    return Given(role, **texts, header_row=row, where=f"{where}: {key}")


def _file(name: str, where: str, key: str) -> str:
    """A file that stands beside the list, unless its path is absolute."""
    if not name:
        return ""
    path = Path(where).parent / name
    if not path.exists():
        raise _error(where, key, f"没有文件 {path}", f"there is no file {path}")
    return str(path)


def reading_of(given: Given, reading: Reading) -> Reading:
    """How a file is read; ``reading``: of the policy, with what the command line says.

    Raises UsageError that names the list and its key beside the map at fault.
    """
    if not given.where:
        return reading
    columns = None
    if given.columns:
        try:
            columns = load_map(given.columns)
        except UsageError as error:
            told = f"{given.where}.columns"
            raise UsageError(zh=f"{told}：{error.zh}", en=f"{told}: {error.en}") from error
    return replace(
        reading, columns=columns, layout=given.layout or None, input_format=given.format or None,
        encoding=given.encoding or None, sheet=given.sheet or None, header_row=given.header_row or None,
    )  # fmt: skip


def input_files(found: Sequence[Given], reading: Reading) -> tuple[InputFile, ...]:
    """The files in the order in which they are read, each with its own way and a name of its own: two sheets
    of a workbook have theirs in it."""
    paths = [each.path for each in found]
    names = [Path(each.path).name for each in found]
    return tuple(
        InputFile(
            each.role, each.path, reading_of(each, reading),
            f"{name}[{each.sheet}]" if each.sheet and paths.count(each.path) > 1 else name,
        )
        for each, name in zip(found, names, strict=True)
    )  # fmt: skip


def _known(raw: Mapping[str, Any], known: Sequence[str], where: str, key: str) -> None:
    for name in raw:
        if name not in known:
            hint_zh, hint_en = near(name, known)
            raise _error(
                where, f"{key}.{name}" if key else name, f"未知的键{hint_zh}；可用 {'、'.join(known)}",
                f"unknown key{hint_en}; there are {', '.join(known)}",
            )  # fmt: skip


def _error(where: str, key: str, zh: str, en: str) -> UsageError:
    return UsageError(zh=f"{where}（{FLAG}）：{key}：{zh}", en=f"{where} ({FLAG}): {key}: {en}")
