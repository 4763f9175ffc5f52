"""A detached signature over the head of a chain: who signed it vouches for all that the lake had by then.

Ed25519 by the package ``cryptography``, which is asked for only here. What is signed is one line: a fixed
beginning, the run and the head, so that a signature is good for nothing else.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grouper.base.errors import DataError, UsageError
from grouper.base.formats import format_of
from grouper.lake import ledger
from grouper.lake.layout import Lake, is_run

_LINE = "grouper lake head, format 1\n{run} {head}\n"
_LARGEST = 1 << 16  # bytes of a key or a signature
_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Signed:
    """What a signature is over."""

    run: str
    head: str


def _library() -> Any:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise UsageError(
            zh="签名需要 cryptography 包：pip install 'grouper[sign]'",
            en="signatures need the package cryptography: pip install 'grouper[sign]'",
        ) from error
    return serialization, ed25519


def keygen(path: Path) -> Path:
    """Write a new private key, which only its owner may read, and beside it the public one; returns the
    latter's path. Raises UsageError where either is there already, or cannot be written."""
    serialization, ed25519 = _library()
    key = ed25519.Ed25519PrivateKey.generate()
    public = path.with_name(path.name + ".pub")
    if public.exists():
        raise _exists(public)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    shown = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write(path, private, 0o600)
    _write(public, shown, 0o644)
    return public


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise UsageError(
            zh=f"无法写入 {path}：{error.strerror}", en=f"cannot write {path}: {error.strerror}"
        ) from error
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _exists(path: Path) -> UsageError:
    return UsageError(
        zh=f"{path} 已存在，不会覆盖；请换一个文件名",
        en=f"{path} is there and is not written over; choose another",
    )


def sign(lake: Lake, key: Path, output: Path | None = None) -> tuple[Signed, Path]:
    """Sign the head of a lake's chain; returns what is signed, and the new file of the signature (default:
    beside the lake). Raises UsageError for a key that is none, or that others may read."""
    _, ed25519 = _library()
    made = _private(key, ed25519)
    known = ledger.hashes(lake.must_exist())
    if not known:
        raise UsageError(zh=f"{lake.root} 还没有运行", en=f"{lake.root} has no run yet")
    run, head = list(known.items())[-1]
    signature = made.sign(_LINE.format(run=run, head=head).encode())
    told = {"format": 1, "run": run, "head": head, "ed25519": base64.b64encode(signature).decode()}
    root = lake.root.resolve()
    output = output or root.with_name(f"{root.name}.{run}.sig")
    _write(output, (json.dumps(told, indent=1) + "\n").encode(), 0o644)
    return Signed(run, head), output


def _private(path: Path, ed25519: Any) -> Any:
    serialization, _ = _library()
    content = _read(path)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise UsageError(
            zh=f"{path}（--key）其他用户也可读取；请先 chmod 600 {path}",
            en=f"{path} (--key) may be read by others; chmod 600 {path} first",
        )
    try:
        key = serialization.load_pem_private_key(content, None)
    except (ValueError, TypeError) as error:
        raise _no_key(path, "--key") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise _no_key(path, "--key")
    return key


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise UsageError(
            zh=f"无法读取 {path}：{error.strerror}", en=f"cannot read {path}: {error.strerror}"
        ) from error


def _no_key(path: Path, option: str) -> UsageError:
    return UsageError(
        zh=f"{path}（{option}）不是 grouper lake keygen 生成的 Ed25519 密钥",
        en=f"{path} ({option}) is no Ed25519 key as grouper lake keygen makes it",
    )


def verify(signature: Path, public: Path) -> Signed:
    """What a signature is over, when the key of ``public`` made it.

    Raises UsageError for a key that is none, DataError for a file that is no signature or one of another key.
    """
    serialization, ed25519 = _library()
    from cryptography.exceptions import InvalidSignature

    try:
        key = serialization.load_pem_public_key(_read(public))
    except (ValueError, TypeError) as error:
        raise _no_key(public, "--public-key") from error
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise _no_key(public, "--public-key")
    content = _read(signature)
    try:
        told = json.loads(content)
        run, head, made = told["run"], told["head"], base64.b64decode(told["ed25519"], validate=True)
        if not (is_run(run) and _HASH.fullmatch(head)):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            zh=f"{signature} 不是 grouper lake sign 写的签名",
            en=f"{signature} is no signature of grouper lake sign",
        ) from error
    format_of(told, "signature", str(signature), DataError)
    try:
        key.verify(made, _LINE.format(run=run, head=head).encode())
    except InvalidSignature as error:
        raise DataError(
            zh=f"{signature} 的签名无效：不是 {public} 的密钥所签，或内容被改动",
            en=f"{signature}: the signature is not by the key of {public}, or was changed",
        ) from error
    return Signed(run, head)
