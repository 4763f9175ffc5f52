"""``grouper serve``: the workbench in a browser and as an API, on this machine or for an intranet."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grouper.base.errors import UsageError
from grouper.commands.options.shared import BilingualCommand, both, lang_option, language, option, say

if TYPE_CHECKING:
    from grouper.web.settings import Settings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PARTS = ("fastapi", "starlette", "uvicorn", "jinja2", "python_multipart", "argon2", "pydantic")


@click.command(
    cls=BilingualCommand,
    help=both(
        "在浏览器中使用：病例、目录、政策各页和 /v1 接口。不联网，不保存病例。\n\n"
        "默认只有本机可访问；--host 给出别的地址时，须设置令牌或口令。需要 pip install 'grouper[web]'。\n\n"
        "示例：grouper serve --port 8321",
        "Use it in a browser: pages for cases, tables and policies, and the API /v1. "
        "Offline; no case is stored.\n\n"
        "Only this machine reaches it unless --host says otherwise, which needs a token or a password. Needs "
        "pip install 'grouper[web]'.\n\n"
        "Example: grouper serve --port 8321",
    ),
)
@option("--port", type=click.IntRange(0, 65535), default=8321, show_default=True, help=both("端口", "Port"))
@option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help=both("监听的地址；0.0.0.0 为所有地址", "Address to listen on; 0.0.0.0 for all"),
)
@option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help=both("浏览器中使用的主机名，可重复", "A host name that browsers use; repeatable"),
)
@option(
    "--token-file",
    type=_FILE,
    help=both("文件，内含令牌（至少20个字符）", "A file with a token of at least 20 characters"),
)
@option(
    "--password-file",
    type=_FILE,
    help=both(
        "文件，内含口令的 argon2id 散列（由 --hash-password 得出）",
        "A file with the argon2id hash of a password, as --hash-password makes it",
    ),
)
@option(
    "--hash-password",
    is_flag=True,
    help=both("询问口令，写出其散列，然后结束", "Ask for a password, write its hash, and end"),
)
@option("--certfile", type=_FILE, help=both("TLS 证书（PEM）", "TLS certificate (PEM)"))
@option("--keyfile", type=_FILE, help=both("TLS 私钥（PEM）", "TLS key (PEM)"))
@lang_option
def serve(
    port: int,
    host: str,
    names: tuple[str, ...],
    token_file: Path | None,
    password_file: Path | None,
    hash_password: bool,
    certfile: Path | None,
    keyfile: Path | None,
) -> None:
    needed()
    if hash_password:
        click.echo(_hash())
        return
    if bool(certfile) != bool(keyfile):
        raise UsageError(
            zh="--certfile 和 --keyfile 须同时给出", en="--certfile and --keyfile are given together"
        )
    from grouper.web.settings import Settings

    settings = Settings(
        host=host, port=port or free_port(host), lang=language(), names=names,
        token=_only_line(token_file), password=_only_line(password_file), tls=certfile is not None,
    )  # fmt: skip
    run(settings, certfile, keyfile)


def needed() -> None:
    """Raises UsageError that names the extra when the server's packages are not installed."""
    try:
        import argon2  # noqa: F401
        import fastapi  # noqa: F401
        import jinja2  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _PARTS:
            raise
        raise UsageError(
            zh=f"网页服务未安装（缺 {error.name}）：pip install 'grouper[web]'",
            en=f"the server is not installed ({error.name} is missing): pip install 'grouper[web]'",
        ) from error


def run(settings: Settings, certfile: Path | None = None, keyfile: Path | None = None) -> None:
    """Serves until it is stopped by hand."""
    import uvicorn

    from grouper.web.app import create_app

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    say(f"打开 {settings.address}  （Ctrl+C 结束）", f"Open {settings.address}  (Ctrl+C ends)", err=False)
    tls: dict[str, Any] = {"ssl_certfile": certfile, "ssl_keyfile": keyfile} if certfile else {}
    uvicorn.run(
        create_app(settings), host=settings.host, port=settings.port, access_log=False, log_level="warning",
        server_header=False, proxy_headers=False, limit_concurrency=200, timeout_keep_alive=20,
        timeout_graceful_shutdown=5, **tls,
    )  # fmt: skip


def free_port(host: str) -> int:
    """A port that nobody uses now."""
    import socket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as found:
        found.bind((host, 0))
        return int(found.getsockname()[1])


def _hash() -> str:
    from grouper.web.door import hashed

    zh = language() != "en"
    password: str = click.prompt(
        "口令" if zh else "Password",
        hide_input=True,
        confirmation_prompt="再输一次" if zh else True,
        err=True,
    )
    return hashed(password)


def _only_line(path: Path | None) -> str:
    """The one line of a file that holds a secret."""
    if path is None:
        return ""
    try:
        found = path.read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(zh=f"无法读取 {path}", en=f"cannot read {path}") from error
    if not found or "\n" in found:
        raise UsageError(zh=f"{path} 应只含一行", en=f"{path} should hold one line")
    return found
