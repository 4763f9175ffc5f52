"""The one writer of TOML: values come from tomli-w, so that whatever is written is read back equal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import tomli_w

_INDENT = 2  # spaces before the items of a list


def toml_text(data: Mapping[str, Any], notes: Iterable[str] = ()) -> str:
    """``data`` as a file; ``notes`` stand above it as comments. A key without a value (None) is left out.

    Raises TypeError for a key that is no text, or a value that TOML does not know.
    """
    return "".join(f"{comment(note)}\n" for note in notes) + tomli_w.dumps(_known(data), indent=_INDENT)


def toml_line(key: str, value: Any) -> str:
    """``key = value`` in one line, tables inline. Raises as :func:`toml_text`."""
    # Inside a list with a number before it every value stands inline. Line ends inside texts are escaped;
    # other signs that Python takes for ends of lines are not, so splitlines() would cut texts.
    head, _, *lines = tomli_w.dumps({key: [0, _known(value)]}, indent=0).rstrip("\n").split("\n")
    return head.removesuffix("[") + " ".join(lines[:-1]).removesuffix(",")


def comment(text: str) -> str:
    """A comment of one line, whatever the text holds."""
    return f"# {plain(text)}"


def plain(text: str) -> str:
    """A text as it may stand in a comment: without line ends and control characters."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _known(value: Any) -> Any:
    """Tables without the keys that have no value."""
    if isinstance(value, Mapping):
        return {key: _known(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_known(item) for item in value]
    return value
