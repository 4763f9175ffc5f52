"""How a server was started: where it listens, who may come in, what it may take."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from grouper.base.errors import UsageError

_SHORTEST_TOKEN = 20
_HASH = re.compile(r"\$argon2id\$\S+")
_EVERYWHERE = ("0.0.0.0", "::")
MIB = 1 << 20


@dataclass(frozen=True)
class Settings:
    """``token``: what a caller shows instead of a password. ``password``: its argon2id hash. Neither: whoever
    reaches the port comes in, which only a loopback address may allow. ``names``: further host names by which
    the server may be called. ``body``: the largest body of a request, in bytes. ``rate``: requests a second
    and address, ``burst`` at once."""

    host: str = "127.0.0.1"
    port: int = 8321
    lang: str = "zh"
    token: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    tls: bool = False
    names: tuple[str, ...] = ()
    body: int = MIB
    rate: float = 25.0
    burst: int = 150

    def __post_init__(self) -> None:
        if not self.locked and not is_loopback(self.host):
            raise UsageError(
                zh=f"{self.host} 可从别的机器访问，须用 --token-file 或 --password-file 设置口令；"
                "只在本机使用则不写 --host",
                en=f"{self.host} can be reached from other machines: set a token or a password with "
                "--token-file or --password-file, or leave --host out to serve this machine only",
            )
        if self.token and len(self.token) < _SHORTEST_TOKEN:
            raise UsageError(
                zh=f"令牌至少 {_SHORTEST_TOKEN} 个字符，文件中的只有 {len(self.token)} 个",
                en=f"a token has at least {_SHORTEST_TOKEN} characters; that in the file has "
                f"{len(self.token)}",
            )
        if self.password and not _HASH.fullmatch(self.password):
            raise UsageError(
                zh="口令文件应只含一行 argon2id 散列；用 grouper serve --hash-password 得出",
                en="the password file holds one line, an argon2id hash: grouper serve --hash-password",
            )

    @property
    def locked(self) -> bool:
        """Whether a caller must show a token or a password."""
        return bool(self.token or self.password)

    @property
    def hosts(self) -> frozenset[str]:
        """The names that the Host header of a request may have."""
        own = {"localhost", "127.0.0.1", "[::1]"} if is_loopback(self.host) else {bracketed(self.host)}
        return frozenset({*own, *(name.lower() for name in self.names)})

    def answers_to(self, host: str) -> bool:
        """Whether the server goes by a name. Where it listens everywhere it goes by every address too: names
        can be made to point at it by somebody else, addresses cannot."""
        return host in self.hosts or (self.host in _EVERYWHERE and _is_address(host))

    @property
    def address(self) -> str:
        """Where the first page is."""
        host = "127.0.0.1" if self.host in _EVERYWHERE else bracketed(self.host)
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}/"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def bracketed(host: str) -> str:
    """A host as it stands in addresses and in the Host header."""
    return f"[{host}]" if ":" in host else host.lower()
