"""What all commands share: bilingual help, one way to fail, the common options.

Help texts are written once as ``both("中文", "English")``; the language of a call
comes from ``--lang``, else from ``GROUPER_LANG``, else it is Chinese.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from datetime import date, datetime
from typing import Any

import click

from grouper.base.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, GrouperError, UsageError
from grouper.base.machine import memory_size
from grouper.base.tables_out import for_chinese_readers
from grouper.commands.options.net import caught, interrupted, stop_as_by_hand
from grouper.commands.options.outputs import guard
from grouper.commands.text.wrong_calls import in_chinese

LANGUAGES = ("zh", "en")
DATE = click.DateTime(["%Y-%m-%d"])
_BOTH = "\x1f"


def both(zh: str, en: str) -> str:
    """A help text in two languages, split again when it is shown."""
    return f"{zh}{_BOTH}{en}"


def in_language(text: str | None, lang: str) -> str:
    """The part of a ``both`` text for ``lang``; other texts come back as they are."""
    if not text or _BOTH not in text:
        return text or ""
    zh, en = text.split(_BOTH, 1)
    return en if lang == "en" else zh


def language(ctx: click.Context | None = None) -> str:
    """The language of this call, "zh" or "en"."""
    ctx = ctx or click.get_current_context(silent=True)
    chosen = ctx.meta.get("grouper.lang") if ctx else None
    return chosen or default_language()


def default_language() -> str:
    """``GROUPER_LANG`` when it names a language that there is, else Chinese."""
    wanted = os.environ.get("GROUPER_LANG", "zh")
    return wanted if wanted in LANGUAGES else "zh"


def say(zh: str, en: str, *, err: bool = True) -> None:
    """One line to the user, on stderr unless told otherwise: stdout is for data."""
    click.echo(en if language() == "en" else zh, err=err)


def emit(lines: Iterable[str]) -> None:
    """Lines on stdout."""
    for line in lines:
        click.echo(line)


def emit_json(data: Any) -> None:
    """Data on stdout as JSON."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=1))


class BilingualOption(click.Option):
    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        whole, self.help = self.help, in_language(self.help, language(ctx))
        try:
            record = super().get_help_record(ctx)
        finally:
            self.help = whole
        if record is None or language(ctx) == "en":
            return record
        return record[0], record[1].replace("[required]", "[必填]").replace("[default: ", "[默认 ")


