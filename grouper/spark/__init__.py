"""Grouping and pricing on Spark: ``grouper.spark.group(df, scheme)``, ``grouper.spark.price(df, policy)``.

Names load on first use; Spark itself is the extra ``grouper[spark]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grouper.base.lazy import lazy

if TYPE_CHECKING:
    from grouper.spark.frames import group, price

_HOME = {"group": "frames", "price": "frames"}
__all__ = ["group", "price"]

__getattr__, __dir__ = lazy(__name__, _HOME)
