"""What a command writes is never a file that the same call reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from grouper.base.whole import refuse_input


def refuse_inputs(ctx: click.Context, writes: tuple[str, ...], beside: tuple[str, ...]) -> None:
    """Raise UsageError when an output, or a file written beside it, is one that another argument names.

    Outputs are ``-o`` and the parameters ``writes``; ``beside``: the ends of the names of what is written
    beside them, after their stems.
    """
    outputs = [param for param in ctx.command.params if param.name in writes or "-o" in param.opts]
    read: list[str] = []
    for param in ctx.command.params:
        if param not in outputs:
            read += _named(param, ctx.params.get(param.name or ""))
    for param in outputs:
        given = ctx.params.get(param.name or "")
        if given and str(given) != "-" and not Path(given).is_dir():
            for path in (Path(given), *(_beside(Path(given), end) for end in beside)):
                refuse_input(path, read)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.stem + end)


def _named(param: click.Parameter, value: Any) -> Iterator[str]:
    """The files and folders that a parameter may name; an id is no folder, but for one of a scheme."""
    for one in value if isinstance(value, tuple | list) else (value,):
        if isinstance(one, str | Path) and str(one) and _is_there(Path(one)):
            folder = Path(one).is_dir()
            if not folder or _takes_folders(param) or (Path(one) / "scheme.toml").is_file():
                yield str(one)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a text that is no name of a file
        return False


def _takes_folders(param: click.Parameter) -> bool:
    return param.nargs == -1 or isinstance(param.type, click.Path)
