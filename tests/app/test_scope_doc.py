"""docs/security.md says who may do what as the program decides it."""

import pytest
from flask import Flask

from tools import scope_doc


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_table_in_the_security_document_is_current(app: Flask, database_url) -> None:
    written = scope_doc.FILE.read_text()
    assert scope_doc.render(app) in written, "run: .venv/bin/python -m tools.scope_doc"


def test_the_tool_leaves_the_rest_of_the_document_alone() -> None:
    text = f"# Security\n\nabove\n\n{scope_doc.BEGIN}\nold\n{scope_doc.END}\n\nbelow\n"
    assert scope_doc.put_into(text, f"{scope_doc.BEGIN}new{scope_doc.END}") == (
        f"# Security\n\nabove\n\n{scope_doc.BEGIN}new{scope_doc.END}\n\nbelow\n"
    )
    assert scope_doc.put_into("# Security\n", "new") == "# Security\n\nnew\n"
