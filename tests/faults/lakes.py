"""Kinds ``lakes`` and ``tampering``: a lake that is broken, foreign or changed, and every call that reads one."""

# ruff: noqa: E501  # a kind is a line
from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.faults.judge import Call, Case
from tests.faults.scene import Scene
from tests.settlement import test_tampering as tampering

CALLS = ("status", "statement", "audit", "repair", "watch", "clear", "settle")


def _first(lake: Path, pattern: str) -> Path:
    return min(lake.glob(pattern))


BROKEN: dict[str, Callable[[Path], object]] = {
    "gone": shutil.rmtree,
    "empty": lambda lake: (shutil.rmtree(lake), lake.mkdir()),
    "a-file": lambda lake: (shutil.rmtree(lake), lake.write_text("x")),
    "foreign": lambda lake: (shutil.rmtree(lake), lake.mkdir(), (lake / "a.txt").write_text("x")),
    "no-ledger": lambda lake: (lake / "ledger.duckdb").unlink(),
    "ledger-empty": lambda lake: os.truncate(lake / "ledger.duckdb", 0),
    "ledger-cut": lambda lake: os.truncate(lake / "ledger.duckdb", 9000),
    "ledger-text": lambda lake: (lake / "ledger.duckdb").write_text("text " * 999),
    "ledger-folder": lambda lake: ((lake / "ledger.duckdb").unlink(), (lake / "ledger.duckdb").mkdir()),
    "no-chain": lambda lake: shutil.rmtree(lake / "chain"),
    "chain-text": lambda lake: _first(lake, "chain/*.json").write_text("x"),
    "chain-deep": lambda lake: _first(lake, "chain/*.json").write_text("[" * 100_000),
    "no-cases": lambda lake: shutil.rmtree(lake / "cases"),
    "cases-empty": lambda lake: os.truncate(_first(lake, "cases/*/*/*/*/*.parquet"), 0),
    "cases-cut": lambda lake: os.truncate(_first(lake, "cases/*/*/*/*/*.parquet"), 900),
    "hospitals-text": lambda lake: _first(lake, "hospitals/*/*/*/*/*.parquet").write_text("x"),
    "staging-file": lambda lake: (lake / ".staging").write_text("x") if not (lake / ".staging").exists() else None,
    "intent-text": lambda lake: ((lake / ".staging" / "000009").mkdir(parents=True), (lake / ".staging/000009/intent.json").write_text("x")),
    "loop": lambda lake: (lake / "loop").symlink_to(lake),
}  # fmt: skip


def cases() -> Iterator[Case]:
    for name, do in BROKEN.items():
        for call in CALLS:
            yield Case("lakes", f"{call}/{name}", partial(_broken, call, name, do))
    for kind in tampering.KINDS:
        if "{" not in kind.name:
            yield Case("tampering", kind.name.replace(" ", "-"), told=partial(_tampered, kind))


def _broken(call: str, name: str, do: Callable[[Path], object], scene: Scene, folder: Path) -> Call:
    words = scene.base(folder, call)
    lake = folder / "old"
    if not lake.exists():
        shutil.copytree(scene.made("old"), lake)
    do(lake)
    if call == "settle":
        words[words.index("-o") + 1] = "old"
        words.append("--dry-run")
    fine = name in (
        "staging-file",
        "intent-text",
        "loop",
        "no-chain",
        "chain-text",
        "chain-deep",
    ) or call in ("repair", "settle")
    reads = {
        "no-cases": ("audit",),
        "cases-empty": ("audit",),
        "cases-cut": ("audit",),
        "hospitals-text": ("audit", "statement"),
    }
    refused = None if fine or (name in reads and call not in reads[name]) else True
    return Call(words, refused, ["old", "ledger", "lake", "chain", "missing", r"0000\d\d"])


def _tampered(kind: tampering.Kind, scene: Scene) -> tuple[str, str]:
    """What audit says of the table of tests/settlement/test_tampering.py."""
    import re
    import tempfile
    from dataclasses import replace

    if "tampering" not in scene.memory:
        root = scene.root / "tampering"
        root.mkdir()
        scene.memory["tampering"] = tampering.made.__wrapped__(_Places(root))
    made = scene.memory["tampering"]
    with tempfile.TemporaryDirectory(prefix="tamper-") as place:
        shutil.copytree(made.lake.root, Path(place) / "lake", symlinks=True)
        here = replace(made, lake=tampering.Lake(Path(place) / "lake"))
        kept = {path: path.read_bytes() for path in made.city.iterdir()} if kind.run else {}
        try:
            kind.do(here)
            said = tampering._said(here, kind)
        except Exception as error:
            return "traceback", repr(error)
        finally:
            for path, content in kept.items():
                path.write_bytes(content)
            (made.city / "away").unlink(missing_ok=True)
    good = any(re.search(kind.says, en) for en, _ in said)
    return ("clean", kind.says) if good else ("silent", f"audit says {said[:3]}")


class _Places:
    """What the fixture of the table asks for."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def mktemp(self, name: str) -> Path:
        (self._root / name).mkdir()
        return self._root / name
