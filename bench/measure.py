"""What a measure is handed and what it gives back; which measures there are."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.grounds import Grounds

HERE = Path(__file__).parent
ORDER = (
    "first_load",
    "save",
    "offline_open",
    "push",
    "drain",
    "pack",
    "pages",
    "memory",
    "size",
    "growth",
    "nightly",
    "backup",
)


class Unavailable(Exception):
    """This machine lacks something the measure cannot do without; the words say what."""


@dataclass(frozen=True)
class Options:
    """`database` is sqlite or postgres. `settings` by the measure's own names: push.phones -> 50,200."""

    grounds: Grounds
    quick: bool = False
    database: str = "sqlite"
    settings: dict[str, str] = field(default_factory=dict)

    def numbers(self, name: str, usual: tuple[int, ...], quick: tuple[int, ...]) -> tuple[int, ...]:
        """Whole numbers of the setting `name`, or what is usual."""
        if name in self.settings:
            return tuple(int(part) for part in self.settings[name].split(","))
        return quick if self.quick else usual

    def number(self, name: str, usual: int, quick: int) -> int:
        return self.numbers(name, (usual,), (quick,))[0]


@dataclass(frozen=True)
class Row:
    case: str
    figures: dict[str, Any]
    reference: dict[str, Any] = field(default_factory=dict)
    ratio: float | None = None


def names() -> list[str]:
    """Modules of this folder with a `run` of their own, in the order of the house, others after."""
    found = [
        module.name
        for module in pkgutil.iter_modules([str(HERE)])
        if not module.name.startswith("_") and "\ndef run(" in (HERE / f"{module.name}.py").read_text()
    ]
    return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def find(name: str) -> ModuleType:
    return importlib.import_module(f"bench.{name}")


def databases_of(module: ModuleType) -> tuple[str, ...]:
    found: tuple[str, ...] = getattr(module, "DATABASES", ("sqlite", "postgres"))
    return found


def percentile(values: list[float], part: float) -> float:
    """The value below which `part` (0 to 1) of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
