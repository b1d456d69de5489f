"""SQLite's journal is taken into the file aside, and begun anew.

SQLite does so by itself: in the commit of whoever has made it too long, and from its beginning only if nobody
happens to read just then. With two processes hard at work somebody always does. The journal of 50 phones grew
to 800 MB in nine seconds, and each commit had the file brought to the disk as well. So a thread does it here:
in passing, when nobody is in the way; and once the journal is very long it takes the write lock, and waits
for who reads. Whoever begins to read meanwhile finds all in the file, and is not waited for.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing, suppress
from functools import cache
from pathlib import Path

from app.shared.fairlock import FairLock

PAGE_BYTES = 4096
LONG_BYTES = 32 << 20  # some 500 visits
TOO_LONG_BYTES = 512 << 20  # what a crash leaves behind has to be read at the next start
PAGES_AT_MOST = 2 * TOO_LONG_BYTES // PAGE_BYTES  # then SQLite does by itself what it can
PATIENCE_S = 0.5  # nobody writes meanwhile
REST_S, LONGEST_REST_S = 1, 60  # a backup reads for half a minute
PASSES, NEARLY_PAGES = 4, 4000


@cache
def of(database: str) -> Journal:
    return Journal(database)


class Journal:
    """Of the database in this file. Each process has its own; that two try at once does no harm."""

    def __init__(self, database: str) -> None:
        self._address, self._path = Path(database).as_uri(), f"{database}-wal"
        self._at_work = threading.Lock()
        self._rest_s, self._rests_until = 0.0, 0.0

    def written(self, turn: FairLock) -> None:
        """Somebody has: if it has become long, have it cut. `turn` is where this process's writers wait."""
        if time.monotonic() < self._rests_until or self._bytes() < LONG_BYTES:
            return
        if not self._at_work.acquire(blocking=False):
            return
        try:
            threading.Thread(target=self._cut, args=(turn,), name="journal").start()
        except RuntimeError:  # the program is ending, or may have no more threads
            self._at_work.release()

    def _bytes(self) -> int:
        """Of the file. What has been begun anew goes on in the same file."""
        try:
            return os.stat(self._path).st_size
        except FileNotFoundError:
            return 0

    def _cut(self, turn: FairLock) -> None:
        try:
            in_vain = False
            # Never by making a database where there is none any more.
            with (
                suppress(sqlite3.Error),  # a full disk, say: whoever writes next is told
                closing(sqlite3.connect(f"{self._address}?mode=rw", uri=True, timeout=0)) as own,
            ):
                if _taken_in(own) * PAGE_BYTES > TOO_LONG_BYTES:
                    in_vain = not _patiently(own, turn)
                else:
                    own.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # if nobody is in the way
            self._rest_s = max(REST_S, min(LONGEST_REST_S, 2 * self._rest_s)) if in_vain else REST_S
            self._rests_until = time.monotonic() + self._rest_s
        finally:
            self._at_work.release()


def _taken_in(own: sqlite3.Connection) -> int:
    """The journal's length in pages, of which most are in the file now; others read and write meanwhile."""
    length = 0
    for _ in range(PASSES):  # each comes as far as whoever began to read before it
        _, length, done = own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if length - done < NEARLY_PAGES:
            break
    return int(length)


def _patiently(own: sqlite3.Connection, turn: FairLock) -> bool:
    """Whether it begins anew. The file keeps its size, and is written into from its beginning."""
    own.execute(f"PRAGMA busy_timeout={round(1000 * PATIENCE_S)}")
    had, _ = turn.acquire(PATIENCE_S)
    try:
        busy, _, _ = own.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        return not busy
    finally:
        if had:
            turn.release()
