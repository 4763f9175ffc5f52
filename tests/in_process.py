"""The command called in the process of the test: what a user's call does, without another start of Python."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from unittest import mock

from grouper.commands import main


def call(
    *arguments: object, stdin: bytes = b"", lang: str | None = None, cwd: Path | None = None
) -> tuple[int, bytes, bytes]:
    """Exit code, standard output and errors of ``grouper ARGUMENTS``.

    Arguments, environment, streams and folder are those of the call and go back to what they were. A call
    whose pipes or signals matter needs a process of its own.
    """
    environment = {k: v for k, v in os.environ.items() if k != "GROUPER_LANG"}
    if lang:
        environment["GROUPER_LANG"] = lang
    out, err = io.BytesIO(), io.BytesIO()
    streams = {
        "stdin": io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"),
        "stdout": io.TextIOWrapper(out, encoding="utf-8", write_through=True),
        "stderr": io.TextIOWrapper(err, encoding="utf-8", write_through=True),
    }
    with (
        mock.patch.object(sys, "argv", ["grouper", *map(str, arguments)]),
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.multiple(sys, **streams),
        contextlib.chdir(cwd or Path.cwd()),
    ):
        try:
            main()
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1 if leaving.code else 0
        for stream in ("stdout", "stderr"):
            streams[stream].flush()
    return code, out.getvalue(), err.getvalue()
