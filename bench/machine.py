"""What the figures were measured on, and how busy it was; what processes cost."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

from tests.faults.server import Server

TICKS = os.sysconf("SC_CLK_TCK")


def load() -> float:
    """How many processes wanted to run, on average over the last minute."""
    return round(os.getloadavg()[0], 1)


def state(folder: Path) -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "fsync_ms": _fsync_ms(folder),
        "load": load(),
        "at": time.strftime("%Y-%m-%d %H:%M"),
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _fsync_ms(folder: Path) -> float:
    """What it costs until 4 KB are on the disk: every commit pays it."""
    took = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(30):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return round(1000 * statistics.median(took), 2)


def pids(server: Server) -> list[int]:
    """The master and its workers."""
    assert server.process is not None
    return [server.process.pid, *server.worker_pids()]


def cpu_s(processes: Iterable[int]) -> float:
    """Seconds of processor time these have used so far, with their children that ended."""
    used = 0
    for pid in processes:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += sum(int(ticks) for ticks in fields[11:15])
    return used / TICKS


def family_of(data_folder: Path) -> list[int]:
    """The PostgreSQL server of this folder and its backends; none while it does not run."""
    try:
        master = int((data_folder / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{master}/task/{master}/children").read_text()
    except FileNotFoundError:  # one that was killed leaves its file behind
        return []
    return [master, *map(int, children.split())]


def memory_mb(pid: int) -> tuple[float, float]:
    """(RSS, PSS): PSS counts what several processes share only once in all."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0])
    return round(found["Rss"] / 1024, 1), round(found["Pss"] / 1024, 1)


def peak_mb(pid: str | int = "self") -> float:
    """The most memory the process ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0
