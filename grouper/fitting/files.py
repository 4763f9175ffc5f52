"""Files in and out: inputs named by their digests, tables and their sidecars written whole or not at all."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError


def digests(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Name, bytes and SHA-256 of each file, ordered by name and SHA-256.

    Raises UsageError for a file that cannot be read, and for the same content twice, which
    would count its cases twice.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        except OSError as error:
            raise UsageError(
                zh=f"无法读取 {path}：{error.strerror}", en=f"cannot read {path}: {error.strerror}"
            ) from error
        if digest in found:
            first = found[digest]["name"]
            raise UsageError(
                zh=f"{path} 与 {first} 内容相同，病例会重复计算；请只给一次",
                en=f"{path} has the same content as {first} and would count its cases twice; give it once",
            )
        found[digest] = {"name": os.path.basename(path), "bytes": size, "sha256": digest}
    return sorted(found.values(), key=lambda item: (item["name"], item["sha256"]))


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A CSV with LF; None is empty, truth values are true and false."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def write_text(path: Path, text: str) -> None:
    """Write a file that appears whole. Raises UsageError when it cannot be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        raise UsageError(
            zh=f"无法写入 {path}：{error.strerror}", en=f"cannot write {path}: {error.strerror}"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def toml_text(values: Mapping[str, Any]) -> str:
    """TOML of texts, whole numbers, truth values, lists of texts, tables, and lists of flat tables."""
    plain = {key: value for key, value in values.items() if not _is_table(value)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{_key(key)}]", *(f"{_key(k)} = {_value(v)}" for k, v in value.items())]
        elif _is_table(value):
            for item in value:
                lines += ["", f"[[{_key(key)}]]", *(f"{_key(k)} = {_value(v)}" for k, v in item.items())]
    return "\n".join(lines) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)
    )


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _value(value: Any) -> str:
    """JSON writes these kinds as TOML does, but for DEL, which TOML wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
