"""DIP catalogues: found, read, checked, and put together as packets.

A scheme is a folder with ``scheme.toml`` and ``catalogue.csv`` (docs/dip.md). A folder with
``catalogue.csv`` and ``profiles.json`` (several option sets for one catalogue) works too, by its path.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from grouper.dip.options import CLASSES, DipOptions, options_from
from grouper.errors import TableError, UsageError
from grouper.paths import tables_dir
from grouper.schemes import store

Term = tuple[str, ...]  # alternatives, each a code in its official letter case
KINDS = ("core", "local_core", "primary_care", "mixed")
AUX_TYPES = ("severity", "tumour", "cci", "age", "icu")  # in the order that settles equal scores
AUX_LEVELS = {"severity": 6, "tumour": 9, "cci": 4, "age": 6, "icu": 4}
FILES = ("scheme.toml", "catalogue.csv", "extra_groups.csv", "profiles.json")

# Our column, and how published tidy copies of catalogues call it.
COLUMNS = {
    "code": "dip_code",
    "kind": "kind",
    "dx": "dx",
    "procedures": "procedures",
    "related": "related_procedures",
    "treatment": "treatment",
    "aux": "aux_type",
    "score": "score",
    "average_cost": "average_cost",
    "packet": "packet",
    "name": "name",
}
_OPTIONAL = ("aux", "average_cost", "packet")
_TREATMENT_SUFFIX = {"conservative": "BSZL", "diagnostic": "ZDXCZ", "therapeutic": "ZLXCZ", "surgical": "SS"}
_CORE_KEY = re.compile(r"[A-Z][0-9]{2}\.[0-9X]")
_CODE = re.compile(r"[0-9A-Za-z.]+")
_MIXED_KEY = re.compile(r"[A-Z]([0-9]{1,2})?|[A-Z][0-9]{2}-[A-Z][0-9]{2}")


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a catalogue. ``score`` has up to six decimals, ``treatment`` is a class or -1."""

    code: str
    name: str
    kind: str
    dx: str
    procedures: str
    related: str
    treatment: int
    score: Decimal
    average_cost: Decimal | None
    aux: tuple[str, int] | None
    packet: str

    @property
    def order(self) -> str:
        """What code order compares."""
        return self.code.upper()


@dataclass(frozen=True)
class Packet:
    """All rows with one diagnosis key and one requirement: a plain row, variants by class, or both."""

    label: str
    rows: tuple[Row, ...]
    main: tuple[Term, ...]
    related: tuple[Term, ...]

    @property
    def key(self) -> str:
        return self.rows[0].dx

    @property
    def primary_care(self) -> bool:
        return self.rows[0].kind == "primary_care"

    @property
    def treatment(self) -> int:
        return self.rows[0].treatment

    @property
    def plain(self) -> Row | None:
        return next((row for row in self.rows if row.aux is None), None)

    @property
    def variants(self) -> dict[str, dict[int, Row]]:
        """Rows by auxiliary type and level."""
        found: dict[str, dict[int, Row]] = {}
        for row in self.rows:
            if row.aux:
                found.setdefault(row.aux[0], {})[row.aux[1]] = row
        return found

    @property
    def default(self) -> Row:
        """The row without an auxiliary class: the plain one, or the variant with the lowest score."""
        return self.plain or min(self.rows, key=lambda row: (row.score, row.order))


@dataclass(frozen=True)
class Catalogue:
    """A complete scheme: ``rows`` in printed order, packets by key, options and what is known of them."""

    id: str
    name: str
    meta: Mapping[str, Any]
    options: DipOptions
    rows: tuple[Row, ...]
    digest: str
    operative: Mapping[str, tuple[Packet, ...]] = field(repr=False)
    conservative: Mapping[str, tuple[Packet, ...]] = field(repr=False)
    mixed: Mapping[tuple[str, int], tuple[Packet, ...]] = field(repr=False)
    ranges: tuple[Packet, ...] = field(repr=False)
    blank: Row | None = None

    @property
    def aux_types(self) -> frozenset[str]:
        """The auxiliary types that rows of this catalogue use."""
        return frozenset(row.aux[0] for row in self.rows if row.aux)


