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

LONG_BYTES = 32 << 20  # some 500 visits
TOO_LONG_BYTES = 512 << 20  # what a crash leaves behind has to be read at the next start
PAGES_AT_MOST = 2 * TOO_LONG_BYTES // 4096  # then SQLite does by itself what it can
PATIENCE_S = 0.5  # nobody writes meanwhile
PASSES, NEARLY_PAGES = 2, 4000
REST_S, LONGEST_REST_S = 1, 60  # a backup reads for half a minute


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
        if time.monotonic() < self._rests_until or (size := self._bytes()) < LONG_BYTES:
            return
        if not self._at_work.acquire(blocking=False):
            return
        patience_s = PATIENCE_S if size > TOO_LONG_BYTES else 0
        try:
            threading.Thread(target=self._cut, args=(turn, patience_s), name="journal").start()
        except RuntimeError:  # the program is ending, or may have no more threads
            self._at_work.release()

    def _bytes(self) -> int:
        try:
            return os.stat(self._path).st_size
        except FileNotFoundError:
            return 0

    def _cut(self, turn: FairLock, patience_s: float) -> None:
        try:
            in_vain = not self._try(turn, patience_s) and patience_s > 0
            self._rest_s = max(REST_S, min(LONGEST_REST_S, 2 * self._rest_s)) if in_vain else REST_S
            self._rests_until = time.monotonic() + self._rest_s
        finally:
            self._at_work.release()

    def _try(self, turn: FairLock, patience_s: float) -> bool:
        had = patience_s > 0 and turn.acquire(patience_s)[0]
        try:
            return self._is_taken_in(patience_s)
        finally:
            if had:
                turn.release()

    def _is_taken_in(self, patience_s: float) -> bool:
        """Never by making a database where there is none any more."""
        with (
            suppress(sqlite3.Error),  # a full disk, say: whoever writes next is told
            closing(sqlite3.connect(f"{self._address}?mode=rw", uri=True, timeout=patience_s)) as own,
        ):
            for _ in range(PASSES):  # while others write: each comes as far as who began to read before it
                _, written, taken_in = own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if written - taken_in < NEARLY_PAGES:
                    break
            busy, _, _ = own.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy
        return False
