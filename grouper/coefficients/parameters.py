"""The auxiliary catalogue (辅助目录) as dated coefficients: a step of its own, behind grouping.

A file of parameters (docs/coefficients.md) has tools, their classes, and a coefficient for each class
from given days on. Of the classes of a case that have a coefficient for its packet on its day of
discharge, **only the highest coefficient counts**; 1 where there is none. Coefficients are whole
ten-thousandths here, never floating-point numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from grouper.base.digests import sha256_of
from grouper.base.errors import TableError, UsageError
from grouper.base.exact import decimal_of, fits
from grouper.base.formats import KEY, format_of
from grouper.base.paths import tables_dir
from grouper.base.shown import Shown
from grouper.base.tables_in import read_table
from grouper.base.toml_in import parse_toml, read_bytes
from grouper.grouping.dip.tables.catalogue import AUX_LEVELS

ONE = 10_000  # a coefficient of 1, in ten-thousandths
EXEMPT = "exempt"  # what stands in place of a tool where a packet is exempt
TABLE_COLUMNS = ("dip_code", "tool", "class", "coefficient", "valid_from", "valid_to")
WHERE = ("secondary", "principal", "any", "procedure")
_BOUNDS = {
    "age": ("min_years", "below_years", "min_days", "below_days"),
    "cci": ("min", "below"),
    "icu": ("min", "below"),
    "severity": ("level",),
    "tumour": ("level",),
    "codes": ("codes",),
    "column": ("value",),
}  # kind of a tool -> what says which cases its classes take
KINDS = tuple(_BOUNDS)
_TOOL = {"name", "kind", "title", "source", "verified", "class", "packets", "except"}
_TOOL_OF = {"severity": {"short_stay"}, "tumour": {"short_stay"}, "codes": {"where"},
            "column": {"column", "none"}}  # fmt: skip
_FILE = {"id", "name", "source", "verified", "valid_from", "valid_to", "table", "tool", "exempt", KEY}
_NAME = re.compile(r"[^\s|=:]+")
_Dated = tuple[tuple[date, "int | None"], ...]


@dataclass(frozen=True)
class Packets:
    """Packets by code or by beginning (``C34*``), in capitals. ``everything``: no list was given."""

    exact: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    everything: bool = False

    def __contains__(self, code: str) -> bool:
        return self.everything or code in self.exact or code.startswith(self.prefixes)


@dataclass(frozen=True)
class Class:
    """One class of a tool. ``test`` is what its kind asks; ``values`` the coefficient from each day on."""

    name: str
    test: Mapping[str, Any]
    packets: Packets
    values: _Dated


@dataclass(frozen=True)
class Tool:
    """A tool of the catalogue with its classes, numbered from ``first`` on over all tools."""

    name: str
    kind: str
    title: str
    source: str
    verified: bool
    classes: tuple[Class, ...]
    first: int
    excluded: Packets
    short_stay: int = 3
    where: str = "secondary"
    column: str = ""
    none: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """The coefficient of one packet and class, instead of the general one; both days included."""

    value: int
    valid_from: date
    valid_to: date


@dataclass(frozen=True)
class Coefficients(Shown):
    """A file of parameters. ``table``: rows by packet (capitals) and number of the class."""

    id: str
    name: str
    source: str
    verified: bool
    valid_from: date
    valid_to: date
    tools: tuple[Tool, ...]
    exempt: Packets
    table: Mapping[str, Mapping[int, Sequence[Row]]]
    digest: str
    unverified: tuple[str, ...]
    starts: tuple[date, ...] = ()  # days on which some coefficient may change; the first is valid_from
    _general: tuple[int, ...] = field(default=(), repr=False)
    _listed: Mapping[str, tuple[int, ...]] = field(default_factory=dict, repr=False)

    def line(self) -> str:
        """What it is, in one line."""
        return f"{self.id}: {len(self.tools)} tools, {self.valid_from} – {self.valid_to}"

    @cached_property
    def classes(self) -> list[tuple[Tool, Class]]:
        """All classes by their number."""
        return [(tool, class_) for tool in self.tools for class_ in tool.classes]

    def rates(self, dip_code: str, day: date) -> dict[int, int]:
        """Coefficients (ten-thousandths) by number of the class, for a packet on a day of validity."""
        code = dip_code.upper()
        if code in self.exempt:
            return {}
        rows = self.table.get(code, {})
        found = {}
        for number in sorted({*self._general, *self._listed.get(code, ()), *rows}):
            own = next((r.value for r in rows.get(number, ()) if r.valid_from <= day <= r.valid_to), None)
            value = self._rate(number, code, day) if own is None else own
            if value is not None:
                found[number] = value
        return found

    def _rate(self, number: int, code: str, day: date) -> int | None:
        tool, class_ = self.classes[number]
        if code not in class_.packets or code in tool.excluded:
            return None
        return next((value for start, value in reversed(class_.values) if start <= day), None)


# --- reading ----------------------------------------------------------------------------------


def names() -> list[str]:
    """The files of parameters that are shipped; all of them are invented examples."""
    return sorted(path.stem for path in (tables_dir() / "dip" / "auxiliary").glob("coefficients-*.toml"))


def load(name: str | Path) -> Coefficients:
    """Parameters by the path of their TOML file, or by the name of a shipped one.

    Raises UsageError when there is no such file, TableError naming the place of what is wrong in it.
    """
    path = tables_dir() / "dip" / "auxiliary" / f"{name}.toml" if str(name) in names() else Path(name)
    if not path.is_file():
        raise UsageError(
            zh=f"--parameters {name}：读不到该文件；可给出 TOML 文件的路径，或内置名称 {'、'.join(names())}",
            en=f"--parameters {name}: there is no such file; give the path of a TOML file, or one of "
            f"{', '.join(names())}",
        )
    content = read_bytes(path, flag="--parameters", kind=TableError)
    data = parse_toml(content, path, flag="--parameters", kind=TableError, exact=True)
    return _Reader(path).read(data, content)


class _Reader:
    """One file of parameters; errors name its path and the place."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, data: Mapping[str, Any], content: bytes) -> Coefficients:
        format_of(data, "coefficients", str(self.path))
        self._known(data, _FILE, "")
        first, last = (self._get(data, key, date, "") for key in ("valid_from", "valid_to"))
        if first > last:
            self._wrong("valid_to", last)
        tools: list[Tool] = []
        for place, item in enumerate(self._get(data, "tool", list, "")):
            tools.append(self._tool(item, f"tool[{place}].", sum(len(t.classes) for t in tools), first, last))
        if len({tool.name for tool in tools}) < len(tools) or EXEMPT in {tool.name for tool in tools}:
            self._wrong("tool.name", [tool.name for tool in tools])
        exempt = [self._exempt(item, f"exempt[{i}].") for i, item in enumerate(data.get("exempt", []))]
        table = self._table(data, tools)
        unverified = [] if self._get(data, "verified", bool, "") else ["file"]
        unverified += [tool.name for tool in tools if not tool.verified]
        unverified += [EXEMPT] if any(not verified for _, verified in exempt) else []
        numbered = [(tool.first + i, c) for tool in tools for i, c in enumerate(tool.classes)]
        beside = self.path.with_name(data["table"]).read_bytes() if "table" in data else b""
        return Coefficients(
            id=self._get(data, "id", str, ""),
            name=self._get(data, "name", str, ""),
            source=self._get(data, "source", str, ""),
            verified=data["verified"],
            valid_from=first,
            valid_to=last,
            tools=tuple(tools),
            exempt=Packets(
                frozenset().union(*(packets.exact for packets, _ in exempt)),
                tuple(prefix for packets, _ in exempt for prefix in packets.prefixes),
            ),
            table=table,
            digest=sha256_of(content + beside),
            unverified=tuple(unverified),
            starts=_starts(first, last, [c for _, c in numbered], table),
            _general=tuple(n for n, c in numbered if c.packets.everything or c.packets.prefixes),
            _listed=_by_packet(numbered),
        )

    def _tool(self, item: Any, place: str, number: int, first: date, last: date) -> Tool:
        kind = self._get(item, "kind", str, place)
        if kind not in KINDS:
            self._wrong(place + "kind", kind)
        self._known(item, _TOOL | _TOOL_OF.get(kind, set()), place)
        packets = self._packets(item.get("packets"), place + "packets")
        classes = []
        for i, each in enumerate(self._get(item, "class", list, place)):
            classes.append(self._class(each, kind, f"{place}class[{i}].", packets, first, last))
        if len({class_.name for class_ in classes}) < len(classes):
            self._wrong(place + "class.name", [class_.name for class_ in classes])
        where = item.get("where", "secondary")
        if where not in WHERE:
            self._wrong(place + "where", where)
        short = item.get("short_stay", 3)
        if type(short) is not int or short < 0:
            self._wrong(place + "short_stay", short)
        return Tool(
            name=self._name(item, place),
            kind=kind,
            title=item.get("title", ""),
            source=self._get(item, "source", str, place),
            verified=self._get(item, "verified", bool, place),
            classes=tuple(classes),
            first=number,
            excluded=self._packets(item.get("except", []), place + "except"),
            short_stay=short,
            where=where,
            column=self._get(item, "column", str, place) if kind == "column" else "",
            none=tuple(item.get("none", ())),
        )

    def _class(self, item: Any, kind: str, place: str, packets: Packets, first: date, last: date) -> Class:
        bounds = _BOUNDS[kind]
        self._known(item, {"name", "packets", "values", *bounds}, place)
        test = {key: item[key] for key in bounds if key in item}
        for key, value in test.items():
            if key == "codes":
                sound = isinstance(value, list) and value and all(isinstance(c, str) and c for c in value)
            elif key == "value":
                sound = isinstance(value, str)
            else:
                sound = isinstance(value, int | Decimal) and not isinstance(value, bool) and value >= 0
            if not sound or (key == "level" and value not in range(AUX_LEVELS[kind])):
                self._wrong(place + key, value)
        if not test:
            self._wrong(place + bounds[0], None)
        own = self._packets(item["packets"], place + "packets") if "packets" in item else packets
        values: dict[date, int | None] = {}
        for text, value in self._get(item, "values", dict, place, {}).items():
            start = self._day(text, place + "values")
            if not first <= start <= last:
                self._wrong(place + "values", text)
            values[start] = None if value == "none" else self._coefficient(value, f"{place}values.{text}")
        return Class(self._name(item, place), test, own, tuple(sorted(values.items())))

    def _exempt(self, item: Any, place: str) -> tuple[Packets, bool]:
        self._known(item, {"packets", "why", "source", "verified"}, place)
        packets = self._packets(self._get(item, "packets", list, place), place + "packets")
        return packets, self._get(item, "verified", bool, place)

    # --- the table of single packets --------------------------------------------------------

    def _table(self, data: Mapping[str, Any], tools: Sequence[Tool]) -> dict[str, dict[int, list[Row]]]:
        if "table" not in data:
            return {}
        path = self.path.with_name(self._get(data, "table", str, ""))
        self.path = path
        numbers = {(t.name, c.name): t.first + i for t in tools for i, c in enumerate(t.classes)}
        found: dict[str, dict[int, list[Row]]] = {}
        table = read_table(path, needed=TABLE_COLUMNS, known=(), kind=TableError)
        for cells in table:
            line = f"line {cells.row}, column "
            if (cells.text("tool"), cells.text("class")) not in numbers:
                self._wrong(line + "class", f"{cells.text('tool')}:{cells.text('class')}")
            row = Row(
                self._coefficient(cells.text("coefficient"), line + "coefficient"),
                self._day(cells.text("valid_from"), line + "valid_from", date.min),
                self._day(cells.text("valid_to"), line + "valid_to", date.max),
            )
            of_packet = found.setdefault(cells.text("dip_code").upper(), {})
            others = of_packet.setdefault(numbers[cells.text("tool"), cells.text("class")], [])
            if any(_overlap(row, other) for other in others):
                self._wrong(line + "valid_from", f"{cells.text('valid_from')} (overlap)")
            others.append(row)
        return found

    # --- values -----------------------------------------------------------------------------

    def _wrong(self, place: str, value: Any) -> NoReturn:
        raise TableError(
            zh=f"{self.path}：{place} 的取值 {value!r} 不可用（见 docs/coefficients.md）",
            en=f"{self.path}: {place}: {value!r} is not valid (see docs/coefficients.md)",
        )

    def _known(self, item: Any, keys: set[str], place: str) -> None:
        if not isinstance(item, Mapping):
            self._wrong(place.rstrip("."), item)
        for key in item:
            if key not in keys:
                self._wrong(place + key, item[key])

    def _get(self, item: Mapping[str, Any], key: str, type_: type, place: str, default: Any = None) -> Any:
        value = item.get(key, default)
        if type(value) is not type_:
            self._wrong(place + key, value)
        return value

    def _name(self, item: Mapping[str, Any], place: str) -> str:
        name: str = self._get(item, "name", str, place)
        return name if _NAME.fullmatch(name) else self._wrong(place + "name", name)

    def _packets(self, given: Any, place: str) -> Packets:
        if given is None:
            return Packets(everything=True)
        if not isinstance(given, list) or not all(isinstance(code, str) and code for code in given):
            self._wrong(place, given)
        codes = [code.upper() for code in given]
        exact = frozenset(code for code in codes if not code.endswith("*"))
        return Packets(exact, tuple(code[:-1] for code in codes if code.endswith("*")))

    def _day(self, text: str, place: str, empty: date | None = None) -> date:
        if not text and empty is not None:
            return empty
        try:
            return date.fromisoformat(text)
        except ValueError:
            self._wrong(place, text)

    def _coefficient(self, value: Any, place: str) -> int:
        number = decimal_of(value)
        if number is None or not (0 < number < 100 and fits(number, 4)):
            self._wrong(place, str(value))
        return int(number.scaleb(4))


def _overlap(one: Row, other: Row) -> bool:
    return one.valid_from <= other.valid_to and other.valid_from <= one.valid_to


def _by_packet(classes: Sequence[tuple[int, Class]]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for number, class_ in classes:
        for code in class_.packets.exact:
            found.setdefault(code, []).append(number)
    return {code: tuple(numbers) for code, numbers in found.items()}


def _starts(
    first: date, last: date, classes: Sequence[Class], table: Mapping[str, Mapping[int, Sequence[Row]]]
) -> tuple[date, ...]:
    """The days within the validity on which a coefficient may change, ``first`` included."""
    rows = [row for of_packet in table.values() for some in of_packet.values() for row in some]
    days = {first, *(start for class_ in classes for start, _ in class_.values)}
    days |= {row.valid_from for row in rows}
    days |= {row.valid_to + timedelta(1) for row in rows if row.valid_to < last}
    return tuple(sorted(day for day in days if first <= day <= last))
