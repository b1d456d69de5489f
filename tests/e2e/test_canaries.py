"""What lies on a phone that is found, closed or locked, names nobody."""

from __future__ import annotations

import pytest

from tests.e2e.canaries import ENDS, look


@pytest.mark.parametrize("end", ENDS)
def test_no_file_of_a_phone_that_was_put_away_names_a_patient(playwright, server, tmp_path, end) -> None:
    assert look(playwright, server, tmp_path / end, seed=11 + ENDS.index(end), end=end) == {}
