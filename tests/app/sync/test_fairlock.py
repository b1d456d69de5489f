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


def test_the_urgent_come_first_and_are_known_to_wait() -> None:
    lock, order = FairLock(), []
    lock.acquire(1)

    def take(name: str, *, urgent: bool) -> None:
        lock.acquire(5, urgent=urgent)
        order.append(name)
        lock.release()

    usual = threading.Thread(target=take, args=("usual",), kwargs={"urgent": False})
    usual.start()
    while not lock._waiting:
        pass
    assert not lock.is_urgent()
    urgent = threading.Thread(target=take, args=("urgent",), kwargs={"urgent": True})
    urgent.start()
    while not lock.is_urgent():
        pass
    lock.release()
    usual.join()
    urgent.join()
    assert order == ["urgent", "usual"]


def test_as_many_as_there_are_places_need_not_wait() -> None:
    lock = FairLock(2)
    assert [lock.acquire(0.01) for _ in range(3)] == [(True, False), (True, False), (False, True)]
    lock.release()
    assert lock.acquire(0.01) == (True, False)
