"""Templates lose their indentation, and the line end after a block: what that may not join."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
BLOCK = re.compile(r"\{([%{#]).*?[%}#]\}", re.DOTALL)
AFTER_A_BLOCK = re.compile(r"(?<!-)%\}\n[ \t]*(?=[a-z])")


@pytest.mark.parametrize(
    "path", sorted(TEMPLATES.rglob("*.html")), ids=lambda p: str(p.relative_to(TEMPLATES))
)
def test_no_attribute_begins_a_line_after_a_block(path: Path) -> None:
    """`{% endif %}` at the end of a line, then `required`: the two would become one word in the page."""
    source = path.read_text()
    joined = []
    for found in AFTER_A_BLOCK.finditer(source):
        before = BLOCK.sub("", source[: found.end()])
        if before.rfind("<") > before.rfind(">"):
            joined.append(source[found.end() :].split("\n")[0].strip())
    assert joined == []
