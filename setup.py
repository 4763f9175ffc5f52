"""Builds the Cython kernel; everything else about the package stands in pyproject.toml.

Set GROUPER_DEBUG=1 to build with bounds checks and assertions on, as the test suite does once.
"""

import os
import subprocess
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

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
    for name in ("checks", "codes", "marks", "drg_tables", "drg", "dip_tables", "dip_packets", "dip")
]


COMMIT = Path("grouper", "base", "commit.txt")  # grouper.base.version reads it; never in the source tree


def commit() -> str:
    """The commit of this checkout, ``+changes`` where the tree has others than it; "" outside of one."""

    def git(*arguments: str) -> str:
        run = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
        return run.stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != Path.cwd():
            return ""  # a tree that was unpacked within another repository
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def write_commit(folder: str) -> None:
    """Writes the commit into a built package, or into the tree of an sdist."""
    if found := commit():
        Path(folder, COMMIT).unlink(missing_ok=True)
        Path(folder, COMMIT).write_text(found + "\n", encoding="ascii")


class WithCommit(sdist):
    """Writes the commit into the tree that is packed: whoever builds from it has no checkout."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        write_commit(base_dir)


class WithTables(build_py):
    """Puts ``tables/``, which lies beside the package in the source tree, into the package.

    What an earlier build left in its folder is removed first: all that lies there goes into the wheel.
    """

    def run(self) -> None:
        if not self.editable_mode:
            self.remove_left_over()
        super().run()
        if not self.editable_mode:  # the source tree finds its tables where they lie
            for source in self.tables():
                target = Path(self.build_lib, "grouper", source)
                self.mkpath(str(target.parent))
                self.copy_file(str(source), str(target))
            write_commit(self.build_lib)

    def remove_left_over(self) -> None:
        """Empties the folder of the build but for today's kernels, which build_ext renews by their age."""
        kernels = {Path(path) for path in self.get_finalized_command("build_ext").get_outputs()}
        for path in sorted(Path(self.build_lib, "grouper").rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in kernels:
                path.unlink()

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        tables = (
            [] if self.editable_mode else [str(Path(self.build_lib, "grouper", s)) for s in self.tables()]
        )
        return [*super().get_outputs(include_bytecode), *tables]

    @staticmethod
    def tables() -> list[Path]:
        return sorted(path for path in Path("tables").rglob("*") if path.is_file())


# The debug build keeps to a folder of its own, so that neither build finds the other's files.
setup(
    cmdclass={"build_py": WithTables, "sdist": WithCommit},
    ext_modules=cythonize(
        extensions,
        compiler_directives=DIRECTIVES,
        build_dir="build/cython-debug" if DEBUG else "build/cython",
    ),
    options={
        "build": {"build_base": "build/base-debug" if DEBUG else "build/base"},
        "build_ext": {"parallel": os.cpu_count() or 1},  # half of the time of an installation
    },
)
