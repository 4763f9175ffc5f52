"""Tests that need what is in the extra "slow"; where it is not installed they are not there to choose."""

from importlib.util import find_spec

collect_ignore = [
    name
    for name, needed in (("test_browser.py", "selenium"), ("test_schema.py", "schemathesis"))
    if find_spec(needed) is None
]
