"""Folders of schemes, of whatever family: where the shipped ones are, what they state, when they apply."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from grouper.base.digests import sha256, sha256_of
from grouper.base.errors import TableError, UsageError
from grouper.base.formats import format_of
from grouper.base.paths import tables_dir
from grouper.base.toml_in import read_toml

META = "scheme.toml"
_TEXTS = ("id", "name", "area", "region", "base")
_LONGEST = 200  # signs of a text that names
_DEEPEST = 8  # folders that are the base of one another


def shipped(kind: str) -> dict[str, Path]:
    """The shipped schemes of a family: id to folder, in order of their ids."""
    root = tables_dir() / kind
    if not root.is_dir():
        return {}
    return {path.name: path for path in sorted(root.iterdir()) if (path / META).is_file()}


def is_shipped(kind: str, folder: Path) -> bool:
    """Whether a folder stands among the shipped schemes of a family."""
    return folder.resolve().parent == (tables_dir() / kind).resolve()


def read_meta(folder: Path) -> dict[str, Any]:
    """``scheme.toml`` of a folder.

    Raises TableError when it cannot be read or lacks a key.
    """
    meta = read_toml(folder / META, kind=TableError)
    format_of(meta, "scheme", str(folder / META))
    missing = [key for key in ("id", "name", "area") if key not in meta]
    if missing:
        raise TableError(
            zh=f"{folder / META} 缺少 {missing[0]}",
            en=f"{folder / META} lacks {missing[0]}",
        )
    for key in _TEXTS:
        if key in meta and not (isinstance(meta[key], str) and len(meta[key]) <= _LONGEST):
            raise TableError(
                zh=f"{folder / META}：{key} 应为不超过 {_LONGEST} 个字的文字",
                en=f"{folder / META}: {key} is a text of up to {_LONGEST} signs",
            )
    for key in ("valid_from", "valid_to"):
        if key in meta and type(meta[key]) is not date:
            raise TableError(
                zh=f"{folder / META}：{key} 应为日期（如 2025-07-08）",
                en=f"{folder / META}: {key} is a date (such as 2025-07-08)",
            )
    return meta


def check_bases(folder: Path, sign: str, find: Callable[[str], Path | None]) -> None:
    """Raise TableError when the bases of a folder run in a circle, or go on for more than a few folders.

    ``sign``: the file that tells a scheme of the family, as for :func:`base_folder`; ``find``: the folder of
    a base that does not stand beside its overlay.
    """
    seen: list[Path] = []
    place: Path | None = folder
    while place is not None:
        if place.resolve() in seen or len(seen) > _DEEPEST:
            raise TableError(
                zh=f"{folder / META}：base 成环，或超过 {_DEEPEST} 层",
                en=f"{folder / META}: base runs in a circle, or goes on for more than {_DEEPEST} folders",
            )
        seen.append(place.resolve())
        base = read_meta(place).get("base") if (place / META).is_file() else None
        place = (base_folder(place, base, sign) or find(base)) if base else None


def valid_on(meta: Mapping[str, Any], when: date) -> bool:
    """Whether a scheme applies on a day."""
    return bool(meta.get("valid_from", date.min) <= when <= meta.get("valid_to", date.max))


def _validity(meta: Mapping[str, Any]) -> str:
    return f"{meta.get('valid_from', '…')} – {meta.get('valid_to', '…')}"


def check_date(meta: Mapping[str, Any], when: date | None) -> None:
    """Raise UsageError when a scheme says that it does not apply on ``when``."""
    if when and meta and not valid_on(meta, when):
        raise UsageError(
            zh=f"方案 {meta['id']} 在 {when} 不适用（{_validity(meta)}）；"
            "请改用 --date 或写地区名以便按日期选择",
            en=f"scheme {meta['id']} does not apply on {when} ({_validity(meta)}); "
            "change --date, or name the area to let the date choose",
        )


def by_area(name: str, when: date | None, folders: Mapping[str, Path]) -> Path:
    """The only scheme of ``folders`` (id to folder) for an area, on ``when`` if that is given.

    Raises UsageError when there is none, or more than one.
    """
    metas = {id_: read_meta(path) for id_, path in folders.items()}
    editions = [id_ for id_, meta in metas.items() if meta["area"] == name]
    fitting = [id_ for id_ in editions if when is None or valid_on(metas[id_], when)]
    if len(fitting) == 1:
        return folders[fitting[0]]
    if not editions:
        near = [id_ for id_ in folders if name[:4] and id_.startswith(name[:4])]
        near = near or difflib.get_close_matches(name, list(folders), 3)
        zh, en = (f"（相近：{'、'.join(near)}）", f" (near: {', '.join(near)})") if near else ("", "")
        raise UsageError(
            zh=f"没有方案“{name}”{zh}；grouper tables list 列出全部方案，也可给出方案目录的路径；"
            "支付政策用哪个方案，见 grouper policy list",
            en=f"there is no scheme {name!r}{en}; grouper tables list shows all, and the path of a scheme "
            "folder works too; which scheme a policy goes by is in grouper policy list",
        )
    which = ", ".join(f"{id_} ({_validity(metas[id_])})" for id_ in editions)
    if when and fitting:
        raise UsageError(
            zh=f"地区“{name}”在 {when} 有多个适用的方案：{'、'.join(fitting)}；请写方案 id",
            en=f"several schemes of area {name!r} apply on {when}: {', '.join(fitting)}; name one by its id",
        )
    raise UsageError(
        zh=f"地区“{name}”有这些方案：{which}；请写方案 id 或用 --date 选择",
        en=f"area {name!r} has these schemes: {which}; name one, or choose with --date",
    )


def base_folder(folder: Path, base: str, sign: str) -> Path | None:
    """The folder of a base that stands beside its overlay and holds the file ``sign``, if there is one."""
    beside = folder.parent / base
    return beside if (beside / sign).is_file() else None


def digest(folder: Path, files: Iterable[str], base: str = "") -> str:
    """SHA-256 over those of ``files`` that the folder has, and the digest of its base ("" for none)."""
    lines = [f"{name}:{sha256(folder / name)}\n" for name in files if (folder / name).exists()]
    return sha256_of("".join([base, *lines]))


def listed(folder: Path) -> dict[str, Any]:
    """A line of the list of schemes: id, name, area, region, base and validity, "" where not stated."""
    meta = read_meta(folder)
    row: dict[str, Any] = {key: meta.get(key, "") for key in ("id", "name", "area", "region", "base")}
    for key in ("valid_from", "valid_to"):
        row[key] = meta[key].isoformat() if key in meta else ""
    return row
