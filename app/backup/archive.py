"""The file of a backup: encrypted (crypt.py), inside gzip, inside that the manifest and then the database.

    4 bytes: length of the manifest | the manifest, JSON | the database file, or what pg_dump wrote

It comes to its name only when it is whole and on the disk, so a file of that name never lacks its end.
"""

from __future__ import annotations

import fcntl
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from app.backup.crypt import Decrypter, Encrypter
from app.backup.trouble import BackupError
from app.shared import progress

SUFFIX = ".nxbackup"
PIECE = 1 << 20
MOST_MANIFEST = 1 << 24
Manifest = dict[str, Any]


def write(
    folder: Path, name: str, secret: str, manifest: Manifest, body: Callable[[IO[bytes]], None]
) -> Path:
    """Make the file `name` in `folder`; `body` writes the database. Raises BackupError and leaves nothing."""
    _sweep(folder)
    part = folder / f".{name}.{os.getpid()}.part"
    try:
        with open(part, "xb", opener=_private) as file:
            with suppress(OSError):  # some shares know no locks
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            sealed = Encrypter(file, secret)
            with gzip.GzipFile(fileobj=sealed, mode="wb", compresslevel=6, mtime=0) as squeezed:
                head = json.dumps(manifest, ensure_ascii=False).encode("utf-8")
                squeezed.write(len(head).to_bytes(4, "big") + head)
                body(squeezed)  # type: ignore[arg-type]
            sealed.finish()
            file.flush()
            os.fsync(file.fileno())
        path = _free(folder, name)
        part.rename(path)
        sync_folder(folder)
        return path
    except OSError as error:
        raise BackupError(f"{folder}: {error.strerror or type(error).__name__}") from None
    finally:
        part.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _free(folder: Path, name: str) -> Path:
    """Two backups within a second are two files."""
    names = (folder / f"{name}{more}{SUFFIX}" for more in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(path for path in names if not path.exists())


def _sweep(folder: Path) -> None:
    """What a killed run left. Nobody else's: who still writes holds a lock."""
    for part in folder.glob(".nuanxun-*.part"):
        with suppress(OSError), part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some shares cannot
            os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def opened(path: Path, secrets: Sequence[str]) -> Iterator[tuple[Manifest, IO[bytes]]]:
    """The manifest, and the rest to be read to its end: only then has the whole file been proved.

    Raises BackupError, also out of reading, when anything is not as it was written.
    """
    try:
        with path.open("rb") as file:
            sealed = Decrypter(cast(IO[bytes], _Heard(file)), secrets)
            plain = gzip.GzipFile(fileobj=io.BufferedReader(sealed, PIECE))
            length = int.from_bytes(plain.read(4), "big")
            if length > MOST_MANIFEST:
                raise BackupError("the manifest is damaged")
            yield json.loads(plain.read(length)), plain  # type: ignore[misc]
    except (gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise BackupError(f"{path.name}: the content is damaged ({type(error).__name__})") from None
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror or type(error).__name__}") from None


def pieces(body: IO[bytes]) -> Iterator[bytes]:
    while piece := body.read(PIECE):
        yield piece


def told(body: Iterator[bytes], total: int = 0) -> Iterator[bytes]:
    """The same pieces; who listens hears how much of `total` bytes is written (0: nobody knows how many)."""
    done = 0
    for piece in body:
        yield piece
        done += len(piece)
        progress.step("MB written", done // PIECE, total // PIECE)


class _Heard:
    """A file of which whoever listens hears how much has been read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._done, self._size = file, 0, os.fstat(file.fileno()).st_size

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(size)
        if found and (self._done + len(found)) // PIECE > self._done // PIECE:
            progress.step("MB read", (self._done + len(found)) // PIECE, self._size // PIECE)
        self._done += len(found)
        return found


def all_in(folder: Path) -> list[Path]:
    """Every backup in `folder`, oldest first: their names begin with the moment."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))