def scheme_folders() -> dict[str, Path]:
    """The shipped DIP schemes: id to folder."""
    root = tables_dir() / "dip"
    if not root.is_dir():
        return {}
    return {path.name: path for path in sorted(root.iterdir()) if (path / "scheme.toml").is_file()}


def find(name: str, when: date | None = None) -> Path | None:
    """The folder of a DIP scheme by id or path; None when ``name`` is neither.

    Raises UsageError when the scheme does not apply on ``when``.
    """
    folder = scheme_folders().get(name) or Path(name)
    if not (folder / "catalogue.csv").is_file():
        return None
    if (folder / "scheme.toml").is_file():
        meta = store.read_meta(folder)
        low, high = meta.get("valid_from", date.min), meta.get("valid_to", date.max)
        if when and not low <= when <= high:
            raise UsageError(
                zh=f"方案 {meta['id']} 在 {when} 不适用（{low} – {high}）；请改用 --date",
                en=f"scheme {meta['id']} does not apply on {when} ({low} – {high}); change --date",
            )
    return folder


def load(name: str | Path, when: date | None = None, profile: str | None = None) -> Catalogue:
    """A complete DIP scheme by id or folder; ``profile`` chooses among the option sets of a folder.

    Raises UsageError for an unknown name or profile and TableError for broken tables.
    """
    folder = find(str(name), when)
    if folder is None:
        known = ", ".join(scheme_folders())
        raise UsageError(
            zh=f"没有 DIP 方案“{name}”；内置方案：{known}，也可给出含 catalogue.csv 的目录路径",
            en=f"there is no DIP scheme {str(name)!r}; shipped are {known}, "
            "and the path of a folder with catalogue.csv works too",
        )
    meta, options = _meta(folder, profile)
    base = load(_base_folder(folder, meta["base"])) if meta.get("base") else None
    if base:
        options = options_from(meta.get("options", {}), str(folder / "scheme.toml"), base.options)
    rows = [*base.rows] if base else []
    rows += read_rows(folder / "catalogue.csv")
    if options.extra_groups and (folder / "extra_groups.csv").is_file():
        rows += read_rows(folder / "extra_groups.csv")
    return assemble(meta, options, rows, digest(folder, base.digest if base else ""), str(folder))


def _base_folder(folder: Path, base: str) -> Path | str:
    beside = folder.parent / base
    return beside if (beside / "catalogue.csv").is_file() else base


def _meta(folder: Path, profile: str | None) -> tuple[dict[str, Any], DipOptions]:
    """Identity and options of a folder."""
    if (folder / "scheme.toml").is_file():
        if profile is not None:
            raise UsageError(
                zh=f"{folder.name} 只有一组选项，不能使用 --profile {profile}",
                en=f"{folder.name} has one option set; --profile {profile} does not apply",
            )
        meta = store.read_meta(folder)
        return meta, options_from(meta.get("options", {}), str(folder / "scheme.toml"))
    profiles = _profiles(folder)
    if profile is None and len(profiles) == 1:
        profile = next(iter(profiles))
    if profile not in profiles:
        raise UsageError(
            zh=f"{folder} 有多组选项，请用 --profile 选择：{'、'.join(profiles)}",
            en=f"{folder} holds several option sets; choose with --profile: {', '.join(profiles)}",
        )
    chosen = profiles[profile]
    meta = {"id": profile, "name": profile, "area": folder.name, "status": chosen.get("status", {})}
    return meta, options_from(chosen.get("options", {}), str(folder / "profiles.json"))


def _profiles(folder: Path) -> dict[str, Any]:
    path = folder / "profiles.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(
            zh=f"{folder} 既没有 scheme.toml，也读不了 profiles.json：{error}",
            en=f"{folder} has no scheme.toml, and profiles.json cannot be read: {error}",
        ) from error
    if not isinstance(found, dict) or not all(isinstance(item, dict) for item in found.values()):
        raise TableError(zh=f"{path} 应为选项组的对象", en=f"{path} must be an object of option sets")
    return found


