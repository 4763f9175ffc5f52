"""Files and folders that appear whole or not at all, and what is never overwritten or removed.

A folder that the program made carries a mark: the names of its files with their SHA-256 (and of folders with
nothing in them). It is replaced or
removed file by file, only what the mark names and only as it was written; anything else in it is somebody's.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from grouper.base.digests import sha256
from grouper.base.errors import UsageError
from grouper.base.leftovers import tag
from grouper.base.plain import deliver, passes, target_of

MARK = ".grouper-made"
_LONGEST = 255  # bytes of a file's name
_SHOWN_NAME = 80  # letters of a name that cannot be one
_SHOWN = 5  # foreign files that a message names


def part_of(path: str | Path) -> Path:
    """The name under which ``path`` is written until it is whole: beside the file to which it leads, or among
    the temporary files where that is no plain file.

    Raises UsageError for a folder, and for what nothing can be written to.
    """
    target = target_of(path)
    if passes(path):
        handle, name = tempfile.mkstemp(prefix=f"grouper.{tag()}.")
        os.close(handle)
        return Path(name)
    name = f".{target.name}.{tag()}.part"
    if len(os.fsencode(name)) > _LONGEST:
        name = f".{target.name[:40]}.{tag()}.part"
    return target.with_name(name)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A path to write to; the file takes its name when all went well, else the old one stays.

    Raises OSError as it comes: a lake has words of its own for a full disk.
    """
    part = part_of(path)
    try:
        yield part
        place(part, path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def place(part: Path, path: str | Path) -> None:
    """Give what was written its name, in the place of what has it; a link stays and leads to it. A device or
    a pipe is written to."""
    if passes(path):
        deliver(part, Path(path))
        part.unlink(missing_ok=True)
    else:
        os.replace(part, target_of(path))


def write_text(path: str | Path, text: str, encoding: str = "utf-8") -> Path:
    """Write a text file whole, its line ends as they are; returns its path.

    Raises UsageError when it cannot be written.
    """
    try:
        return put_text(path, text, encoding)
    except OSError as error:
        raise unwritten(path, error) from error


def put_text(path: str | Path, text: str, encoding: str = "utf-8") -> Path:
    """The same, raising OSError as it comes."""
    with whole_file(path) as part:
        part.write_text(text, encoding=encoding, newline="")
    return Path(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill; it takes its place with a mark when all went well.

    What is there is replaced when it is empty or our own. Raises UsageError when it is not, or when the
    folder cannot be written.
    """
    path = Path(os.path.abspath(path))  # "." stands in a folder, too
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # beside: a base may stand there
        part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.{tag()}."))
    except OSError as error:
        raise unwritten(path, error) from error
    try:
        part.chmod(0o755)
        yield part
        put_mark(part)
        remove_own(path)
        part.rename(path)
    except OSError as error:
        raise unwritten(path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def sync(path: Path) -> None:
    """Have the disk keep a file, or the names of a folder where the system lets a folder be opened."""
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):  # Windows keeps names without being asked
        return
    handle = os.open(path, os.O_RDONLY if hasattr(os, "O_DIRECTORY") else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unwritten(path: str | Path, error: OSError) -> UsageError:
    """The error for a place that does not take what is written."""
    why = error.strerror or error
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return UsageError(
            zh=f"无法写入 {path}：{why}；请腾出空间后再试",
            en=f"cannot write {path}: {why}; make room and try again",
        )
    return UsageError(zh=f"无法写入 {path}：{why}", en=f"cannot write {path}: {why}")


def refuse_existing(path: Path, force: bool, folder: bool = False) -> None:
    """Raise UsageError when ``path`` is in the way: without ``force`` whatever it is, with it a folder that
    is not all our own, and anything else where a ``folder`` should come."""
    if not path.is_symlink() and (not path.exists() or (path.is_dir() and not any(path.iterdir()))):
        return
    if not force:
        raise UsageError(
            zh=f"{path} 已存在；用 --force 覆盖，或换一个路径",
            en=f"{path} exists; --force replaces it, or choose another path",
        )
    if folder or path.is_dir():
        _refuse_foreign(path, foreign(path))


def refuse_input(output: str | Path, inputs: Sequence[str]) -> None:
    """Raise UsageError when the output is one of the inputs, by whatever name, or stands in one that is a
    folder."""
    there = Path(os.path.realpath(output))  # where it is written: ``none/../a.csv`` is a.csv
    if str(output) == "-" or not there.exists():
        return
    above = there.parents
    for path in inputs:
        if path != "-" and Path(path).exists() and (there.samefile(path) or Path(path).resolve() in above):
            raise UsageError(
                zh=f"输出 {output} 就是输入文件；请用 -o 换一个文件",
                en=f"the output {output} is an input: choose another with -o",
            )


def refuse_blank(path: str) -> None:
    """Raise UsageError for an output that is named by blanks."""
    if not path.strip():
        raise UsageError(
            zh=f"输出 {path!r} 是目录而不是文件；请给出文件名",
            en=f"the output {path!r} is a folder, not a file: name a file",
        )


def refuse_name(path: str | Path) -> None:
    """Raise UsageError for a name that no file can have here, such as one that is too long."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    except OSError as error:
        raise unwritten(str(path)[:_SHOWN_NAME], error) from error
    except ValueError as error:
        raise UsageError(
            zh=f"{str(path)[:_SHOWN_NAME]!r} 不能用作文件名",
            en=f"{str(path)[:_SHOWN_NAME]!r} cannot be the name of a file",
        ) from error


def refuse_inside(folder: str | Path, inputs: Sequence[str]) -> None:
    """Raise UsageError when a folder of outputs is one of inputs, or stands in one."""
    there = Path(folder).resolve()
    for path in inputs:
        if path != "-" and Path(path).is_dir() and there.is_relative_to(Path(path).resolve()):
            raise UsageError(
                zh=f"输出目录 {folder} 是输入目录 {path}，或在其中；请换一个目录",
                en=f"the folder of the output {folder} is an input, or in one ({path}): choose another",
            )


# --- marks --------------------------------------------------------------------------------------


def put_mark(folder: Path, mark: str = MARK, made: Mapping[str, str] | None = None) -> None:
    """Mark a folder as made by the program. ``made``: the files that it wrote there by their SHA-256, where
    others could come meanwhile; None: all that is in it now."""
    _write_mark(folder, mark, _files(folder, mark) if made is None else dict(made))


def begin(folder: Path, mark: str) -> None:
    """Mark a folder as begun: what will be in it is not known yet."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_mark(folder, mark, {})


def begun(folder: Path, mark: str) -> bool:
    """Whether a folder was begun and never finished."""
    path = folder / mark
    return not folder.is_symlink() and path.is_file() and path.read_bytes() == _text({}).encode()


def foreign(folder: Path, mark: str = MARK, aside: Sequence[str] = ()) -> list[str]:
    """What in a folder is not as the program made it: files added, changed or gone, links, and folders with
    nothing in them (``name/``); in order. ``aside``: names that are not looked at.

    [] for a folder that is not there or is empty. Without a mark every file is foreign.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return [folder.name]
    if not folder.exists():
        return []
    made, there = _marked(folder, mark), _files(folder, mark, aside)
    found = {name for name in made.keys() | there.keys() if made.get(name) != there.get(name)}
    return sorted(found.difference(aside))


def remove_own(folder: Path, mark: str = MARK, aside: Sequence[str] = ()) -> None:
    """Remove a folder that the program made, file by file; nothing when something in it is foreign.

    Files ``aside`` stay, and the folder with them. Raises UsageError for what is foreign, and for a file that
    comes to the folder meanwhile, which stays.
    """
    _refuse_foreign(folder, foreign(folder, mark, aside))
    if not folder.exists():
        return
    made = _marked(folder, mark)
    for name in (*made, mark):
        if not name.endswith("/"):
            (folder / name).unlink(missing_ok=True)
    for path in (*sorted(_folders_of(folder, made), reverse=True), folder):
        with suppress(OSError):
            path.rmdir()
    _refuse_foreign(folder, foreign(folder, mark, aside))


def _refuse_foreign(folder: Path, names: Sequence[str]) -> None:
    if not names:
        return
    told = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    raise UsageError(
        zh=f"{folder} 中有 {len(names)} 个文件不是本程序生成的，或之后有改动（{told}），不会删除；"
        "请换一个路径，或自行移走该目录",
        en=f"{folder} holds files that this program did not make, or that have changed since: {len(names)} "
        f"({told}). They are not removed: choose another path, or move the folder away yourself",
    )


def _marked(folder: Path, mark: str) -> dict[str, str]:
    """What the mark of a folder says; {} where there is none that can be read."""
    try:
        made = json.loads((folder / mark).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return made if isinstance(made, dict) and all(_inside(name) for name in made) else {}


def _folders_of(folder: Path, made: Iterable[str]) -> set[Path]:
    """The folders inside that came with what the program made."""
    found = {folder / name for name in made if name.endswith("/")}
    for name in made:
        found.update(folder / parent for parent in Path(name).parents)
    return found - {folder}


def _inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def _write_mark(folder: Path, mark: str, files: dict[str, str]) -> None:
    write_text(folder / mark, _text(files))


def _text(files: dict[str, str]) -> str:
    return json.dumps(files, indent=1, ensure_ascii=False)


def _files(folder: Path, mark: str, aside: Sequence[str] = ()) -> dict[str, str]:
    """The files of a folder by their SHA-256, but its mark; "link" for what is no plain file, and ``name/``
    for a folder with nothing in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            found[name] = "link"
        elif path.is_dir():
            if f"{name}/" not in aside and not any(path.iterdir()):
                found[f"{name}/"] = "folder"
        elif name != mark and name not in aside:
            found[name] = sha256(path)
    return found
