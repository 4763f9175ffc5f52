"""Find, read and write scheme folders.

A folder holds ``scheme.toml``, ``mdc.csv``, ``adrg.csv``, ``drg.csv``, ``lists.txt``,
``complication.txt``, ``exclusion.txt`` and perhaps ``primary_care.csv`` (docs/tables.md).
A scheme with a base is an overlay: its files hold only what differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from grouper.base.errors import TableError
from grouper.base.toml_out import toml_text
from grouper.base.whole import write_text
from grouper.grouping.drg.conditions import Compare as NumberTest
from grouper.grouping.drg.conditions import ConditionError, atoms, lists_of
from grouper.grouping.drg.tables.model import SITES, Adrg, Drg, Mdc, Scheme
from grouper.grouping.drg.tables.reach import cached_parse
from grouper.grouping.tables.folders import (
    META,
    base_folder,
    by_area,
    check_bases,
    check_date,
    digest,
    read_meta,
    shipped,
)
from grouper.grouping.tables.text import (
    Lists,
    format_lists,
    format_rows,
    numbered_rows,
    read_lists,
    read_rows,
)

FILES = (
    "scheme.toml",
    "mdc.csv",
    "adrg.csv",
    "drg.csv",
    "lists.txt",
    "complication.txt",
    "exclusion.txt",
    "primary_care.csv",
)
MDC_COLUMNS = ("mdc", "name", "entry")
ADRG_COLUMNS = ("variant", "name", "condition")
DRG_COLUMNS = ("variant", "drg", "name", "condition")
PRIMARY_CARE_COLUMNS = ("drg",)
NO_GROUPS = "-"  # in drg.csv of an overlay: the variant has no group here
NOT_NAMED = ("UNGROUPABLE.dx", "UNGROUPABLE.proc", "VALID")  # lists that lead to no group
KEPT = ("UNGROUPABLE.dx", "UNGROUPABLE.proc")  # lists that no condition names, for messages


def scheme_folders() -> dict[str, Path]:
    """The shipped DRG schemes: id to folder, in order of their ids."""
    return shipped("drg")


def find(name: str, when: date | None = None) -> Path:
    """The folder of a scheme named by id, by path, or by area and date.

    Raises UsageError when nothing fits, or when an area has several editions and ``when``
    does not choose one.
    """
    folders = scheme_folders()
    if name in folders:
        folder = folders[name]
        check_date(read_meta(folder), when)
        return folder
    path = Path(name)
    if (path / "scheme.toml").is_file():
        check_date(read_meta(path), when)
        return path
    return by_area(name, when, folders)


def load(name: str | Path, when: date | None = None) -> Scheme:
    """A complete scheme by id, folder or area.

    Raises UsageError for an unknown name and TableError for broken tables.
    """
    return load_folder(find(str(name), when))


def load_folder(folder: Path, *, counted: bool = True) -> Scheme:
    """The scheme of a folder, with its base underneath when it is an overlay.

    Raises TableError for a table that is missing or broken, and when the tables have not as many rows and
    codes as ``[counts]`` of its scheme.toml says: a file may be missing or cut off. ``counted``: False leaves
    the counts to whoever reports on them.
    """
    meta = read_meta(folder)
    base_id = meta.get("base")
    base = None
    if base_id:
        check_bases(folder, META, find)
        under = base_folder(folder, base_id, META) or find(base_id)
        base = _load_cached(under, _stamp(under))
    scheme = _assemble(folder, meta, base)
    if counted:
        _check_counts(folder, scheme)
    return scheme


@lru_cache(maxsize=8)
def _load_cached(folder: Path, stamp: tuple[tuple[str, int, int], ...]) -> Scheme:
    """A base, which many schemes share, as long as its files are the same."""
    return load_folder(folder)


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of the files of a folder."""
    states = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    return tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)


def _check_counts(folder: Path, scheme: Scheme) -> None:
    for name, stated, found in miscounted(scheme):
        gone = [file for file in FILES if not scheme.base and not (folder / file).exists()]
        zh, en = (f"（没有 {'、'.join(gone)}）", f" ({', '.join(gone)} missing)") if gone else ("", "")
        raise TableError(
            zh=f"{folder / META} [counts] {name} 写明 {stated}，各表实有 {found}{zh}；"
            "表文件可能缺失或不完整，请补齐；若是有意修改，请改正该数",
            en=f"{folder / META} [counts] {name} says {stated}, the tables have {found}{en}: a file of the "
            "scheme may be missing or cut off; restore it, or correct the number if the change was meant",
        )


