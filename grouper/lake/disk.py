"""Folders of a lake that are made and removed."""

from __future__ import annotations

from pathlib import Path


def make(folder: Path, root: Path) -> list[Path]:
    """Make a folder; returns it and those above it that got a new name in them."""
    named = [folder]
    while folder != root and not folder.is_dir():
        folder = folder.parent
        named.append(folder)
    named[0].mkdir(parents=True, exist_ok=True)
    return named


def prune(folder: Path, root: Path) -> None:
    """Remove folders that have become empty, up to ``root``."""
    while folder != root:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent
