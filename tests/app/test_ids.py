"""Nobody gets an id twice, whoever draws from the same stock."""

from __future__ import annotations

import os
import threading

from app.shared import ids


def test_every_id_is_one_and_names_its_moment() -> None:
    made = [ids.new_id(1_700_000_000_000) for _ in range(3 * ids.STOCK)]
    assert len(set(made)) == len(made) and all(map(ids.is_id, made))
    assert {one[:13] for one in made} == {"018bcfe5-6800"}


def test_threads_never_get_the_same() -> None:
    made: list[str] = []

    def draw() -> None:
        made.extend([ids.new_id(0) for _ in range(2000)])

    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(set(made)) == 16_000


def test_a_forked_process_draws_its_own() -> None:
    ids.new_id()  # something is in stock
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, ids.new_id(0).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 36).decode() not in {ids.new_id(0) for _ in range(2 * ids.STOCK)}
    os.close(read)
    os.close(write)