def miscounted(scheme: Scheme) -> list[tuple[str, int, int]]:
    """Names of ``[counts]`` whose number is not that of the tables: name, number stated, number found."""
    found = scheme.counts()
    stated: Mapping[str, int] = scheme.meta.get("counts", {})
    return [
        (name, number, found.get(name, 0)) for name, number in stated.items() if found.get(name) != number
    ]


def _needed(folder: Path) -> None:
    """A scheme without base has MDC, ADRG and groups of its own; what else it has, ``[counts]`` tell."""
    for name in ("mdc.csv", "adrg.csv", "drg.csv"):
        if not (folder / name).exists():
            raise TableError(
                zh=f"方案缺少文件 {folder / name}；请补齐",
                en=f"the scheme lacks its file {folder / name}; restore it",
            )


def _assemble(folder: Path, meta: dict[str, Any], base: Scheme | None) -> Scheme:
    if base is None:
        _needed(folder)
    order = meta.pop("order", {})
    mdcs = _mdcs(folder, order, base)
    adrgs = _adrgs(folder, order, mdcs, base)
    drgs = _drgs(folder, adrgs, base)
    conditions = [mdc.entry for mdc in mdcs] + [adrg.condition for adrg in adrgs]
    conditions += [drg.condition for groups in drgs.values() for drg in groups]
    lists = _lists(folder, "lists.txt", base.lists if base else {})
    return Scheme(
        id=meta["id"],
        name=meta["name"],
        meta=meta,
        mdcs=mdcs,
        adrgs=adrgs,
        drgs=drgs,
        lists=used_lists(lists, conditions),
        complications=_complications(_lists(folder, "complication.txt", _complication_lists(base))),
        exclusions=_lists(folder, "exclusion.txt", base.exclusions if base else {}),
        primary_care=_primary_care(folder, drgs, base),
        digest=digest(folder, FILES, base.digest if base else ""),
    )


def _primary_care(folder: Path, drgs: Mapping[str, Sequence[Drg]], base: Scheme | None) -> tuple[str, ...]:
    """The groups of primary care: those of the file, else those of the base that are groups here too."""
    groups = {drg.drg for rows in drgs.values() for drg in rows}
    path = folder / "primary_care.csv"
    if not path.exists():
        return tuple(code for code in (base.primary_care if base else ()) if code in groups)
    codes = tuple(row["drg"] for row in read_rows(path, PRIMARY_CARE_COLUMNS))
    for number, code in enumerate(codes, start=2):
        if code not in groups or code in codes[: number - 2]:
            raise TableError(
                zh=f"{path} 第 {number} 行：{code} 不是本方案的 DRG，或重复",
                en=f"{path}, line {number}: {code} is no DRG of the scheme, or stands there twice",
            )
    return codes


def _lists(folder: Path, name: str, base: Mapping[str, frozenset[str]]) -> Lists:
    path = folder / name
    lists = read_lists(path, base) if path.exists() else base
    return {key: codes for key, codes in lists.items() if codes}


def used_lists(lists: Mapping[str, frozenset[str]], conditions: Sequence[str]) -> Lists:
    """Without the inherited lists that no condition names."""
    used = set(KEPT)
    sites = False
    for text in set(conditions):
        condition = cached_parse(text)
        used |= lists_of(condition)
        tests = (atom for atom in atoms(condition) if isinstance(atom, NumberTest))
        sites = sites or any(test.field == "injured_sites" for test in tests)
    if sites:
        used |= {name for name in lists if name.startswith(SITES)}
    return {name: codes for name, codes in lists.items() if name in used}


def _complications(lists: Lists) -> dict[str, tuple[frozenset[str], str]]:
    """From sections named ``MCC 12`` (level, exclusion table) to code -> (levels, table)."""
    result: dict[str, tuple[frozenset[str], str]] = {}
    for name, codes in lists.items():
        level, _, table = name.partition(" ")
        for code in codes:
            before = result.get(code)
            if before and before[1] != table:
                raise TableError(
                    zh=f"并发症编码 {code} 指向两张排除表 {before[1]} 和 {table}",
                    en=f"complication {code} points at two exclusion tables, {before[1]} and {table}",
                )
            result[code] = ((before[0] if before else frozenset()) | {level}, table)
    return result


