"""Whatever goes wrong in a command ends in one line without data, a known exit code, and a private file."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.base.errors import EXIT_CODES, UsageError
from grouper.commands.options.net import interrupted
from grouper.commands.reference import reference

RUN = """
import errno, os, signal, sys
import click, duckdb, pyarrow as pa
from grouper.commands.options.shared import run
def deep(n): return deep(n + 1)
def fails():
    {body}
run(click.Command("x", callback=fails))
"""


def fails(body: str, folder: Path, lang: str = "en", **more: str) -> tuple[int, str, str]:
    environment = {**os.environ, "GROUPER_LANG": lang, "TMPDIR": str(folder), **more}
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUN.format(body=body)], capture_output=True, env=environment,
        text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("body", "code", "en", "zh"),
    [
        ("raise KeyError('秘密')", 70, "internal error (KeyError)", "程序内部出错（KeyError）"),
        ("deep(0)", 70, "internal error (RecursionError)", "RecursionError"),
        ("assert '秘密' == ''", 70, "internal error (AssertionError)", "AssertionError"),
        ("raise MemoryError('秘密')", 70, "out of memory", "内存不足"),
        ("duckdb.sql(\"SELECT CAST('秘密' AS INT)\").fetchall()", 2, "cannot be used", "无法处理"),
        ("duckdb.sql(\"SELECT 秘密 FROM range(3)\")", 2, "a column that is needed", "缺少所需的列"),
        ("duckdb.sql(\"SELEC '秘密'\")", 70, "internal error (ParserException)", "ParserException"),
        ("duckdb.sql(\"FROM read_parquet('/秘密')\")", 2, "cannot read or write a file", "无法读写文件"),
        ("duckdb.execute(\"SET memory_limit='1MB'; CREATE TABLE t AS SELECT range AS r FROM range(9000000) "
         "ORDER BY r DESC\")", 2, "--memory", "--memory"),
        ("pa.array(['秘密']).cast(pa.int32())", 2, "cannot be used", "无法处理"),
        ("open('/no/such')", 1, "/no/such: there is no such file", "/no/such：没有这个文件"),
        ("raise OSError(errno.ENOSPC, 'x', 'out.parquet')", 1, "out.parquet: no space left", "磁盘已满"),
        ("raise OSError('秘密')", 70, "internal error (OSError)", "OSError"),
    ],
)  # fmt: skip
def test_one_line_and_a_private_file(tmp_path: Path, body: str, code: int, en: str, zh: str) -> None:
    for lang, words in (("en", en), ("zh", zh)):
        got, out, err = fails(body, tmp_path, lang)
        assert (got, out, err.count("\n")) == (code, "", 1), err
        assert words in err and "秘密" not in err and "Traceback" not in err
        told = re.search(r"\S*grouper-error-\w+\.txt", err.replace("见 ", " "))
        assert told, err
        kept = Path(told.group())
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert "Traceback" in kept.read_text("utf-8") and "Python 3." in kept.read_text("utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a place that takes nothing is needed")
def test_where_no_file_can_be_written_the_line_says_so(tmp_path: Path) -> None:
    body = "import tempfile; tempfile.tempdir = '/no/such'; raise KeyError('秘密')"
    code, _, err = fails(body, tmp_path)
    assert code == 70 and "details could not be written" in err and "秘密" not in err


@pytest.mark.parametrize(
    "body",
    ["os.kill(os.getpid(), signal.SIGINT)", "os.kill(os.getpid(), signal.SIGTERM)", "raise click.Abort()"],
)
def test_a_stopped_command_says_so(tmp_path: Path, body: str) -> None:
    code, out, err = fails(body, tmp_path)
    assert (code, out, err.strip()) == (130, "", "interrupted")
    assert not list(tmp_path.iterdir())


def test_a_stopped_query_is_a_stopped_command() -> None:
    with duckdb.connect() as connection:
        done = threading.Event()

        def stop() -> None:
            while not done.wait(0.1):
                connection.interrupt()

        thread = threading.Thread(target=stop)
        thread.start()
        try:
            with pytest.raises((duckdb.Error, RuntimeError)) as caught:
                connection.sql(
                    "SELECT sum(hash(a.range * b.range)) FROM range(9000000) a, range(500) b"
                ).fetchall()
        finally:
            done.set()
            thread.join()
    assert interrupted(caught.value)


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_leaves_is_no_error(tmp_path: Path, lines: int) -> None:
    body = f"for _ in range({lines}): click.echo('a line')"
    command = [sys.executable, "-P", "-c", RUN.format(body=body)]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_damaged_parquet_file_ends_pay_in_one_line(tmp_path: Path) -> None:
    """Its head and foot are whole, so that it opens; its pages are not."""
    path = tmp_path / "g.parquet"
    text = [f"秘密{i}" for i in range(20_000)]
    pq.write_table(pa.table({"record_id": text, "drg": text, "total_cost": text}), path)
    content = bytearray(path.read_bytes())
    content[200:150_000] = b"\xff" * 149_800
    path.write_bytes(content)
    command = [
        sys.executable,
        "-P",
        "-m",
        "grouper",
        "pay",
        "g.parquet",
        "--policy",
        "lishui",
        "-o",
        "p.parquet",
    ]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [*command, "--as-of", "2025-06-30", "--lang", "en"],
        cwd=tmp_path, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode in (1, 2) and done.stderr.count("\n") == 1, done.stderr
    assert "秘密" not in done.stderr and not (tmp_path / "p.parquet").exists()


def test_the_reference_tells_every_exit_code() -> None:
    for lang in ("zh", "en"):
        assert all(f"| {code} | " in reference(lang) for code in EXIT_CODES)
    assert signal.SIGINT + 128 in EXIT_CODES


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EISDIR, errno.ENOSPC, errno.EROFS])
def test_what_the_system_says_is_chinese_in_a_chinese_message(number: int) -> None:
    error = UsageError(zh=f"无法读取 a：{os.strerror(number)}", en=f"cannot read a: {os.strerror(number)}")
    assert not any("a" < letter.lower() <= "z" for letter in error.zh)
    assert os.strerror(number) in error.en
