"""The first lines that ``grouper tables show`` says of a scheme of any family."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from grouper.grouping.engine import Named

_LABELS = {
    "area": ("地区", "area"),
    "region": ("区域", "region"),
    "authority": ("机关", "authority"),
    "published": ("发布", "published"),
    "valid_from": ("适用起", "valid from"),
    "valid_to": ("适用止", "valid to"),
    "validity_note": ("适用说明", "on validity"),
}


def heading(
    scheme: Named, keys: Sequence[str], base: tuple[str, str], say: Callable[[str, str], str]
) -> Iterator[str]:
    """Id, name, and those of ``keys`` that its scheme.toml states; ``base``: what a base is called."""
    yield f"{scheme.id}  {scheme.name}"
    for key in keys:
        if scheme.meta.get(key):
            yield f"  {say(*{**_LABELS, 'base': base}[key])}: {scheme.meta[key]}"
