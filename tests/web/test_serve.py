"""``grouper serve`` as a command: what it refuses, what it needs, and that nothing else needs that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ..in_process import call


@pytest.mark.parametrize("part", ["fastapi", "uvicorn", "jinja2", "python_multipart", "argon2"])
def test_a_missing_package_names_the_extra(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, part, None)
    code, _, said = call("serve")
    assert code == 1 and "grouper[web]" in said.decode() and part in said.decode()


def test_the_library_and_the_command_line_are_free_of_it() -> None:
    told = (
        "import grouper, grouper.commands, sys; print(any(n in sys.modules for n in ('fastapi', 'jinja2')))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("", ("--host", "0.0.0.0"), "--token-file"),
        ("short", ("--host", "0.0.0.0", "--token-file", "FILE"), "20"),
        ("", ("--token-file", "FILE"), "一行"),
        ("one\ntwo", ("--token-file", "FILE"), "一行"),
        ("plain", ("--password-file", "FILE"), "argon2id"),
        ("x", ("--certfile", "FILE"), "--keyfile"),
    ],
)
def test_a_wrong_call_says_what_mends_it(
    text: str, options: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(text, "utf-8")
    code, _, told = call("serve", *(str(secret) if each == "FILE" else each for each in options))
    assert code == 1 and said in told.decode()
