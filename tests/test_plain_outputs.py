"""Outputs that are no plain files, links, full disks, and what a killed run leaves."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from grouper.base import leftovers, plain
from grouper.base.errors import UsageError
from grouper.base.leftovers import clear, tag
from grouper.base.output import FORMATS, Output
from grouper.base.whole import part_of, put_text, write_text
from grouper.commands import cli

from .support import RECORD_COLUMNS, canonical

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and devices are of POSIX systems")
TABLE = pa.table({"a": ["1", "2"], "b": ["x", "y"]})


def group(source: Path, output: str, *more: str) -> Result:
    call = ["group", str(source), "-o", output, "--scheme", "chs-drg-2.0", "--lang", "en", *more]
    return CliRunner().invoke(cli, call)


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "cases.parquet"
    path.parent.mkdir()
    row = {"record_id": "R1", "diagnoses": ["A01.000"], "procedures": [], "sex": 1, "age_years": 40}
    pq.write_table(pa.Table.from_pylist([row], schema=canonical(RECORD_COLUMNS)), path)
    return path


def write(path: Path | str, format_: str = "csv") -> None:
    with Output(str(path), format_, private=True) as out:
        writer = out.open(TABLE.schema)
        for batch in TABLE.to_batches():
            writer.write(batch)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_device_stays_a_device(cases: Path) -> None:
    done = group(cases, "/dev/null", "--to", "csv")
    assert done.exit_code == 0, done.output
    done = group(cases, "/dev/full", "--to", "csv")
    assert isinstance(done.exception, UsageError) and "/dev/full: No space left" in done.exception.en
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode) and stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(OSError, match="No space left"):
        put_text("/dev/full", "x")


@pytest.mark.parametrize("format_", FORMATS)
def test_a_pipe_gets_the_whole_result_and_stays(tmp_path: Path, format_: str) -> None:
    pipe, plainly = tmp_path / "pipe", tmp_path / "plain"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write(pipe, format_)
    reader.join(10)
    write(plainly, format_)
    assert stat.S_ISFIFO(pipe.stat().st_mode) and names(tmp_path) == ["pipe", "plain"]
    assert len(got[0]) == plainly.stat().st_size
    if format_ != "xlsx":  # which has the time of its making
        assert got[0] == plainly.read_bytes()


def test_a_pipe_without_a_reader_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "_WAIT", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match=r"cannot write .*pipe"):
        write(tmp_path / "pipe")
    assert names(tmp_path) == ["pipe"]


@pytest.mark.parametrize("sign", [">", ">>"])
def test_a_stream_by_its_name(cases: Path, sign: str) -> None:
    out = cases.parent.parent / "out.csv"
    out.write_text("before\n")
    call = f"{sys.executable} -P -m grouper group {cases} -o /dev/stdout --to csv --scheme chs-drg-2.0"
    subprocess.run(f"{call} {sign} {out}", shell=True, check=True, capture_output=True)
    lines = out.read_text("utf-8").splitlines()
    assert len(lines) == (2 if sign == ">" else 3) and "R1" in lines[-1]
    piped = subprocess.run(f"{call} | cat", shell=True, check=True, capture_output=True, text=True)
    assert piped.stdout.splitlines() == lines[-2:]


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "real.csv", tmp_path / "link.csv"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to("there/real.csv")
    for go in (lambda: write(link), lambda: write_text(link, "text\n")):
        go()
        assert link.is_symlink() and target.read_text() != "old" and not target.is_symlink()
        assert names(tmp_path / "there") == ["real.csv"] and names(tmp_path) == ["link.csv", "there"]
    target.unlink()
    write(link)  # a link to what is not there yet
    assert target.is_file() and link.is_symlink()


@pytest.mark.parametrize("name", ["", ".", "..", "folder", "folder/", "none/"])
def test_a_folder_is_no_output(cases: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    place = cases.parent.parent / "own"
    (place / "folder").mkdir(parents=True)
    monkeypatch.chdir(place)
    done = group(cases, name, "--to", "csv")
    assert isinstance(done.exception, UsageError) and "is a folder" in done.exception.en, done.output
    assert names(place) == ["folder"] and not names(place / "folder")


def test_a_socket_is_no_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("s")
        with pytest.raises(UsageError, match="neither a file nor a pipe"):
            write("s")
    assert names(tmp_path) == ["s"]


FULL = """
import resource, sys
sys.path.append(sys.argv[2])  # the package is the one that is installed; the tests are found behind it
from tests.test_plain_outputs import big
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sys.exit(big(sys.argv[1]))
"""


def big(path: str) -> int:
    """Write more than fits; 0 when the error is in words and nothing is left."""
    texts = pa.array([f"{i * 7919 % 1_000_003:020}" for i in range(60_000)])
    table = pa.table({"a": texts})
    folder = Path(path).parent
    try:
        with Output(path, path.rpartition(".")[2]) as out:
            writer = out.open(table.schema)
            for batch in table.to_batches(10_000):
                writer.write(batch)
    except UsageError as error:
        return 0 if f"cannot write {path}: " in error.en and not names(folder) else 2
    return 3


@pytest.mark.parametrize("format_", FORMATS)
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, format_: str) -> None:
    """A limit of the process stands for the disk: it strikes in the middle, or when the file is closed."""
    root = str(Path(__file__).parent.parent)
    command = [sys.executable, "-P", "-c", FULL, str(tmp_path / f"out.{format_}"), root]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and not names(tmp_path), (done.returncode, done.stderr, names(tmp_path))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)


def dead() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def test_parts_of_the_dead_go_and_those_of_others_are_named(tmp_path: Path, cases: Path) -> None:
    out = tmp_path / "o.csv"
    gone = part_of(out).name.replace(tag(), f"{leftovers.machine()}.{dead()}")
    living = f".o.csv.{leftovers.machine()}.{os.getppid()}.part"
    elsewhere, old, other = ".o.csv.00000000.77.part", ".o.csv.4711.part", ".p.csv.00000000.77.part"
    for name in (gone, living, elsewhere, old, other):
        (tmp_path / name).write_text("rows of patients")
    done = group(cases, str(out))
    assert done.exit_code == 0, done.output
    assert names(tmp_path) == sorted([living, elsewhere, old, other, "in", "o.csv"])
    told = [line for line in done.stderr.splitlines() if "left unfinished" in line]
    assert len(told) == 2 and elsewhere in told[1] + told[0] and old in told[0] + told[1]


def test_private_folders_of_the_dead_go_too(tmp_path: Path) -> None:
    process = dead()
    for name, machine in (("a", leftovers.machine()), ("b", "00000000")):
        folder = tmp_path / f"grouper.{machine}.{process}.{name}"
        folder.mkdir()
        (folder / "spill.tmp").write_text("rows")
    (tmp_path / "grouper-error-x.txt").write_text("kept")
    assert clear(tmp_path, "grouper") == [f"grouper.00000000.{process}.b"]
    assert [name[-1] for name in names(tmp_path)] == ["t", "b"]


def test_pay_refuses_an_output_that_it_could_not_read_again(tmp_path: Path) -> None:
    pipe = tmp_path / "o.parquet"
    os.mkfifo(pipe)
    call = [
        "pay",
        str(tmp_path / "g.parquet"),
        "--policy",
        "lishui",
        "-o",
        str(pipe),
        "--as-of",
        "2025-06-30",
    ]
    pq.write_table(pa.table({"record_id": ["1"]}), tmp_path / "g.parquet")
    done = CliRunner().invoke(cli, call)
    assert isinstance(done.exception, UsageError) and "no plain file" in done.exception.en
