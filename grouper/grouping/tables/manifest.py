"""The manifest of the shipped tables: the SHA-256 of every file.

``python -m grouper.grouping.tables.manifest`` writes ``tables/manifest.json`` anew;
``grouper tables verify`` compares the files with it.
"""

from __future__ import annotations

import json
from pathlib import Path

from grouper.base.digests import sha256
from grouper.base.findings import Finding
from grouper.base.paths import tables_dir
from grouper.base.whole import MARK, write_text

NAME = "manifest.json"


def file_digests(root: Path) -> dict[str, str]:
    """Path below ``root`` (with ``/``) -> SHA-256, for all files but the manifest, marks of
    imports and Python's own."""
    return {
        path.relative_to(root).as_posix(): sha256(path)
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix not in (".py", ".pyc") and path != root / NAME and path.name != MARK
    }


def write_manifest(root: Path | None = None) -> Path:
    """Write the manifest of ``root`` (the shipped tables); returns its path."""
    root = root or tables_dir()
    path = root / NAME
    text = json.dumps(dict(sorted(file_digests(root).items())), indent=0, ensure_ascii=False)
    write_text(path, text + "\n")
    return path


def check_manifest(root: Path | None = None, under: str = "") -> list[Finding]:
    """Files that are missing, unlisted or changed; ``under`` limits the check to a path prefix."""
    root = root or tables_dir()
    try:
        listed = json.loads((root / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return [_problem(NAME, f"无法读取清单：{error}", f"the manifest cannot be read: {error}")]
    if not isinstance(listed, dict):
        return [
            _problem(NAME, "清单应为 路径:SHA-256 的对象", "the manifest is no object of path and SHA-256")
        ]
    found = file_digests(root)
    problems = []
    for path in sorted(listed.keys() | found.keys()):
        if not path.startswith(under) or listed.get(path) == found.get(path):
            continue
        if path not in found:
            problems.append(_problem(path, "清单中有，但文件不存在", "is in the manifest, but not there"))
        elif path not in listed:
            problems.append(_problem(path, "文件不在清单中", "is not in the manifest"))
        else:
            problems.append(_problem(path, "内容与清单的 SHA-256 不符", "differs from its SHA-256"))
    return problems


def _problem(path: str, zh: str, en: str) -> Finding:
    return Finding("error", "manifest", "tables", path, zh, en)


if __name__ == "__main__":
    print(write_manifest())
