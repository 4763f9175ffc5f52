"""The one reader of TOML files: in UTF-8, with or without its mark; every error names file and line."""

from __future__ import annotations

import codecs
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from grouper.base.errors import GrouperError, UsageError
from grouper.base.paths import need_plain

LARGEST = 16 << 20  # bytes
DEEPEST = 32  # tables and lists in one another
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
# The name of a table, or a key before its sign, without quotes.
_KEY = re.compile(r"""(\s*(?:\[\[?)?)([^\[\]"'#=]+)(?=\]|=)""")
_ZH = {
    "Cannot overwrite a value": "该键重复，前面已有取值",
    "Cannot declare": "该表重复，前面已经写过",
    "Cannot mutate immutable": "该表或列表前面已经写完，不能再添加",
    "Invalid initial character for a key part": "键中有空格或其他符号时要加引号",
    "Invalid statement": "此处应为 键 = 值 或 [表名]",
    "Invalid value": "此处的值写法不对（文字要加引号）",
    "Expected '='": "键后面应为 =（键中有空格或汉字时要加引号）",
    "Expected newline or end": "值后面还有多余的内容",
    "Unterminated string": "文字缺少右引号",
    "Illegal character": "有不允许的字符",
}  # fmt: skip


def read_toml(
    path: str | Path, *, flag: str = "", kind: type[GrouperError] = UsageError, exact: bool = False
) -> dict[str, Any]:
    """The tables of a file. ``flag``: the option that named it; ``exact``: numbers with a point as Decimal.

    Raises ``kind``, and nothing else, for a file that cannot be read.
    """
    return parse_toml(read_bytes(path, flag=flag, kind=kind), path, flag=flag, kind=kind, exact=exact)


def read_bytes(path: str | Path, *, flag: str = "", kind: type[GrouperError] = UsageError) -> bytes:
    """The content of a file, for those who need its digest as well. Raises ``kind``."""
    told = _told(path, flag)
    need_plain(path, kind, told)
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise kind(zh=f"没有文件 {told}", en=f"there is no file {told}") from error
    except OSError as error:
        raise kind(
            zh=f"{told} 无法读取：{error.strerror}", en=f"{told} cannot be read: {error.strerror}"
        ) from error
    if len(content) > LARGEST:
        raise kind(
            zh=f"{told} 超过 {LARGEST >> 20} MiB，不是这里要的文件",
            en=f"{told} has more than {LARGEST >> 20} MiB and is no file of this kind",
        )
    return content


def parse_toml(
    content: bytes,
    path: str | Path,
    *,
    flag: str = "",
    kind: type[GrouperError] = UsageError,
    exact: bool = False,
) -> dict[str, Any]:
    """The tables of a file's content; as :func:`read_toml`."""
    told = _told(path, flag)
    text = _text(content, told, kind)
    try:
        document = _loads(text, exact)
    except RecursionError:
        raise _deep(told, kind) from None
    except (ValueError, ArithmeticError) as error:  # TOMLDecodeError, and numbers that Python refuses
        raise _wrong(told, str(error), text, kind) from error
    if _depth(document) > DEEPEST:
        raise _deep(told, kind)
    return document


def _loads(text: str, exact: bool) -> dict[str, Any]:
    """The tables of a text. TOML wants quotes about keys in Chinese; [pools.职工] is clear without them."""
    numbers: Any = Decimal if exact else float
    try:
        return tomllib.loads(text, parse_float=numbers)
    except tomllib.TOMLDecodeError:
        if text.isascii() or any(quotes in text for quotes in ('"""', "'''")):
            raise
        quoted = "\n".join(map(_quoted, text.split("\n")))
        try:
            return tomllib.loads(quoted, parse_float=numbers)
        except tomllib.TOMLDecodeError:
            pass  # the first error tells where in the text as it stands
        raise


def _quoted(line: str) -> str:
    """A line with quotes about the parts of its key, or of its table's name, that are not ASCII."""
    found = _KEY.match(line)
    if found is None:
        return line
    before, key = found.groups()
    parts = [part if part.strip().isascii() else f'"{part.strip()}"' for part in key.split(".")]
    return before + ".".join(parts) + line[found.end() :]


def _told(path: str | Path, flag: str) -> str:
    return f"{path} ({flag})" if flag else str(path)


def _text(content: bytes, told: str, kind: type[GrouperError]) -> str:
    try:
        if not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return content.decode("utf-8-sig")
        line = 1
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    raise kind(
        zh=f"{told} 第 {line} 行：字符编码不是 UTF-8（可能是 GBK/GB18030）；请另存为 UTF-8",
        en=f"{told}, line {line}: the text is not in UTF-8 (in GB18030, perhaps); save it as UTF-8",
    )


def _wrong(told: str, message: str, text: str, kind: type[GrouperError]) -> GrouperError:
    place = _PLACE.search(message)
    what = message[: place.start()] if place else message
    zh = next((words for start, words in _ZH.items() if what.startswith(start)), f"写法不对：{what}")
    if place is None:
        return kind(zh=f"{told}：不是有效的 TOML：{zh}", en=f"{told}: no valid TOML: {what}")
    line, column = place.groups()
    if line is None:
        line, column = str(text.count("\n") + 1), "1"
    return kind(
        zh=f"{told} 第 {line} 行第 {column} 个字符：{zh}",
        en=f"{told}, line {line}, character {column}: {what}",
    )


def _deep(told: str, kind: type[GrouperError]) -> GrouperError:
    return kind(
        zh=f"{told}：表和列表嵌套超过 {DEEPEST} 层",
        en=f"{told}: tables and lists stand more than {DEEPEST} deep in one another",
    )


def _depth(document: Any) -> int:
    """How deep tables and lists stand in one another; a plain value is 0."""
    level, found = 0, [document]
    while found:
        inner: list[Any] = []
        for item in found:
            inner += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        level, found = level + 1, inner
    return level - 1