def digest(folder: Path, base: str = "") -> str:
    """SHA-256 over the files of the folder and the digest of its base."""
    total = hashlib.sha256(base.encode())
    for name in FILES:
        path = folder / name
        if path.exists():
            total.update(f"{name}:{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


# --- reading ----------------------------------------------------------------------------------


def read_rows(path: Path) -> list[Row]:
    """The rows of a catalogue file, in our column names or those of published tidy copies.

    Raises TableError naming file, line and column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(zh=f"无法读取 {path}：{error}", en=f"cannot read {path}: {error}") from error
    reader = csv.reader(text.splitlines())
    header = next(reader, [])
    where = {name: header.index(n) for name, o in COLUMNS.items() for n in (name, o) if n in header}
    level = header.index("aux_level") if "aux_level" in header else None
    missing = [name for name in COLUMNS if name not in where and name not in _OPTIONAL]
    if missing:
        raise TableError(
            zh=f"{path} 第 1 行缺少列 {missing[0]}", en=f"{path}, line 1: the column {missing[0]} is missing"
        )
    rows = []
    for cells in reader:
        if len(cells) != len(header):
            _broken(path, reader.line_num, "", f"{len(cells)} ≠ {len(header)}")
        found = dict.fromkeys(_OPTIONAL, "") | {name: cells[place].strip() for name, place in where.items()}
        if level is not None and found["aux"]:
            found["aux"] = f"{found['aux']}:{cells[level].strip()}"
        rows.append(_row(found, path, reader.line_num))
    return rows


def _broken(path: Path, line: int, column: str, value: str) -> None:
    shown = f" {column}" if column else ""
    raise TableError(
        zh=f"{path} 第 {line} 行{'列' if column else ''}{shown}：取值 {value!r} 不可用",
        en=f"{path}, line {line}{', column' if column else ''}{shown}: {value!r} is not valid",
    )


def _row(cells: Mapping[str, str], path: Path, line: int) -> Row:
    kind, treatment = cells["kind"], cells["treatment"]
    dx = cells["dx"].upper()
    mixed = kind == "mixed"
    blank = mixed and not dx  # the blank packet (空白病种), which only an option can reach
    checks = {
        "code": bool(cells["code"]) and "|" not in cells["code"],
        "kind": kind in KINDS,
        "dx": blank or bool((_MIXED_KEY if mixed else _CORE_KEY).fullmatch(dx)),
        "treatment": treatment == "" if not mixed or blank else treatment in CLASSES,
        "procedures": _sound_terms(cells["procedures"]) and not (mixed and cells["procedures"]),
        "related": _sound_terms(cells["related"]) and not (cells["related"] and not cells["procedures"]),
        "aux": _aux(cells["aux"]) is not None or not cells["aux"],
        "score": _decimal(cells["score"]) is not None,
        "average_cost": not cells["average_cost"] or _decimal(cells["average_cost"]) is not None,
    }
    for column, sound in checks.items():
        if not sound:
            _broken(path, line, column, cells[column])
    score = _decimal(cells["score"])
    assert score is not None
    return Row(
        code=cells["code"],
        name=cells["name"],
        kind=kind,
        dx=dx,
        procedures=cells["procedures"],
        related=cells["related"],
        treatment=CLASSES.index(treatment) if treatment else -1,
        score=score,
        average_cost=_decimal(cells["average_cost"]),
        aux=_aux(cells["aux"]),
        packet=cells["packet"] or _label(cells),
    )


def _label(cells: Mapping[str, str]) -> str:
    """The canonical code of a packet, where the catalogue prints no other."""
    if cells["treatment"]:
        return f"{cells['dx']}:{_TREATMENT_SUFFIX[cells['treatment']]}"
    parts = [cells["procedures"], cells["related"]]
    return ":".join(filter(None, [cells["dx"], "_".join(filter(None, parts))])) or cells["code"]


def _sound_terms(text: str) -> bool:
    return not text or all(_CODE.fullmatch(code) for term in text.split("+") for code in term.split("/"))


def terms(text: str) -> tuple[Term, ...]:
    """``a/b+c`` as ((a, b), (c,)): "+" joins what must all be met, "/" alternatives."""
    return tuple(tuple(term.split("/")) for term in text.split("+")) if text else ()


def _aux(text: str) -> tuple[str, int] | None:
    type_, _, level = text.partition(":")
    known = type_ in AUX_LEVELS and level.isdecimal() and int(level) < AUX_LEVELS[type_]
    return (type_, int(level)) if known else None


def _decimal(text: str) -> Decimal | None:
    """A number from 0 with at most six decimals, or None."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    fits = value.is_finite() and 0 <= value < 10**12 and value == round(value, 6)
    return value if fits else None


# --- packets ----------------------------------------------------------------------------------


def assemble(
    meta: Mapping[str, Any], options: DipOptions, rows: Sequence[Row], digest_: str, where: str
) -> Catalogue:
    """A catalogue from its rows. Raises TableError for repeated codes or rows that contradict."""
    seen: set[str] = set()
    for row in rows:
        if row.order in seen:
            raise TableError(zh=f"{where}：病种编码 {row.code} 重复", en=f"{where}: {row.code} stands twice")
        seen.add(row.order)
    packets = list(_packets([row for row in rows if row.dx], where))
    keyed = [packet for packet in packets if packet.treatment < 0]
    mixed = [packet for packet in packets if packet.treatment >= 0]
    return Catalogue(
        id=str(meta["id"]),
        name=str(meta["name"]),
        meta=meta,
        options=options,
        rows=tuple(rows),
        digest=digest_,
        operative=_by_key([packet for packet in keyed if packet.main]),
        conservative=_by_key([packet for packet in keyed if not packet.main]),
        mixed=_mixed([packet for packet in mixed if "-" not in packet.key]),
        ranges=tuple(packet for packet in mixed if "-" in packet.key),
        blank=_blank(options.blank_code, rows, where),
    )


def _packets(rows: Sequence[Row], where: str) -> Iterator[Packet]:
    grouped: dict[tuple[bool, str], list[Row]] = {}
    for row in rows:
        grouped.setdefault((row.kind == "primary_care", row.packet.upper()), []).append(row)
    for members in grouped.values():
        first = members[0]
        needs = {(r.dx, r.procedures.upper(), r.related.upper(), r.treatment) for r in members}
        classes = [row.aux for row in members]
        if len(needs) > 1 or len(set(classes)) < len(classes):
            raise TableError(
                zh=f"{where}：病种组合 {first.packet} 的各行要求不一致或辅助分型重复",
                en=f"{where}: the rows of packet {first.packet} differ in what they ask, or repeat a class",
            )
        yield Packet(first.packet, tuple(members), terms(first.procedures), terms(first.related))


def _by_key(packets: Sequence[Packet]) -> dict[str, tuple[Packet, ...]]:
    found: dict[str, list[Packet]] = {}
    for packet in packets:
        found.setdefault(packet.key, []).append(packet)
    return {key: tuple(members) for key, members in found.items()}


def _mixed(packets: Sequence[Packet]) -> dict[tuple[str, int], tuple[Packet, ...]]:
    found: dict[tuple[str, int], list[Packet]] = {}
    for packet in packets:
        found.setdefault((packet.key, packet.treatment), []).append(packet)
    return {key: tuple(members) for key, members in found.items()}


def _blank(code: str, rows: Sequence[Row], where: str) -> Row | None:
    row = next((row for row in rows if row.code == code), None)
    if code and row is None:
        raise TableError(
            zh=f"{where}：选项 blank_code 的病种 {code} 不在目录中",
            en=f"{where}: the catalogue has no row {code}, which option blank_code names",
        )
    return row
