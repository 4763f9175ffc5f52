"""Auxiliary coefficients (辅助目录调节系数): a step behind grouping.

    from grouper import coefficients
    parameters = coefficients.load("taian-2025")
    table = coefficients.apply(grouped, parameters, date_column="discharge_date")

Names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grouper.base.lazy import lazy

if TYPE_CHECKING:
    from grouper.coefficients.apply import apply
    from grouper.coefficients.parameters import Coefficients, load

_HOME = {"Coefficients": "parameters", "apply": "apply", "load": "parameters"}
__all__ = ["Coefficients", "apply", "load"]

__getattr__, __dir__ = lazy(__name__, _HOME)
