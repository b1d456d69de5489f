"""What a text shows to whoever reads it."""

from __future__ import annotations

import re
import unicodedata

# Characters of letter or symbol class that print nothing: Hangul fillers, the empty braille cell.
FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# Controls, line separators and what turns the direction of the text around it.
UNPRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def blank(text: str) -> bool:
    """Nothing to be seen: spaces of any width, joiners, fillers. Characters newer than our Unicode tables
    and those of private use count as seen: rare names are written with them."""
    return all(ch in FILLERS or unicodedata.category(ch) in ("Zs", "Zl", "Zp", "Cc", "Cf") for ch in text)
