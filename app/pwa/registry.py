"""What rooms tell pwa at start-up: which of their pages a person needs without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from app.accounts.models import User
from app.pwa.build import build


@dataclass(frozen=True)
class PackPage:
    """One page of somebody's visit pack.

    `seq` is the newest feed number that concerns the page (0: only the build changes it). `render` gives the
    same html as the page's own route; it is called while that person's pack streams, never otherwise.

    With a `stamp` the page may be kept (app/pwa/rendered.py): all that the rendering depends on, the kind of
    reader aside. `render` then takes a `reader`. `ready` is told beforehand which addresses of its kind will
    be rendered, in their order.
    """

    url: str
    seq: int
    render: Callable[..., str]
    stamp: str = ""
    ready: Callable[[list[str]], None] | None = None

    @property
    def rev(self) -> str:
        return rev(self.seq)


PagesOf = Callable[[User], Iterable[PackPage]]
GoneSince = Callable[[User, int], Iterable[str]]

_pages: list[PagesOf] = []
_gone: list[GoneSince] = []


def register_pages(pages_of: PagesOf, gone_since: GoneSince | None = None) -> None:
    """Add a room's pages to every pack, in the order of registration.

    `gone_since(user, seq)` names addresses that may have left the pack since feed number `seq`; those that
    are still in it are not sent as gone. Registering the same function again changes nothing.
    """
    if pages_of not in _pages:
        _pages.append(pages_of)
    if gone_since is not None and gone_since not in _gone:
        _gone.append(gone_since)


def rev(seq: int) -> str:
    """The revision of a page that phones keep: X-Page-Rev, and `rev` in the pack."""
    return f"{build()}-{seq}"


def pages(user: User) -> Iterator[PackPage]:
    """Every page of this person's pack. An address named twice is taken from the first room."""
    seen: set[str] = set()
    for pages_of in _pages:
        for page in pages_of(user):
            if page.url not in seen:
                seen.add(page.url)
                yield page


def gone(user: User, since: int) -> Iterator[str]:
    for gone_since in _gone:
        yield from gone_since(user, since)
