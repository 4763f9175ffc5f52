"""What click says of a wrong call, in Chinese: its own sentences are English."""

from __future__ import annotations

import re

_SAYS: tuple[tuple[str, str], ...] = (
    (r"Got unexpected extra arguments? \((.*)\)", r"多出的参数：\1"),
    (r"(.+) is not a valid (?:integer|integer range)\.", r"\1 不是整数"),
    (r"(.+) is not a valid (?:float|float range|decimal)\.", r"\1 不是数"),
    (r"(.+) is not in the range (.+)\.", r"\1 不在范围 \2 内"),
    (r"(.+) is not one of (.+)\.", r"\1 应为其一：\2"),
    (r"(.+) is not (\S+)\.", r"\1 应为 \2"),
    (r"(.+) does not match the formats? '%Y-%m-%d'\.", r"\1 应为日期，如 2027-01-31"),
    (r"(?:File|Path|Directory) (.+) does not exist\.", r"没有 \1"),
    (r"File (.+) is a directory\.", r"\1 是目录，应为文件"),
    (r"Directory (.+) is a file\.", r"\1 是文件，应为目录"),
    (r"(?:File|Path|Directory) (.+) is not readable\.", r"\1 不能读取"),
    (r"(?:File|Path|Directory) (.+) is not writable\.", r"\1 不能写入"),
)


def in_chinese(message: str) -> str:
    """A sentence of click's in Chinese; one that is not known comes back as it is."""
    for pattern, told in _SAYS:
        found = re.fullmatch(pattern, message, re.DOTALL)
        if found:
            return found.expand(told)
    return message
