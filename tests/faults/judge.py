"""A fault, the call that meets it, and the verdict.

clean: the call refuses (exit 1, 2 or 3) with a message that names the file, row, column or flag and leaves
nothing, or it goes through and what came of the fault is flagged or right; silent: a wrong value, or a call
that should be refused, goes through; wordless: a refusal that does not say what it is about; leak: a message
shows what stands in a row; traceback: an exception of Python, or exit 70; crash: ended by a signal; hang: not
ended in time; partial: half an output is left, or none where one is promised.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.faults.scene import Scene

VERDICTS = ("clean", "silent", "wordless", "leak", "traceback", "crash", "hang", "partial")
SECONDS = 30.0


@dataclass(frozen=True)
class Call:
    """A call of the command line in the folder of a case.

    ``refused``: True it must be, False it must not be, None it may be. ``names``: patterns of which a refusal
    must show one. ``outputs``: files and folders that must be there after success and must not (or be as they
    were) after a refusal. ``right``: what is wrong with a result that came out, "" where it is right.
    """

    argv: Sequence[str]
    refused: bool | None = True
    names: Sequence[str] = ()
    outputs: Sequence[str] = ()
    right: Callable[[Path], str] | None = None
    stdin: str = ""
    limit: int = 0
    secrets: Sequence[str] = ()
    codes: Sequence[int] = (1, 2, 3)


@dataclass(frozen=True)
class Case:
    """A fault of a kind: ``make`` puts its files into a folder and says the call. ``told``: a verdict that is
    come to by other means, such as a row of a call for many."""

    kind: str
    name: str
    make: Callable[[Scene, Path], Call] | None = None
    told: Callable[[Scene], tuple[str, str]] | None = None

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.name}"


class Server:
    """The process that forks the calls; started again when it is lost."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def call(self, folder: Path, call: Call, seconds: float = SECONDS) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            # The package is the one that is installed; the tests are found behind it.
            root = str(Path(__file__).parents[2])
            run = f"import sys; sys.path.append({root!r}); from tests.faults.server import main; main()"
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", run], text=True, env={**os.environ, "GROUPER_LANG": "en"},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        asked = {
            "argv": [*map(str, call.argv)], "folder": str(folder), "stdin": call.stdin, "limit": call.limit,
            "seconds": seconds,
        }  # fmt: skip
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        if self._process is not None:
            assert self._process.stdin
            self._process.stdin.close()
            self._process.wait(10)


@dataclass
class Judge:
    """Runs cases, each in a folder of its own."""

    scene: Scene
    server: Server = field(default_factory=Server)

    def verdict(self, case: Case) -> tuple[str, str]:
        """The verdict of a case, and what it rests on."""
        if case.told is not None:
            return case.told(self.scene)
        assert case.make is not None
        with tempfile.TemporaryDirectory(prefix="fault-") as place:
            folder = Path(place)
            call = case.make(self.scene, folder)
            before = {name: _state(folder / name) for name in call.outputs}
            found = self.server.call(folder, call)
            return judged(call, folder, found, before)


def judged(call: Call, folder: Path, found: dict[str, Any], before: dict[str, object]) -> tuple[str, str]:
    code, said = found["code"], found["err"] + found["out"]
    told = f"exit {code}: {found['err'].strip()[-400:]}"
    if code is None:
        return "hang", told
    if code < 0:
        return "crash", told
    if code in (70, 98, 99) or "Traceback (most recent" in said:
        return "traceback", told + _details(folder)
    if any(secret in said for secret in call.secrets):
        return "leak", told
    if parts := [str(path) for path in folder.rglob("*.part")]:
        return "partial", f"{told}; {parts[0]} is left"
    if left := [p.name for p in (folder / ".tmp").glob("*") if not p.name.startswith("grouper-error")]:
        return "partial", f"{told}; {left} is left among the temporary files"
    if code == 0:
        if call.refused:
            return "silent", f"it went through; {found['err'].strip()[-300:]}"
        if lost := [name for name in call.outputs if not (folder / name).exists()]:
            return "partial", f"{lost} is not there"
        wrong = call.right(folder) if call.right else ""
        return ("silent", wrong) if wrong else ("clean", told)
    if call.refused is False:
        return "wordless", f"it should go through: {told}"
    if code not in call.codes:
        return "wordless", f"exit code {code}: {told}"
    if changed := [name for name in call.outputs if _state(folder / name) != before[name]]:
        return "partial", f"{told}; {changed} was written"
    if call.names and not any(re.search(pattern, said) for pattern in call.names):
        return "wordless", f"none of {list(call.names)} in: {told}"
    return "clean", told


def _state(path: Path) -> object:
    """What is at a place: enough to see that it was written."""
    if path.is_dir() and any(p.name != ".lock" for p in path.rglob("*")):
        return sorted((str(p.relative_to(path)), p.stat().st_size, p.stat().st_mtime_ns)
                      for p in path.rglob("*") if p.is_file() and p.name != ".lock")  # fmt: skip
    if path.is_file():
        return path.stat().st_size, path.stat().st_mtime_ns
    return path.exists() and not path.is_dir()


def _details(folder: Path) -> str:
    """The end of the file of details, for whoever mends it."""
    found = sorted((folder / ".tmp").glob("grouper-error-*"))
    return "\n" + found[0].read_text("utf-8", "replace")[-700:] if found else ""
