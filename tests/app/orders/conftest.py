import pytest

from tests.app.orders.town import Town
from tests.worlds import Begin


@pytest.fixture
def town(begin: Begin) -> Town:
    return begin(Town)
