"""Text files as UTF-8: detection of the encoding, and transcoding while reading."""

from __future__ import annotations

import codecs
from pathlib import Path

import pyarrow as pa

from grouper.base.errors import DataError, UsageError

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NO_TEXT = ("punycode", "idna", "undefined", "unicode-escape", "raw-unicode-escape")
_CHUNK = 1 << 20


def named_encoding(name: str) -> str:
    """The codec for an encoding that the user names; GBK and GB2312 are read as GB18030.

    Raises UsageError for an unknown name.
    """
    try:
        found = codecs.lookup(name)
        codec = found.name
        if not getattr(found, "_is_text_encoding", True) or codec in _NO_TEXT:  # base64, rot13, punycode …
            raise LookupError(name)
    except (LookupError, ValueError):
        raise UsageError(
            zh=f"未知的字符编码 {name!r}（--encoding），例如 utf-8、gb18030",
            en=f"unknown encoding {name!r} (--encoding); examples are utf-8 and gb18030",
        ) from None
    if codec in ("gbk", "gb2312", "gb18030"):
        return "gb18030"
    return {"utf-8-sig": "utf-8", "ascii": "utf-8"}.get(codec, codec)


def detect_encoding(path: Path, label: str) -> str:
    """ "utf-8" or "gb18030" (or "utf-16" by its mark), from the first part that is not ASCII.

    Raises DataError when the text is none of them.
    """
    with path.open("rb") as handle:
        chunk = handle.read(_CHUNK)
        for mark, encoding in _BOMS:
            if chunk.startswith(mark):
                return encoding
        while chunk and chunk.isascii():
            chunk = handle.read(_CHUNK)
    for encoding in ("utf-8", "gb18030"):
        try:
            # Not final: the chunk may end inside a character.
            codecs.getincrementaldecoder(encoding)().decode(chunk, final=len(chunk) < _CHUNK)
        except UnicodeDecodeError:
            continue
        return encoding
    raise encoding_error(label, "utf-8/gb18030")


def encoding_error(label: str, encoding: str) -> DataError:
    """The error for text that is not in the encoding with which it was read."""
    return DataError(
        zh=f"{label}：内容不符合字符编码 {encoding}；请用 --encoding 指定（例如 gb18030）",
        en=f"{label}: the text is not in {encoding}; name its encoding with --encoding (for example gb18030)",
    )


def open_utf8(path: Path, encoding: str) -> pa.NativeFile:
    """The file as a stream of UTF-8 without a byte order mark."""
    stream = pa.OSFile(str(path))
    if encoding != "utf-8":
        return pa.transcoding_input_stream(stream, encoding, "utf-8")
    if stream.read(3) != codecs.BOM_UTF8:
        stream.seek(0)
    return stream
