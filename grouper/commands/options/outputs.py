"""What a command writes is never a file that the same call reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from grouper.base.leftovers import clear_folder, clear_parts
from grouper.base.plain import target_of
from grouper.base.whole import refuse_blank, refuse_input, refuse_inside, refuse_name


def guard(ctx: click.Context, writes: tuple[str, ...], beside: tuple[str, ...]) -> list[str]:
    """Look at every file and folder that a call will write; the parts of files beside them that another run
    may have left and that nothing proves to be ours.

    Outputs are ``-o`` and the parameters ``writes``; ``beside``: the ends of the names of what is written
    beside them, after their stems. Raises UsageError when one is an input that another argument names, or
    stands in one.
    """
    outputs = [param for param in ctx.command.params if param.name in writes or "-o" in param.opts]
    read: list[str] = []
    for param in ctx.command.params:
        if param not in outputs:
            read += _named(param, ctx.params.get(param.name or ""))
    left: list[str] = []
    for param in outputs:
        given = ctx.params.get(param.name or "")
        if given is None or str(given) == "-":
            continue
        named = ctx.get_parameter_source(param.name or "") is click.core.ParameterSource.COMMANDLINE
        if named:
            refuse_blank(str(given))
        path = Path(given)
        refuse_name(path)
        if isinstance(param.type, click.Path) and not param.type.dir_okay:
            target_of(path)  # a folder is none, whatever it is called
        if path.is_dir() or _makes_folder(param):
            refuse_inside(path, read)
            left += [str(path / name) for name in clear_folder(path)]
            left += [str(path.parent / name) for name in clear_parts(path)]
            continue
        for one in (path, *(_beside(path, end) for end in beside)):
            refuse_input(one, read)
            left += [str(one.parent / name) for name in clear_parts(one)]
    return left


def _makes_folder(param: click.Parameter) -> bool:
    return isinstance(param.type, click.Path) and not param.type.file_okay


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.stem + end) if path.name else path


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
    several = param.nargs == -1 or (getattr(param, "multiple", False) and param.metavar == "FILE")
    return several or isinstance(param.type, click.Path)
