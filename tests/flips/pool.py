"""Damaged copies of whole files, handed to child processes; how each ended is counted.

python benchmarks/flips.py [--number 2000] [--seed 1] [--keep FOLDER] [FORMAT …]
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .sources import FORMATS

SIGNS = b"0019aAZ .,;:|-+*/=\"'()[]{}<>\n\t#"  # so that some texts stay texts
_WORD = re.compile(rb'"[^"\n]*"|[\w.\-]+|\[[^][\n]*\]|\{[^{}\n]*\}')
ODD = (
    b"", b"0", b"-1", b'"-1"', b"1.5", b'"1e999999999"', b"1e999999999", b'"1e-999999999"', b"9" * 5000,
    b'"' + b"9" * 5000 + b'"', b"[]", b"{}", b"[[[]]]", b"true", b"null", b'""', b'"x"', b"x", b'"*"',
    b'["x"]',
    b"[1, 2]", b'{ a = "1" }', b'{"a": 1}', b"2025-01-01", b"2025-01-01T10:00:00", b"nan", b'"inf"', b'"NaN"',
    b'"(((("', b"((((((", b'"../x"', b'"/"', b'"/dev/null"', b"'", b'"\\ud800"', b"1_000", b"0x1F", b"\xff",
    b'"80"', b"'a' in", b"99999999999999999999",
)  # fmt: skip
PATIENCE = 20  # seconds without an answer are a hang
ROOT = Path(__file__).parent.parent.parent


@dataclass
class Ends:
    """How the files of one format ended; ``odd``: those that are neither a result nor refused."""

    counts: Counter[str] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return set(self.counts) <= {"result", "refused"}


class Child:
    """A process that reads files for as long as it lives."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._folder = tempfile.mkdtemp(prefix="flips-")

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            # The package is the one that is installed; the tests are found behind it.
            run = f"import sys; sys.path.append({str(ROOT)!r}); from tests.flips.child import main; main()"
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", run, self._folder],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                encoding="utf-8",
            )  # fmt: skip
            assert self._process.stdout is not None
            assert json.loads(self._process.stdout.readline())["end"] == "ready"
        return self._process

    def ended(self, kind: str, path: Path) -> tuple[str, str]:
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"kind": kind, "path": str(path)}) + "\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], PATIENCE)[0]:
            self._end()
            return "hang", ""
        line = process.stdout.readline()
        if not line:
            code = process.wait()
            self._process = None
            return "crash", signal.Signals(-code).name if code < 0 else str(code)
        answer = json.loads(line)
        return answer["end"], answer["what"]

    def close(self) -> None:
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def flipped(data: bytes, rng: random.Random, text: bool) -> bytes:
    """A file with some bytes changed, or cut off, or a part of it moved; in texts, also a word replaced."""
    found = bytearray(data)
    way = rng.random()
    if text and way > 0.7 and (words := list(_WORD.finditer(data))):
        for word in sorted(
            rng.sample(words, min(len(words), rng.choice((1, 1, 2)))), key=lambda m: -m.start()
        ):
            found[word.start() : word.end()] = rng.choice(ODD)
        return bytes(found)
    if way < 0.06:
        return data[: rng.randrange(len(data))]
    if way < 0.12:
        at, size = rng.randrange(len(data)), rng.randrange(1, 40)
        return (
            bytes(found[:at] + found[at : at + size] + found[at:])
            if way < 0.09
            else bytes(found[:at] + found[at + size :])
        )
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8, 20))):
        at = rng.randrange(len(found))
        found[at] = rng.choice(
            (0, 255, rng.randrange(256), found[at] ^ (1 << rng.randrange(8)), *rng.sample(SIGNS, 4))
        )
    return bytes(found)


def damaged(path: Path, rng: random.Random, target: Path) -> Path:
    """A damaged copy of a file, of one file of a folder, or of what is packed in a workbook."""
    if path.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(path, target)
        victim = rng.choice(sorted(p for p in target.rglob("*") if p.is_file() and p.stat().st_size))
        victim.write_bytes(flipped(victim.read_bytes(), rng, True))
        return target
    target = path.with_name(f"damaged-{path.name}")  # beside what it names
    data = path.read_bytes()
    packed = path.suffix == ".xlsx" and rng.random() < 0.6
    text = path.suffix in (".csv", ".json", ".jsonl", ".toml")
    target.write_bytes(_repacked(data, rng) if packed else flipped(data, rng, text))
    return target


def _repacked(data: bytes, rng: random.Random) -> bytes:
    """A workbook with flips in one of its parts, whose sums are right again."""
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    victim = rng.choice([name for name in parts if parts[name]])
    if rng.random() < 0.5:
        victim = next(name for name in parts if name.endswith("sheet1.xml"))
    parts[victim] = flipped(parts[victim], rng, True)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return target.getvalue()


def flips(format_: str, folder: Path, number: int, seed: int) -> Iterator[tuple[str, Path]]:
    """``number`` damaged files of a format, one at a time: what to do with it, and where it is."""
    rng = random.Random(f"{format_}-{seed}")
    sources = FORMATS[format_](folder)
    for count in range(number):
        kind, path = sources[count % len(sources)]
        yield kind, damaged(path, rng, folder / "damaged")


def ends(format_: str, number: int, seed: int, child: Child, keep: Path | None = None) -> Ends:
    """How ``number`` damaged files of a format end; whole ones must give a result first."""
    found = Ends()
    with tempfile.TemporaryDirectory(prefix="flips-") as name:
        for kind, path in FORMATS[format_](Path(name)):
            end, what = child.ended(kind, path)
            assert end == "result", f"the whole file {path.name}: {end} {what}"
        shutil.rmtree(name)
        Path(name).mkdir()
        for count, (kind, path) in enumerate(flips(format_, Path(name), number, seed)):
            end, what = child.ended(kind, path)
            found.counts[end] += 1
            if end not in ("result", "refused"):
                found.odd.append(f"{format_} {count} {kind} {path.name}: {end} {what}")
                if keep is not None:
                    _kept(path, keep / f"{format_}-{count}-{end}-{path.name}")
    return found


def _kept(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target, dirs_exist_ok=True)
    else:
        shutil.copy(path, target)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--number", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    child = Child()
    clean = True
    for format_ in given.formats or FORMATS:
        found = ends(format_, given.number, given.seed, child, given.keep)
        print(format_, dict(sorted(found.counts.items())), flush=True)
        for line in found.odd:
            print("   ", line, flush=True)
        clean = clean and found.clean
    child.close()
    sys.exit(0 if clean else 3)
