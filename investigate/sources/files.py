"""Audit logs that are files already: named ones, folders, globs, S3 prefixes, standard input; kept byte for byte."""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from investigate.errors import SourceError, UsageError
from investigate.sources.received import Received, extension, label, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from investigate.evidence.store import EvidenceFile, EvidenceStore
    from investigate.sources.received import Progress, Sink

STDIN: Final = "-"
_BLOCK: Final = 2**20
_LOG: Final = re.compile(
    r"\.(?:json|jsonl|ndjson|log|jsn)(?:[.-]?\d+)?(?:\.(?:gz|bz2|xz))?$|\.(?:gz|bz2|xz|zip|tar|tgz)$", re.IGNORECASE
)
"""What a log, or an archive of logs, is called."""
_READ: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Without O_NONBLOCK, a pipe put in the place of a file between two looks would hold the program up for ever."""
_HINT: Final = "Name a file, a folder, a pattern in quotes ('logs/**/*.json.gz'), s3://bucket/prefix, or - for input."


@dataclass(frozen=True)
class Input:
    """One file to be kept.

    Attributes:
        name: its printable label, never a path to write to: below the folder it was found in, or its S3 address.
        identity: what tells it from every other input.
        pour: writes its bytes and returns a warning, empty if all went well.
        size: how many those are, where that can be told before.
    """

    name: str
    identity: str
    pour: Callable[[Sink], str] = field(repr=False, compare=False)
    size: int | None = field(default=None, compare=False)


def expand(
    paths: Sequence[str],
    *,
    s3: Callable[[], Any] | None = None,
    passed_over: list[str] | None = None,
    without: Sequence[Path] = (),
) -> Iterator[Input]:
    """Every file that `paths` name, each once, in order of path within each.

    Folders are read with all their folders; hidden files in them are passed over, and so is what a symbolic link
    in them leads out of them to, and what is no log or archive by its name: a README must be named to be read.

    Args:
        paths: files, folders, patterns (`**` goes down folders), `s3://bucket/prefix`, or `-`.
        s3: makes the boto3 client; None makes one from the environment (`AWS_ENDPOINT_URL`, `AWS_PROFILE`, …).
        passed_over: gets the names of the files in folders that are no logs by their names.
        without: folders that are not looked into, nor spoken of; a file in them is read where it is named itself.

    Raises:
        UsageError: a path that names nothing, or something that is no file, or lies in `without`.
        SourceError: a folder or bucket that cannot be read.
    """
    seen: set[str] = set()
    asides = _Asides([] if passed_over is None else passed_over, tuple(folder.resolve() for folder in without))
    for path in paths:
        found = False
        for one in _expand_one(path, s3, asides):
            found = True
            if one.identity not in seen:
                seen.add(one.identity)
                yield one
        if not found:
            raise UsageError(f"Nothing is there by the name {label(path)!r}.", _HINT)


@dataclass(frozen=True)
class _Asides:
    """What of a folder is not read.

    Attributes:
        passed_over: names of what is no log, to be told.
        without: folders that are not looked into, resolved.
    """

    passed_over: list[str]
    without: tuple[Path, ...]

    def hold(self, path: Path) -> bool:
        """Whether a path leads into a folder that is not looked into."""
        if not self.without:
            return False
        try:
            place = path.resolve()
        except (OSError, RuntimeError):  # a symbolic link that leads to itself
            return False
        return any(place.is_relative_to(folder) for folder in self.without)


def keep(inputs: Iterable[Input], store: EvidenceStore, progress: Progress = silent) -> Received:
    """Take every input into evidence, archives as a whole.

    Args:
        inputs: of `expand`.
        store: where the evidence goes.
        progress: told of the bytes kept and the files done.

    Raises:
        SourceError: one cannot be read; those before it stay in the store, unrecorded.
    """
    named = list(inputs)
    sizes = [one.size for one in named if one.size is not None]
    total = sum(sizes) if len(sizes) == len(named) else None
    kept = 0
    files: list[EvidenceFile] = []
    warnings: list[str] = []
    for one in named:
        with store.receive(one.name, extension(one.name)) as incoming:
            if warning := one.pour(_Watched(incoming, progress, kept, total)):
                warnings.append(warning)
            files.append(incoming.commit())
        kept += files[-1].size
        progress("import", len(files), len(named), "files")
    return Received(
        files=tuple(files),
        request={"method": "import", "inputs": [one.name for one in named]},
        response={},
        warnings=tuple(warnings),
    )


class _Watched:
    """A sink that tells how many bytes came, those of the files before it included."""

    def __init__(self, sink: Sink, progress: Progress, before: int, total: int | None) -> None:
        self._sink, self._progress = sink, progress
        self._before, self._total = before, total

    @property
    def size(self) -> int:
        return self._sink.size

    def write(self, data: bytes) -> None:
        self._sink.write(data)
        self._progress("import", self._before + self.size, self._total, "bytes")


def _expand_one(path: str, s3: Callable[[], Any] | None, asides: _Asides) -> Iterator[Input]:
    if path == STDIN:
        yield Input("standard-input", STDIN, _pour_stdin)
    elif path.lower().startswith("s3://"):
        from investigate.sources.s3 import objects  # noqa: PLC0415 - boto3 takes a third of a second to import

        for one in objects(path, s3):
            yield Input(one.name, one.address, one.pour, one.size)
    else:
        yield from _local(path, asides)


def _local(text: str, asides: _Asides) -> Iterator[Input]:
    if not text:  # which `Path` takes for the current folder
        return
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # "~" and no account of that name: a file may be called so
        path = Path(text)
    try:
        mode = path.stat().st_mode
    except PermissionError as error:
        raise _cannot_read(text, error) from error
    except (OSError, ValueError):  # no such name; no name at all
        yield from _matching(str(path), asides)
        return
    if stat.S_ISDIR(mode):
        if asides.hold(path):
            raise UsageError(f"{label(text)} is a folder of this program's own.", "Name a file in it to read it.")
        yield from _below(path, path.resolve(), asides)
    elif stat.S_ISREG(mode):
        yield _file(path, path.name)
    else:
        raise UsageError(f"{label(text)} is no file but a pipe, a socket or a device.", _HINT)


def _matching(pattern: str, asides: _Asides) -> Iterator[Input]:
    if not glob.has_magic(pattern) or "\0" in pattern:
        return
    parts = Path(pattern).parts
    fixed = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:fixed])
    within = root.resolve()
    for name in sorted(glob.iglob(pattern, recursive=True)):  # noqa: PTH207 - Path.glob finds hidden files too
        path = Path(name)
        if asides.hold(path):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _below(path, within, asides)
        elif _belongs(path, within):
            yield _file(path, path.relative_to(root).as_posix())


def _below(folder: Path, within: Path, asides: _Asides) -> Iterator[Input]:
    """The files in `folder` and its folders, in order.

    Passed over are links that lead out of `within`, what is linked of folders, what is no file, hidden logs and all
    that does not look like a log; not named are other hidden files and what lies in hidden folders.
    """
    for here, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not asides.hold(Path(here, name)))
        linked = [Path(here, name) for name in folders if Path(here, name).is_symlink()]  # not walked into
        asides.passed_over.extend(label(f"{path.relative_to(folder.parent).as_posix()}/") for path in linked)
        for path in (Path(here, name) for name in sorted(names)):
            hidden, log = path.name.startswith("."), _LOG.search(path.name)
            name = path.relative_to(folder.parent).as_posix()
            if log and not hidden and _belongs(path, within) and not (path.is_symlink() and asides.hold(path)):
                yield _file(path, name)
            elif log or not hidden:
                asides.passed_over.append(label(name))


def _belongs(path: Path, within: Path) -> bool:
    try:
        return path.is_file() and path.resolve().is_relative_to(within)
    except (OSError, RuntimeError):  # a symbolic link that leads to itself
        return False


def _file(path: Path, name: str) -> Input:
    return Input(label(name), str(path.resolve()), lambda sink: _pour_file(path, name, sink), _size(path))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _pour_file(path: Path, name: str, sink: Sink) -> str:
    try:
        handle = os.open(path, _READ)
        with os.fdopen(handle, "rb", buffering=0) as source:
            before = os.fstat(source.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise SourceError(f"{label(name)} is no file any more.", "See what replaced it.")
            while block := source.read(_BLOCK):
                sink.write(block)
            after = os.fstat(source.fileno())
    except OSError as error:
        raise _cannot_read(name, error) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return f"{label(name)} was written to while it was read: import it again once it is closed."
    return ""


def _pour_stdin(sink: Sink) -> str:
    while block := sys.stdin.buffer.read(_BLOCK):
        sink.write(block)
    return ""


def _unreadable(error: OSError) -> None:
    raise _cannot_read(str(error.filename), error) from error


def _cannot_read(name: str, error: OSError) -> SourceError:
    return SourceError(
        f"{label(name)} cannot be read: {error.strerror or type(error).__name__}.",
        "Give this account the right to read it, or run as one that has it.",
    )
