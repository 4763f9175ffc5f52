"""The command-line reference of ``docs/``, made from the help texts themselves.

    python -m grouper.commands.reference docs

A test fails when the files in ``docs/`` no longer say what ``--help`` says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from grouper.base.errors import EXIT_CODES
from grouper.base.whole import write_text
from grouper.commands import cli
from grouper.commands.options.shared import LANGUAGES

FILES = {"en": "cli.md", "zh": "cli.zh-CN.md"}
_TITLES = {
    "en": "# Command line\n\nMade from `--help` by `python -m grouper.commands.reference docs`; do not edit.",
    "zh": "# 命令行\n\n由 `--help` 生成（`python -m grouper.commands.reference docs`），请勿手改。",
}


def reference(lang: str) -> str:
    """The help of every command, as one Markdown page."""
    parts = [_TITLES[lang]]
    for path, command in _commands(cli, ["grouper"]):
        context = click.Context(
            command,
            info_name=" ".join(path),
            max_content_width=100,
            terminal_width=100,
            help_option_names=cli.context_settings["help_option_names"],
        )
        context.meta["grouper.lang"] = lang
        with context:
            text = command.get_help(context)
        parts.append(f"{'#' * (len(path) + 1)} {' '.join(path)}\n\n```\n{text}\n```")
    parts.append(_exit_codes(lang))
    return "\n\n".join(parts) + "\n"


def _exit_codes(lang: str) -> str:
    title, head = (
        ("## Exit codes", "| code | meaning |") if lang == "en" else ("## 退出码", "| 退出码 | 含义 |")
    )
    rows = [f"| {code} | {en if lang == 'en' else zh} |" for code, (zh, en) in EXIT_CODES.items()]
    return "\n".join([title, "", head, "|---|---|", *rows])


def _commands(command: click.Command, path: list[str]) -> Iterator[tuple[list[str], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _commands(inner, [*path, name])


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    for lang in LANGUAGES:
        write_text(folder / FILES[lang], reference(lang))


if __name__ == "__main__":
    main()
