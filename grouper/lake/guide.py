"""README.md and views.sql of a lake: how people and DuckDB read it right, without this package.

The texts are shipped (``tables/lake``) and the same for every lake. Each begins with the SHA-256 of the rest,
so that one that any version wrote and nobody changed is known; only such a one is replaced. They belong to no
run: without them a lake is as whole as with them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from grouper.base.digests import sha256_of
from grouper.base.paths import tables_dir
from grouper.lake.layout import Lake

_MARKS = {"README.md": ("<!-- grouper ", " -->"), "views.sql": ("-- grouper ", "")}
NAMES = tuple(_MARKS)


@cache
def texts() -> dict[str, str]:
    """The texts as they stand in a lake."""
    found = {}
    for name, (before, after) in _MARKS.items():
        text = (tables_dir() / "lake" / name).read_text(encoding="utf-8")
        found[name] = f"{before}{sha256_of(text)}{after}\n{text}"
    return found


def own(lake: Lake) -> set[str]:
    """The texts in a lake that this program wrote, whatever its version, and nobody changed."""
    return {name for name in NAMES if _unchanged(lake.root / name)}


def _unchanged(path: Path) -> bool:
    before, after = _MARKS[path.name]
    if path.is_symlink() or not path.is_file():
        return False
    try:
        first, _, rest = path.read_bytes().decode("utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return False
    return first == f"{before}{sha256_of(rest)}{after}"


def put(lake: Lake, folder: Path) -> None:
    """Put the texts of this version into a lake, by way of ``folder``, where nothing of others is in the way.

    A disk that does not take them loses nothing: the next run puts them.
    """
    for name, text in texts().items():
        place = lake.root / name
        with suppress(OSError):
            there = place.is_symlink() or place.exists()
            if there and (not _unchanged(place) or place.read_bytes() == text.encode()):
                continue
            made = folder / f"{name}.part"
            made.write_text(text, encoding="utf-8", newline="")
            if lake.private:
                made.chmod(0o600)
            os.replace(made, place)
