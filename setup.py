"""Builds the Cython kernel; everything else about the package stands in pyproject.toml.

Set GROUPER_DEBUG=1 to build with bounds checks and assertions on, as the test suite does once.
"""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("GROUPER_DEBUG") == "1"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "overflowcheck": DEBUG,
    "cdivision": True,
    "freethreading_compatible": True,
}

extensions = [
    Extension(
        f"grouper._fast.{name}",
        [f"grouper/_fast/{name}.pyx"],
        extra_compile_args=["-O1", "-g"] if DEBUG else ["-O3"],
    )
    for name in ("checks", "codes", "drg_tables", "drg", "dip_tables", "dip_packets", "dip")
]

# The debug build keeps to a folder of its own, so that neither build finds the other's files.
setup(
    ext_modules=cythonize(
        extensions,
        compiler_directives=DIRECTIVES,
        build_dir="build/cython-debug" if DEBUG else "build/cython",
    ),
    options={"build": {"build_base": "build/base-debug" if DEBUG else "build/base"}},
)
