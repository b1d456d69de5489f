"""What is counted while the program works, for Prometheus. Labels name doors and outcomes, never people.

prometheus_client decides at its import whether several processes count together, so it is imported at the
first use, after `serve` has said where their shared files are.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from typing import Any

from app.shared import clock

SHARED_FILES = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
MINUTE, HOUR, DAY = 60, 3600, 86400
AGES = (10, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY, 30 * DAY)
SKEWS = (5, 30, MINUTE, 5 * MINUTE, HOUR, DAY, 30 * DAY)


class Instruments:
    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self.registry = known = CollectorRegistry()
        self.requests = Counter(
            "nuanxun_requests", "Requests answered", ("method", "endpoint", "status"), registry=known
        )
        self.seconds = Histogram(
            "nuanxun_request_seconds", "Until the first byte", ("endpoint",), buckets=SECONDS, registry=known
        )
        self.operations = Counter(
            "nuanxun_operations", "Operations judged", ("result", "code"), registry=known
        )
        self.reads = Counter(
            "nuanxun_replica_reads",
            "Pages that may be old: by the replica, or why not",
            ("by",),
            registry=known,
        )
        self.age = Histogram(
            "nuanxun_operation_age_seconds", "From recording on the phone until it came in, applied ones",
            buckets=AGES, registry=known,
        )  # fmt: skip
        self.skew = Histogram(
            "nuanxun_phone_skew_seconds",
            "How wrong phones' clocks are, a push",
            buckets=SKEWS,
            registry=known,
        )


@cache
def instruments() -> Instruments:
    return Instruments()


@contextmanager
def _beside() -> Iterator[None]:
    """What cannot be counted, on a full disk, must not turn an answer into another."""
    with suppress(OSError):
        yield


def answered(method: str, endpoint: str, status: int, seconds: float) -> None:
    with _beside():
        known = instruments()
        known.requests.labels(method, endpoint, str(status)).inc()
        known.seconds.labels(endpoint).observe(seconds)


def read_from(by: str) -> None:
    """A page that may be old was read from the replica, or from the primary because the replica was `by`."""
    with _beside():
        instruments().reads.labels(by).inc()


def pushed(
    ops: Iterable[Any], results: Iterable[dict[str, Any]], received_at: datetime, skew_s: float
) -> None:
    """A push that was judged: its operations with their results, in step."""
    with _beside():
        _pushed(ops, list(results), received_at, skew_s)


def _pushed(ops: Iterable[Any], results: list[dict[str, Any]], received_at: datetime, skew_s: float) -> None:
    known = instruments()
    known.skew.observe(abs(skew_s))
    for (status, code), count in Counter((one["status"], one.get("code", "")) for one in results).items():
        known.operations.labels(status, code).inc(count)
    for op, result in zip(ops, results, strict=True):
        if result["status"] == "applied":
            age = received_at - clock.parse_moment(op["recorded_at"])
            known.age.observe(max(0.0, age.total_seconds()))


def exposition(state: Any) -> tuple[bytes, str]:
    """Everything counted by all processes, and what the collector `state` looks up; with its content type."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    looked_up = CollectorRegistry()
    looked_up.register(state)
    counted = instruments().registry
    if SHARED_FILES in os.environ:
        counted = CollectorRegistry()
        MultiProcessCollector(counted)
    return generate_latest(counted) + generate_latest(looked_up), CONTENT_TYPE_LATEST
