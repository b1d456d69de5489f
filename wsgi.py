"""The WSGI application: `gunicorn wsgi:app`, `flask --app wsgi ...`."""

import sys

from app import create_app
from app.config import SettingError

try:
    app = create_app()
except SettingError as error:
    sys.exit(f"nuanxun: {error}")
