"""DIP catalogues: found, read, checked, and put together as packets.

A scheme is a folder with ``scheme.toml`` and ``catalogue.csv`` (docs/dip.md). A folder with
``catalogue.csv`` and ``profiles.json`` (several option sets for one catalogue) works too, by its path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from grouper.base.errors import TableError, UsageError
from grouper.base.shown import Shown
from grouper.grouping.dip.names import Names
from grouper.grouping.dip.options import CLASSES, DipOptions, options_from
from grouper.grouping.dip.tables.packets import AUX_LEVELS as AUX_LEVELS
from grouper.grouping.dip.tables.packets import AUX_TYPES as AUX_TYPES
from grouper.grouping.dip.tables.packets import (
    KINDS,
    Packet,
    Row,
    aux_of,
    broken,
    lines_of,
    one_notation,
    score_of,
    sound_terms,
    terms,
)
from grouper.grouping.dip.tables.packets import Term as Term
from grouper.grouping.dip.tables.rule_files import (
    LISTS,
    SCORES,
    read_exclusions,
    read_lists,
    read_primary_care,
    read_rules,
    read_scores,
    scored,
    scored_rule,
)
from grouper.grouping.dip.tables.rules import (
    EXCLUSIONS,
    NO_EXCLUSIONS,
    PRIMARY_CARE,
    RULES,
    Chain,
    Exclusions,
    Rule,
    chain_of,
)
from grouper.grouping.tables.folders import (
    META,
    base_folder,
    check_bases,
    check_date,
    digest,
    read_meta,
    shipped,
)
from grouper.records.jsonfile import json_value

FILES = (
    *("scheme.toml", "catalogue.csv", "extra_groups.csv", "profiles.json", RULES, EXCLUSIONS, PRIMARY_CARE),
    *(LISTS, SCORES),
)

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
_MIXED_KEY = re.compile(r"[A-Z]([0-9]{1,2})?|[A-Z][0-9]{2}-[A-Z][0-9]{2}")


@dataclass(frozen=True)
class Catalogue(Shown):
    """A complete scheme: ``rows`` in printed order, packets by key, options and what is known of them.

    ``rows`` ends with those of the rules of ``chain``. ``primary_care``: the packets (in capitals) of an
    overlay list, None where the catalogue has none.
    """

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
    chain: Chain = field(default=Chain(), repr=False)
    primary_care: frozenset[str] | None = None

    def line(self) -> str:
        """What it is, in one line."""
        return f"{self.id}: {len(self.rows):,} DIP"

    @property
    def entries(self) -> tuple[Row, ...]:
        """The rows without those of rules."""
        return self.rows[: len(self.rows) - len(self.chain.rules)]

    @property
    def aux_types(self) -> frozenset[str]:
        """The auxiliary types that rows of this catalogue use."""
        return frozenset(row.aux[0] for row in self.rows if row.aux)


def scheme_folders() -> dict[str, Path]:
    """The shipped DIP schemes: id to folder."""
    return shipped("dip")


def find(name: str, when: date | None = None) -> Path | None:
    """The folder of a DIP scheme by id or path; None when ``name`` is neither.

    Raises UsageError when the scheme does not apply on ``when``.
    """
    folder = scheme_folders().get(name) or Path(name)
    if not (folder / "catalogue.csv").is_file():
        return None
    if (folder / "scheme.toml").is_file():
        check_date(read_meta(folder), when)
    return folder


def load(name: str | Path, when: date | None = None, profile: str | None = None) -> Catalogue:
    """A complete DIP scheme by id or folder; ``profile`` chooses among the option sets of a folder.

    Raises UsageError for an unknown name or profile and TableError for broken tables.
    """
    folder = find(str(name), when)
    if folder is None:
        raise _unknown(str(name))
    meta, options = _meta(folder, profile)
    check_bases(folder, "catalogue.csv", find)
    base = (
        load(base_folder(folder, meta["base"], "catalogue.csv") or meta["base"]) if meta.get("base") else None
    )
    if base:
        options = options_from(meta.get("options", {}), str(folder / "scheme.toml"), base.options)
    sign = options.alternatives
    rows = [*base.entries] if base else []
    rules = [*base.chain.rules] if base else []
    if base and (folder / SCORES).is_file():
        scores = read_scores(folder / SCORES, {row.order for row in base.rows})
        rows = [scored(row, scores) for row in rows]
        rules = [scored_rule(rule, scores) for rule in rules]
    printed = options.scores == "needed"
    rows += read_rows(folder / "catalogue.csv", sign, printed)
    if options.extra_groups and (folder / "extra_groups.csv").is_file():
        rows += read_rows(folder / "extra_groups.csv", sign, printed)
    if (folder / RULES).is_file():
        lists = read_lists(folder / LISTS) if (folder / LISTS).is_file() else {}
        names = Names()
        rules += [names.rule(rule) for rule in read_rules(folder / RULES, sign, lists, printed)]
    exclusions = base.chain.exclusions if base else NO_EXCLUSIONS
    if (folder / EXCLUSIONS).is_file():
        exclusions |= read_exclusions(folder / EXCLUSIONS, sign)
    primary_care, overlay = (base.primary_care, base.chain.overlay) if base else (None, ())
    if (folder / PRIMARY_CARE).is_file():
        every = [*rows, *(rule.row for rule in rules)]
        packets, conditions = read_primary_care(folder / PRIMARY_CARE, every, sign)
        primary_care, overlay = (primary_care or frozenset()) | packets, (*overlay, *conditions)
    total = digest(folder, FILES, base.digest if base else "")
    return assemble(meta, options, rows, total, str(folder), rules, exclusions, primary_care, overlay)


def bases(folder: Path) -> list[Path]:
    """The folders that an overlay builds on, the nearest first."""
    found: list[Path] = []
    base = read_meta(folder).get("base") if (folder / META).is_file() else None
    while base:
        under = base_folder(folder, base, "catalogue.csv") or find(base)
        if under is None:
            raise _unknown(base)
        found.append(under)
        folder, base = under, read_meta(under).get("base")
    return found


def _unknown(name: str) -> UsageError:
    known = ", ".join(scheme_folders())
    return UsageError(
        zh=f"没有 DIP 方案“{name}”；内置方案：{known}，也可给出含 catalogue.csv 的目录路径",
        en=f"there is no DIP scheme {name!r}; shipped are {known}, "
        "and the path of a folder with catalogue.csv works too",
    )


def _meta(folder: Path, profile: str | None) -> tuple[dict[str, Any], DipOptions]:
    """Identity and options of a folder."""
    if (folder / "scheme.toml").is_file():
        if profile is not None:
            raise UsageError(
                zh=f"{folder.name} 只有一组选项，不能使用 --profile {profile}",
                en=f"{folder.name} has one option set; --profile {profile} does not apply",
            )
        meta = read_meta(folder)
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
        found = json_value(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeError) as error:
        raise TableError(
            zh=f"{folder} 既没有 scheme.toml，也读不了 profiles.json",
            en=f"{folder} has no scheme.toml, and profiles.json cannot be read",
        ) from error
    if not isinstance(found, dict) or not all(isinstance(item, dict) for item in found.values()):
        raise TableError(zh=f"{path} 应为选项组的对象", en=f"{path} must be an object of option sets")
    return found


# --- reading ----------------------------------------------------------------------------------


def read_rows(path: Path, alternatives: str = "/", scored: bool = True) -> list[Row]:
    """The rows of a catalogue file, in our column names or those of published tidy copies.

    ``alternatives`` is the sign for "or" that the file uses; ``scored``: every row has a score.
    Raises TableError naming file, line and column.
    """
    header, lines = lines_of(path)
    where = {name: header.index(n) for name, o in COLUMNS.items() for n in (name, o) if n in header}
    level = header.index("aux_level") if "aux_level" in header else None
    missing = [name for name in COLUMNS if name not in where and name not in _OPTIONAL]
    if missing:
        raise TableError(
            zh=f"{path} 第 1 行缺少列 {missing[0]}", en=f"{path}, line 1: the column {missing[0]} is missing"
        )
    rows = []
    for line, cells in lines:
        found = dict.fromkeys(_OPTIONAL, "") | {name: cells[place] for name, place in where.items()}
        if level is not None and found["aux"]:
            found["aux"] = f"{found['aux']}:{cells[level]}"
        for name in ("procedures", "related"):
            found[name] = one_notation(found[name], alternatives)
        rows.append(_row(found, path, line, scored))
    return rows


def _row(cells: Mapping[str, str], path: Path, line: int, scored: bool) -> Row:
    kind, treatment = cells["kind"], cells["treatment"]
    dx = cells["dx"].upper()
    mixed = kind == "mixed"
    blank = mixed and not dx  # the blank packet (空白病种), which only an option can reach
    checks = {
        "code": bool(cells["code"]) and "|" not in cells["code"],
        "kind": kind in KINDS,
        "dx": blank or bool((_MIXED_KEY if mixed else _CORE_KEY).fullmatch(dx)),
        "treatment": treatment == "" if not mixed or blank else treatment in CLASSES,
        "procedures": sound_terms(cells["procedures"]) and not (mixed and cells["procedures"]),
        "related": sound_terms(cells["related"]) and not (cells["related"] and not cells["procedures"]),
        "aux": aux_of(cells["aux"]) is not None or not cells["aux"],
        "score": score_of(cells["score"]) is not None or not (scored or cells["score"]),
        "average_cost": not cells["average_cost"] or score_of(cells["average_cost"]) is not None,
    }
    for column, sound in checks.items():
        if not sound:
            broken(path, line, column, cells[column])
    return Row(
        code=cells["code"],
        name=cells["name"],
        kind=kind,
        dx=dx,
        procedures=cells["procedures"],
        related=cells["related"],
        treatment=CLASSES.index(treatment) if treatment else -1,
        score=score_of(cells["score"]),
        average_cost=score_of(cells["average_cost"]),
        aux=aux_of(cells["aux"]),
        packet=cells["packet"] or _label(cells),
    )


def _label(cells: Mapping[str, str]) -> str:
    """The canonical code of a packet, where the catalogue prints no other."""
    if cells["treatment"]:
        return f"{cells['dx']}:{_TREATMENT_SUFFIX[cells['treatment']]}"
    parts = [cells["procedures"], cells["related"]]
    return ":".join(filter(None, [cells["dx"], "_".join(filter(None, parts))])) or cells["code"]


# --- packets ----------------------------------------------------------------------------------


def assemble(
    meta: Mapping[str, Any],
    options: DipOptions,
    rows: Sequence[Row],
    digest_: str,
    where: str,
    rules: Sequence[Rule] = (),
    exclusions: Exclusions = NO_EXCLUSIONS,
    primary_care: frozenset[str] | None = None,
    overlay: Sequence[Rule] = (),
) -> Catalogue:
    """A catalogue from its rows and rules.

    Raises TableError for repeated codes, for rows that contradict, and for rules that no step asks for.
    """
    chain = chain_of(options, rules, exclusions, where, overlay)
    entries = list(rows)
    rows = [*entries, *(rule.row for rule in chain.rules)]
    seen: set[str] = set()
    for row in rows:
        if row.order in seen:
            raise TableError(zh=f"{where}：病种编码 {row.code} 重复", en=f"{where}: {row.code} stands twice")
        seen.add(row.order)
    _scores_suffice(options, rows, where)
    packets = list(_packets([row for row in entries if row.dx], where))
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
        blank=_blank(options.blank_code, entries, where),
        chain=chain,
        primary_care=primary_care,
    )


def _scores_suffice(options: DipOptions, rows: Sequence[Row], where: str) -> None:
    """Raise TableError where scores choose the group and a row has none."""
    bare = next((row for row in rows if row.score is None), None)
    by_score = "higher_score" in options.tie_breaks or options.auxiliary != "off"
    if bare is not None and by_score:
        raise TableError(
            zh=f"{where}：病种 {bare.code} 没有分值，而选项 tie_breaks 或 auxiliary 按分值选组",
            en=f"{where}: {bare.code} has no score, but option tie_breaks (higher_score) or auxiliary "
            "chooses by scores",
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
