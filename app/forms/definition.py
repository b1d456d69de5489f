"""Definition files, read once and kept: the form as the national norm prints it, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "definitions"

Field = dict[str, Any]


@dataclass(frozen=True)
class Definition:
    """One form. `raw` is the file as it stands, which is also what the phone is given."""

    key: str
    version: int
    zh: str
    en: str
    icon: str
    raw: dict[str, Any]
    fields: dict[str, Field]
    computed: dict[str, Field]

    @property
    def phone(self) -> dict[str, Any]:
        """What a phone needs of it: everything but the English labels and the sources."""
        slim = _without_notes(self.raw)
        assert isinstance(slim, dict)
        return slim

    @property
    def layout(self) -> list[dict[str, Any]]:
        """Sections in the order of the screen; the order of `fields` is that of the paper."""
        return list(self.raw["layout"])

    @property
    def checks(self) -> list[dict[str, Any]]:
        return list(self.raw["checks"])

    @property
    def yields(self) -> list[dict[str, Any]]:
        return list(self.raw["yields"])


def _without_notes(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            key: _without_notes(value) for key, value in part.items() if key not in ("en", "source", "mark")
        }
    return [_without_notes(one) for one in part] if isinstance(part, list) else part


def read(path: Path) -> Definition:
    raw = json.loads(path.read_text(encoding="utf-8"))
    return Definition(
        key=raw["key"],
        version=raw["version"],
        zh=raw["zh"],
        en=raw["en"],
        icon=raw["icon"],
        raw=raw,
        fields={field["key"]: field for field in raw["fields"]},
        computed={field["key"]: field for field in raw["computed"]},
    )


@cache
def all_definitions() -> dict[str, Definition]:
    """Every form by its key, in the order of the file names."""
    return {made.key: made for made in (read(path) for path in sorted(FOLDER.glob("*.json")))}


def definition(key: str) -> Definition:
    """Raises KeyError for a form that does not exist."""
    return all_definitions()[key]


def rows_of(section: dict[str, Any]) -> list[str]:
    """Keys of all fields a layout section shows, pairs and rows opened up."""
    keys: list[str] = []
    for item in section["items"]:
        keys += [item] if isinstance(item, str) else item.get("row", item.get("pair", []))
    return keys
