#!/usr/bin/env bash
# Prints the path of a Chromium for the browser tests; installs one when there is none.
# Debian's own is preferred. Everything but the path goes to stderr.
set -euo pipefail
cd "$(dirname "$0")/.."

found() {
  local name
  for name in "${CHROMIUM:-}" chromium google-chrome google-chrome-stable chromium-browser; do
    if [ -n "$name" ] && command -v "$name" >/dev/null; then
      command -v "$name"
      return 0
    fi
  done
  return 1
}

playwrights_own() {
  .venv/bin/python - <<'PY'
from pathlib import Path

from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    path = playwright.chromium.executable_path
    print(path if Path(path).exists() else "")
PY
}

if path=$(found); then
  echo "$path"
  exit
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Debian's Chromium and a Chinese font" >&2
  { apt-get update -q && apt-get install -y -q --no-install-recommends chromium fonts-noto-cjk; } >&2 || true
  if path=$(found); then
    echo "$path"
    exit
  fi
fi
path=$(playwrights_own)
if [ -z "$path" ]; then
  echo "Installing Playwright's Chromium" >&2
  .venv/bin/python -m playwright install chromium >&2
  path=$(playwrights_own)
fi
[ -n "$path" ] || { echo "browser: no Chromium found or installed; set CHROMIUM=/path/to/chromium" >&2; exit 1; }
echo "$path"
