"""A weak line between phone and server: so long a way there and back, so many bits a second each way.

Bytes leave in order, at the line's rate, and arrive half a round trip later; all connections of the phone
share the line. A new connection costs one round trip more. No loss, no slow start, no TLS: what
it measures is the least such a line costs.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

PIECE = 1460  # bytes, about one packet
Item = tuple[float, bytes]


@dataclass(frozen=True)
class Kind:
    rtt_s: float
    down_bits_per_s: float
    up_bits_per_s: float


WEAK = Kind(rtt_s=0.3, down_bits_per_s=1.6e6, up_bits_per_s=0.75e6)


class _Direction:
    """When a piece is through: the line is free again only then."""

    def __init__(self, bits_per_s: float, delay_s: float) -> None:
        self._bits_per_s, self._delay_s, self._free_at, self.bytes = bits_per_s, delay_s, 0.0, 0

    def arrives(self, size: int, now: float) -> float:
        self._free_at = max(now, self._free_at) + size * 8 / self._bits_per_s
        self.bytes += size
        return self._free_at + self._delay_s


class Link:
    """Listens on `port` and passes everything on to `upstream`. `sent` and `received`: bytes by the phone."""

    def __init__(self, upstream: int, kind: Kind) -> None:
        self._upstream, self._kind, self.port = upstream, kind, 0
        self._up = _Direction(kind.up_bits_per_s, kind.rtt_s / 2)
        self._down = _Direction(kind.down_bits_per_s, kind.rtt_s / 2)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    @property
    def sent(self) -> int:
        return self._up.bytes

    @property
    def received(self) -> int:
        return self._down.bytes

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        open_still = asyncio.all_tasks(self._loop)
        for task in open_still:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*open_still, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # close() ends what is still on its way
            await asyncio.sleep(self._kind.rtt_s)  # the handshake
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
            await asyncio.gather(
                self._pass(reader, far_writer, self._up), self._pass(far_reader, writer, self._down)
            )

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: _Direction
    ) -> None:
        flying: asyncio.Queue[Item] = asyncio.Queue()
        landing = asyncio.create_task(self._land(flying, writer))
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(PIECE):
                flying.put_nowait((way.arrives(len(piece), self._loop.time()), piece))
        flying.put_nowait((self._loop.time() + self._kind.rtt_s / 2, b""))
        await landing

    async def _land(self, flying: asyncio.Queue[Item], writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                at, piece = await flying.get()
                await asyncio.sleep(max(0.0, at - self._loop.time()))
                if not piece:
                    break
                writer.write(piece)
                await writer.drain()
        writer.close()


@contextmanager
def weak(upstream: int, kind: Kind | None = None) -> Iterator[Link]:
    link = Link(upstream, kind or WEAK)
    try:
        yield link
    finally:
        link.close()
