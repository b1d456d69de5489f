"""Writers take turns in the order in which they asked."""

import threading

from app.shared.fairlock import FairLock


def test_it_is_handed_on_in_the_order_of_asking() -> None:
    lock, order = FairLock(), []
    assert lock.acquire(1) == (True, False)
    threads: list[threading.Thread] = []

    def take(name: str) -> None:
        lock.acquire(5)
        order.append(name)
        lock.release()

    for name in "abc":
        thread = threading.Thread(target=take, args=(name,))
        threads.append(thread)
        thread.start()
        while len(lock._waiting) < len(threads):
            pass
    lock.release()
    for thread in threads:
        thread.join()
    assert order == ["a", "b", "c"]


def test_who_waits_in_vain_leaves_the_queue() -> None:
    lock = FairLock()
    lock.acquire(1)
    assert lock.acquire(0.01) == (False, True)
    lock.release()
    assert lock.acquire(0.01) == (True, False)
