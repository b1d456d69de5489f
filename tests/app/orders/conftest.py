import pytest
from flask import Flask

from tests.app.orders.town import Town
from tests.factories import Factory


@pytest.fixture
def town(app: Flask, make: Factory) -> Town:
    return Town(app, make)
