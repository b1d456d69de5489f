"""What lies under /static: files as they are, our modules and styles joined, each compressed once.

A file is read once in the life of a process, as the build is: what was changed is seen after a restart.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import brotli  # type: ignore[import-untyped]
from flask import Response, current_app, request
from werkzeug.security import safe_join

from app.config import COMPRESSED
from app.errors import NotFound
from app.pwa import modules

STATIC = modules.STATIC
JOINED = "/static/joined/"
# Pictures may be a day old; everything else is always asked for again, never taken on trust: the name of
# a file says nothing about its build. With a worker nothing of it is asked for; elsewhere the answer is 304.
ALWAYS_ASK = "no-cache"
# In this order. The door, the lock and the list come first on every phone, and do without the second.
STYLES = {
    "frame.css": ("tokens", "base", "components", "list", "unlock"),
    "parts.css": ("more", "parts", "forms"),
}
A_DAY = "max-age=86400"
MANIFEST = "application/manifest+json"
WORTH_IT = 150  # bytes
# What stands under every module's own address, for a phone without a network.
ADDRESSES = "addresses.json"
PRECACHE = "/sw/precache.js"  # no file: routes.py makes it, from everything here


@dataclass(frozen=True)
class File:
    """The bytes under one address, and the same compressed."""

    content: bytes
    mimetype: str

    @cached_property
    def sum(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def brotli(self) -> bytes:
        return brotli.compress(self.content, quality=11)  # type: ignore[no-any-return]

    @cached_property
    def gzip(self) -> bytes:
        packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        return packer.compress(self.content) + packer.flush()

    @property
    def squeezable(self) -> bool:
        return self.mimetype in COMPRESSED and len(self.content) >= WORTH_IT


@cache
def parts() -> dict[str, list[str]]:
    """Which modules lie in which joined file. A file needs only those that stand before it.

    core   what page and worker both need: the phone loads it once for both
    frame  what every page needs, and the first ones that anybody sees: lock, and the list as it comes
    list   what draws the list, once everybody is there
    hand   what is needed on a press or in a rare state
    care   the patient's page and the forms;  orders  the rest
    """
    worker = [
        needed
        for source in sorted(modules.WORKER.glob("*.js"))
        for needed in modules.module(f"/sw/{source.name}").needs
        if needed.startswith("/static/")
    ]
    wanted = {
        "core": worker,
        "frame": [
            "/static/js/plans/later.js", "/static/js/vault/unlock_page.js",
            "/static/js/offline/offline_page.js", "/static/js/app.js",
        ],
        "list": ["/static/js/plans/list.js"],
        "hand": _sources("*.js", "offline/*.js", "vault/*.js"),
        "care": _sources("chart/*.js", "visits/*.js"),
        "orders": _sources("**/*.js"),
    }  # fmt: skip
    found: dict[str, list[str]] = {}
    placed: list[str] = []
    for name, roots in wanted.items():
        found[name] = modules.closure(roots, placed)
        placed += found[name]
    return found


def _sources(*patterns: str) -> list[str]:
    paths = sorted({path for pattern in patterns for path in (STATIC / "js").glob(pattern)})
    return [f"/static/{path.relative_to(STATIC).as_posix()}" for path in paths]


@cache
def home() -> dict[str, str]:
    """The joined file in which each module lies."""
    return {address: f"{JOINED}{name}.js" for name, listed in parts().items() for address in listed}


_files: dict[str, File] = {}  # only what is there: anybody may ask for what is not


def file(address: str) -> File | None:
    """What is served under an address below /static, or None."""
    found = _files.get(address) or _read(address)
    if found is not None:
        _files[address] = found
    return found


def _read(address: str) -> File | None:
    if address.startswith(JOINED):
        return _joined(address.removeprefix(JOINED))
    if address in home():
        return _script(modules.stub(address, home()[address]))
    path = safe_join(str(STATIC), address.removeprefix("/static/"))
    try:
        if path is None or not Path(path).is_file():
            return None
    except (OSError, ValueError):  # a name too long to be one, or with U+0000 in it
        return None
    if path.endswith(".css"):
        return _style(Path(path).read_text())
    return File(Path(path).read_bytes(), mimetypes.guess_type(path)[0] or "application/octet-stream")


def _joined(name: str) -> File | None:
    if name == ADDRESSES:
        stubs = {address: modules.stub(address, where) for address, where in home().items()}
        return File(json.dumps(stubs, separators=(",", ":")).encode(), "application/json")
    if name in STYLES:
        return _style("".join((STATIC / "css" / f"{each}.css").read_text() for each in STYLES[name]))
    listed = parts().get(name.removesuffix(".js")) if name.endswith(".js") else None
    return _script(modules.joined(listed, home())) if listed else None


def worker(known: Mapping[str, object]) -> str:
    """The worker's own modules in one, and what it is to know; what they share with the pages is imported."""
    own = modules.closure(["/sw/sw.js"], [*home(), PRECACHE])
    return modules.joined(own, home(), {PRECACHE: known})


def _script(text: str) -> File:
    return File(text.encode(), "text/javascript")


def _style(text: str) -> File:
    return File(modules.tight_style(modules.bare(text)).encode(), "text/css")


def static(filename: str) -> Response:
    """The view of /static/<filename>."""
    found = file(f"/static/{filename}")
    if found is None:
        raise NotFound()
    return answer(found)


def answer(found: File) -> Response:
    """`found` as it is asked for: squeezed, or 304 when it is there already."""
    age = A_DAY if found.mimetype.startswith("image/") or found.mimetype == MANIFEST else ALWAYS_ASK
    response = current_app.response_class(
        found.content, mimetype=found.mimetype, headers={"Cache-Control": age}
    )
    encoding = request.accept_encodings.best_match(("br", "gzip")) if found.squeezable else None
    if encoding is not None:
        response.set_data(found.brotli if encoding == "br" else found.gzip)
        response.content_encoding = encoding
    if found.squeezable:
        response.vary.add("Accept-Encoding")
    response.set_etag(f"{found.sum[:16]}{'-' + encoding if encoding else ''}")
    response.make_conditional(request)
    return response
