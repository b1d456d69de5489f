"""How far long work is. Nobody is told unless somebody who waits for it listens: a command in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any

import click

QUIET_S = 10  # where no terminal shows a bar: a line this often, and none for what is done sooner
Listener = Callable[[str, int, int], None]
_listening: ContextVar[Listener | None] = ContextVar("progress", default=None)


def step(label: str, done: int, total: int = 0) -> None:
    """`done` of `total` are done; 0 when nobody knows how many there will be."""
    listener = _listening.get()
    if listener is not None:
        listener(label, done, total)


def is_wanted() -> bool:
    """Whether it is worth asking how many there will be."""
    return _listening.get() is not None


@contextmanager
def shown() -> Iterator[None]:
    """On standard error: a bar in a terminal, else a line now and then. Standard output stays as it is."""
    screen = _Bars() if sys.stderr.isatty() else _Lines()
    token = _listening.set(screen.step)
    try:
        yield
    finally:
        _listening.reset(token)
        screen.end()


class _Lines:
    def __init__(self) -> None:
        self._said_at = monotonic()

    def step(self, label: str, done: int, total: int) -> None:
        now = monotonic()
        if now - self._said_at >= QUIET_S:
            self._said_at = now
            click.echo(f"{label}: {done} / {total}" if total else f"{label}: {done}", err=True)

    def end(self) -> None:
        pass


class _Bars:
    """One bar for each label; a label that begins anew gets a new one."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._label, self._total, self._done = "", 0, 0

    def step(self, label: str, done: int, total: int) -> None:
        if not done and not total:
            return
        if (label, total) != (self._label, self._total) or done < self._done:
            self.end()
            self._label, self._total, self._done = label, total, 0
            if total:
                self._bar = click.progressbar(length=total, label=label, show_pos=True, file=sys.stderr)
                self._bar.__enter__()
        if self._bar is not None:
            self._bar.update(done - self._done)
        else:
            click.echo(f"\r{label}: {done}", nl=False, err=True)
        self._done = done

    def end(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
        elif self._label:
            click.echo(err=True)
        self._bar, self._label = None, ""
