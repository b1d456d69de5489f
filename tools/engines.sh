#!/usr/bin/env bash
# The other browsers of the tests, Firefox and WebKit: installed when root on Debian or Ubuntu.
# Says what stays missing. Their tests are then left out with the same words; on Debian as root they run.
set -euo pipefail
cd "$(dirname "$0")/.."

lacking() { .venv/bin/python -c 'from tests.e2e import engines; print(*engines.lacking())'; }

packages() { # no associative array: the bash of macOS has none
  case $1 in
    firefox) echo firefox-esr fonts-noto-cjk ;;
    webkit) echo webkit2gtk-driver gir1.2-webkit2-4.1 python3-gi xvfb fonts-noto-cjk ;;
  esac
}

missing=$(lacking)
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -q >&2 || true
  for engine in $missing; do
    echo "Installing $(packages "$engine")" >&2
    # shellcheck disable=SC2046 # a list of packages
    apt-get install -y -q --no-install-recommends $(packages "$engine") >&2 || true
  done
  missing=$(lacking)
fi
for engine in $missing; do
  echo "engines: no $engine here, its tests are left out. Debian/Ubuntu: sudo apt install $(packages "$engine")" >&2
done