def _complication_lists(scheme: Scheme | None) -> Lists:
    lists: dict[str, set[str]] = {}
    for code, (levels, table) in (scheme.complications if scheme else {}).items():
        for level in levels:
            lists.setdefault(f"{level} {table}", set()).add(code)
    return {name: frozenset(lists[name]) for name in sorted(lists, key=_natural)}


def _natural(name: str) -> tuple[str, int, str]:
    level, _, table = name.rpartition(" ")
    return (level, int(table), "") if table.isdigit() else (level, 0, table)


def _conditional(path: Path, columns: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """The rows of a table whose last column is a condition that can be read."""
    for row in numbered_rows(path, columns):
        try:
            cached_parse(row.cells[columns[-1]])
        except ConditionError as error:
            zh, en = (
                f"{path} 第 {row.row} 行 {columns[-1]} 列",
                f"{path}, row {row.row}, column {columns[-1]}",
            )
            raise ConditionError(zh=f"{zh}：{error.zh}", en=f"{en}: {error.en}") from error
        yield row.cells


def _mdcs(folder: Path, order: Mapping[str, str], base: Scheme | None) -> tuple[Mdc, ...]:
    known = {mdc.mdc: mdc for mdc in base.mdcs} if base else {}
    for row in _conditional(folder / "mdc.csv", MDC_COLUMNS):
        old = known.get(row["mdc"])
        name = row["name"] or (old.name if old else "")
        known[row["mdc"]] = Mdc(row["mdc"], name, row["entry"] or (old.entry if old else "true"))
    sequence = order["MDC"].split() if "MDC" in order else list(known)
    return tuple(_pick(known, key, folder) for key in sequence)


def _adrgs(
    folder: Path, order: Mapping[str, str], mdcs: Sequence[Mdc], base: Scheme | None
) -> tuple[Adrg, ...]:
    known = {adrg.variant: adrg for adrg in base.adrgs} if base else {}
    for row in _conditional(folder / "adrg.csv", ADRG_COLUMNS):
        old = known.get(row["variant"])
        name = row["name"] or (old.name if old else "")
        condition = row["condition"] or (old.condition if old else "true")
        known[row["variant"]] = Adrg(row["variant"], name, condition)
    result: list[Adrg] = []
    for mdc in mdcs:
        if mdc.mdc in order:
            result += [_pick(known, key, folder) for key in order[mdc.mdc].split()]
        else:
            result += [adrg for adrg in known.values() if adrg.mdc == mdc.mdc]
    return tuple(result)


def _drgs(folder: Path, adrgs: Sequence[Adrg], base: Scheme | None) -> dict[str, tuple[Drg, ...]]:
    old = base.drgs if base else {}
    own: dict[str, list[Drg]] = {}
    for row in _conditional(folder / "drg.csv", DRG_COLUMNS):
        groups = own.setdefault(row["variant"], [])
        if row["drg"] != NO_GROUPS:
            names = {drg.drg: drg.name for drg in old.get(row["variant"], ())}
            name = row["name"] or names.get(row["drg"], "")
            groups.append(Drg(row["drg"], name, row["condition"] or "true"))
    variants = [adrg.variant for adrg in adrgs]
    merged = {**old, **{variant: tuple(groups) for variant, groups in own.items()}}
    return {variant: merged[variant] for variant in variants if merged.get(variant)}


def _pick(known: Mapping[str, Any], key: str, folder: Path) -> Any:
    if key not in known:
        raise TableError(
            zh=f"{folder}/scheme.toml [order]：{key} 没有定义",
            en=f"{folder}/scheme.toml [order]: {key} is not defined",
        )
    return known[key]


# --- writing --------------------------------------------------------------------------------


def save(scheme: Scheme, folder: Path, base: Scheme | None = None) -> None:
    """Write ``scheme`` as a folder: whole, or as what differs from ``base``.

    :func:`load_folder` gives the same scheme back. The files of a whole scheme do not depend on the
    order in which its lists came.
    """
    folder.mkdir(parents=True, exist_ok=True)
    order: dict[str, str] = {}
    meta = {key: value for key, value in scheme.meta.items() if key != "order"}
    files = {
        "mdc.csv": _mdc_text(scheme, base, order),
        "adrg.csv": _adrg_text(scheme, base, order),
        "drg.csv": _drg_text(scheme, base),
        "lists.txt": _lists_text(scheme, base),
        "complication.txt": _delta(_complication_lists(scheme), _complication_lists(base)),
        "exclusion.txt": _delta(_by_number(scheme.exclusions), base.exclusions if base else {}),
        "primary_care.csv": _primary_care_text(scheme, base),
    }
    files["scheme.toml"] = toml_text({**meta, "order": order} if order else meta)
    for name, text in files.items():
        path = folder / name
        if text:
            write_text(path, text)
        elif path.exists():
            path.unlink()


def _lists_text(scheme: Scheme, base: Scheme | None) -> str:
    """Lists that a reader takes without being asked must be emptied when they are gone."""
    sites = any(name.startswith(SITES) for name in scheme.lists)
    gone: Lists = {
        name: frozenset()
        for name in (base.lists if base else ())
        if name not in scheme.lists and (name in KEPT or (sites and name.startswith(SITES)))
    }
    lists = scheme.lists if base else dict(sorted(scheme.lists.items()))
    return format_lists({**lists, **gone}, base.lists if base else {})


def _by_number(tables: Mapping[str, frozenset[str]]) -> Lists:
    return {name: tables[name] for name in sorted(tables, key=_natural)}


def _delta(lists: Mapping[str, frozenset[str]], base: Mapping[str, frozenset[str]]) -> str:
    """Like ``format_lists``, but a base list that is gone is emptied."""
    gone: Lists = {name: frozenset() for name in base if name not in lists}
    return format_lists({**lists, **gone}, base)


def _primary_care_text(scheme: Scheme, base: Scheme | None) -> str:
    groups = {drg.drg for _, drg in scheme.groups()}
    inherited = tuple(code for code in (base.primary_care if base else ()) if code in groups)
    rows = [{"drg": code} for code in scheme.primary_care]
    return "" if scheme.primary_care == inherited else format_rows(rows, PRIMARY_CARE_COLUMNS)


def _mdc_text(scheme: Scheme, base: Scheme | None, order: dict[str, str]) -> str:
    old = {mdc.mdc: mdc for mdc in base.mdcs} if base else {}
    rows = []
    for mdc in scheme.mdcs:
        before = old.get(mdc.mdc, Mdc(mdc.mdc, "", ""))
        if mdc != before:
            name = "" if mdc.name == before.name else mdc.name
            entry = "" if mdc.entry == before.entry else mdc.entry
            rows.append({"mdc": mdc.mdc, "name": name, "entry": entry})
    if base and [mdc.mdc for mdc in scheme.mdcs] != list(old):
        order["MDC"] = " ".join(mdc.mdc for mdc in scheme.mdcs)
    return format_rows(rows, MDC_COLUMNS) if rows else ""


def _adrg_text(scheme: Scheme, base: Scheme | None, order: dict[str, str]) -> str:
    old = {adrg.variant: adrg for adrg in base.adrgs} if base else {}
    rows = []
    for adrg in scheme.adrgs:
        before = old.get(adrg.variant, Adrg(adrg.variant, "", ""))
        if adrg != before:
            name = "" if adrg.name == before.name else adrg.name
            condition = "" if adrg.condition == before.condition else adrg.condition
            rows.append({"variant": adrg.variant, "name": name, "condition": condition})
    for mdc in scheme.mdcs if base else ():
        sequence = [adrg.variant for adrg in scheme.inside[mdc.mdc]]
        added = [row["variant"] for row in rows if row["variant"] not in old]
        inherited = [v for v in [*old, *added] if v[0] == mdc.mdc[3]]
        if sequence != inherited:
            order[mdc.mdc] = " ".join(sequence)
    return format_rows(rows, ADRG_COLUMNS) if rows else ""


def _drg_text(scheme: Scheme, base: Scheme | None) -> str:
    old = base.drgs if base else {}
    rows = []
    for adrg in scheme.adrgs:
        groups, before = scheme.drgs.get(adrg.variant, ()), old.get(adrg.variant, ())
        if groups == before:
            continue
        names = {drg.drg: drg.name for drg in before}
        for drg in groups:
            name = "" if drg.name == names.get(drg.drg) else drg.name
            condition = "" if drg.condition == "true" else drg.condition
            rows.append({"variant": adrg.variant, "drg": drg.drg, "name": name, "condition": condition})
        if not groups:
            rows.append({"variant": adrg.variant, "drg": NO_GROUPS, "name": "", "condition": ""})
    return format_rows(rows, DRG_COLUMNS) if rows else ""