class BilingualCommand(click.Command):
    """A command whose help comes in the language of the call and ends with an example, and whose outputs are
    none of its inputs: ``writes`` and ``beside`` as for :func:`guard`."""

    def __init__(
        self, *args: Any, writes: tuple[str, ...] = (), beside: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.writes, self.beside = writes, beside

    def invoke(self, ctx: click.Context) -> Any:
        for name in guard(ctx, self.writes, self.beside):
            say(
                f"{name} 是另一次运行未写完的文件；没有运行在写它时可删除",
                f"{name} was left unfinished by another run; delete it when none is writing it",
            )
        with for_chinese_readers() if language(ctx) != "en" else nullcontext():
            return super().invoke(ctx)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        whole, self.help = self.help, in_language(self.help, language(ctx))
        try:
            super().format_help_text(ctx, formatter)
        finally:
            self.help = whole

    def get_short_help_str(self, limit: int = 45) -> str:
        first = in_language(self.help, language()).strip().split("\n\n")[0]
        return " ".join(first.split())

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        prefix = "Usage: " if language(ctx) == "en" else "用法："
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = (param for param in self.get_params(ctx) if isinstance(param, click.Option))
        records = [record for param in options if (record := param.get_help_record(ctx))]
        _section(formatter, in_language(both("选项", "Options"), language(ctx)), records)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        help_option = super().get_help_option(ctx)
        if help_option is not None:
            help_option.help = in_language(both("显示本说明", "Show this message"), language(ctx))
        return help_option


def _section(formatter: click.HelpFormatter, title: str, records: list[tuple[str, str]]) -> None:
    if records:
        with formatter.section(title):
            formatter.write_dl(records)


class BilingualGroup(BilingualCommand, click.Group):
    command_class = BilingualCommand
    group_class = type

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            names = self.list_commands(ctx)
            raise UsageError(
                zh=f"{ctx.command_path} 没有命令 {args[0]}；可用：{'、'.join(names)}",
                en=f"No such command {args[0]!r}: {ctx.command_path} has {', '.join(names)}",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        records = [(name, command.get_short_help_str()) for name, command in commands if command]
        _section(formatter, in_language(both("命令", "Commands"), language(ctx)), records)


def option(*names: str, help: str, **kwargs: Any) -> Callable[..., Any]:
    """``click.option`` with a help text in two languages."""
    return click.option(*names, help=help, cls=BilingualOption, **kwargs)


def with_options(*options: Callable[..., Any]) -> Callable[..., Any]:
    """One decorator of several, so that commands can share a block of options; help keeps this order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for one in reversed(options):
            command = one(command)
        return command

    return decorate


def day(when: datetime | None) -> date | None:
    """The day of an option of type ``DATE``."""
    return when.date() if when else None


def subcommands(group: click.Group) -> Callable[..., Callable[..., click.Command]]:
    """A decorator ``(name, zh, en)`` for the commands of a group: help in two languages, and ``--lang``."""

    def command(name: str, zh: str, en: str, **more: Any) -> Callable[..., click.Command]:
        def decorate(function: Callable[..., None]) -> click.Command:
            made = group.command(name, cls=BilingualCommand, help=both(zh, en), **more)
            return made(lang_option(function))

        return decorate

    return command


def _set_language(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    if value:
        ctx.meta["grouper.lang"] = value
    return value


def lang_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--lang``, read before all else so that even ``--help`` obeys it."""
    decorated: Callable[..., Any] = option(
        "--lang",
        type=click.Choice(LANGUAGES),
        is_eager=True,
        expose_value=False,
        callback=_set_language,
        help=both("界面语言（默认中文）", "Language of texts (default: Chinese)"),
    )(command)
    return decorated


def memory_of(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """A callback: the size that ``--memory`` names. Raises UsageError."""
    return memory_size(value) if value else value


# --- options of several commands ------------------------------------------------------------

output_option = option("-o", "--output", required=True, metavar="OUT", help=both("输出文件", "Output"))
to_option = option(
    "--to",
    type=click.Choice(["parquet", "csv", "jsonl", "xlsx"]),
    help=both("输出格式（标准输出必须指定）", "Output format (needed for standard output)"),
)
shared_option = option(
    "--shared",
    is_flag=True,
    help=both(
        "新输出也允许其他用户读取（按 umask）；默认仅本人可读",
        "Others may read what is newly made, as far as the umask lets them (default: its owner only)",
    ),
)
json_option = option("--json", "as_json", is_flag=True, help=both("以 JSON 输出", "Write JSON"))
grouped_prefix_option = option(
    "--prefix", default="", help=both("分组结果列名的前缀", "Prefix of the result columns of grouping")
)
database_options = with_options(
    option(
        "--memory",
        default="2GiB",
        callback=memory_of,
        show_default=True,
        help=both(
            "数据库内存上限，超出部分写入临时文件", "Memory of the database; the rest goes to the disk"
        ),
    ),
    option(
        "--threads",
        type=click.IntRange(1, 64),
        default=2,
        show_default=True,
        help=both("线程数，不影响结果", "Threads; they change no result"),
    ),
)


def run(cli: click.Command) -> None:
    """Run the command line; errors become one message and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    stop_as_by_hand()
    lang = _language_of(sys.argv)
    os.environ["GROUPER_LANG"] = lang  # so that --help obeys --lang wherever it stands
    try:
        leaving = _status(cli, lang)
        sys.stdout.flush()
    except BrokenPipeError:
        leaving = _closed()
    sys.exit(leaving)


def _status(cli: click.Command, lang: str) -> Any:
    """Run the command and say what went wrong; the exit code."""
    prefix = "error: " if lang == "en" else "错误："
    output = sys.stdout
    try:
        return cli.main(prog_name="grouper", standalone_mode=False)
    except GrouperError as error:
        click.echo(prefix + error.text(lang), err=True)
        return error.exit_code
    except click.ClickException as error:
        click.echo(error.format_message() if lang == "en" else _in_chinese(error), err=True)
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted" if lang == "en" else "已中断", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return _closed()
    except SystemExit as leaving:
        # click has put something in the place of an output that was closed, and ends the process itself
        return leaving.code if sys.stdout is output else _closed()
    except Exception as error:
        if interrupted(error):
            click.echo("interrupted" if lang == "en" else "已中断", err=True)
            return EXIT_INTERRUPTED
        told = caught(error)
        click.echo(prefix + (told.en if lang == "en" else told.zh), err=True)
        return told.exit_code


def _closed() -> int:
    """Whoever read the output wants no more of it: nothing is written at the end of the process, either."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(nothing, stream.fileno())  # type: ignore[union-attr]  # None is suppressed above
    return EXIT_OK


def _in_chinese(error: click.ClickException) -> str:
    """What click says of a wrong call, in Chinese as far as its kinds of error go."""
    where = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        where = f"\n详见 {error.ctx.command_path} --help"
    match error:
        case click.MissingParameter():
            name = error.param.get_error_hint(error.ctx) if error.param and error.ctx else error.param_hint
            return f"错误：缺少参数 {name}{where}"
        case click.BadOptionUsage() if "argument" in error.message:
            return f"错误：选项 {error.option_name} 后缺少取值{where}"
        case click.BadOptionUsage():
            return f"错误：选项 {error.option_name} 不接受取值{where}"
        case click.NoSuchOption():
            return f"错误：没有选项 {error.option_name}{where}"
        case click.BadParameter():
            name = error.param.get_error_hint(error.ctx) if error.param and error.ctx else error.param_hint
            return f"错误：参数 {name} 的取值无效：{in_chinese(error.message)}{where}"
    return f"错误：{in_chinese(error.format_message())}{where}"


def _language_of(arguments: list[str]) -> str:
    for before, word in zip(["", *arguments], [*arguments, ""], strict=False):
        if before == "--lang" and word in LANGUAGES:
            return word
        if word.startswith("--lang=") and word[7:] in LANGUAGES:
            return word[7:]
    return default_language()


interim_option = option(
    "--interim",
    type=click.Choice(["hold", "join"]),
    default="hold",
    show_default=True,
    help=both(
        "一次住院有多张账单（中途结算）时：hold 暂不支付，join 并入末次账单后计价",
        "Several bills of one stay: hold them, or join them into its last bill and price that",
    ),
)
scheme_differs_option = option(
    "--scheme-differs",
    is_flag=True,
    help=both(
        "分组所用方案不是政策的方案也照此计价（默认拒绝）",
        "Price although another scheme than the policy's grouped (default: refuse)",
    ),
)
