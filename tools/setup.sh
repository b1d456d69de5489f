#!/usr/bin/env bash
# Brings a fresh clone to life: .venv, pinned Python packages, node_modules, browser libraries.
# Steps whose lock file has not changed since they last succeeded are left out.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1m%s\033[0m\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# One setup at a time in this folder: `make run` and `make test` may be started together.
if [ -z "${NUANXUN_SETUP:-}" ] && command -v flock >/dev/null; then
  mkdir -p instance
  NUANXUN_SETUP=1 exec flock instance/.setup-lock "$0" "$@"
fi

# Every Python 3.11 or newer on the PATH, each once, the newest names first. "$1": what it must be able to import.
pythons() {
  local name path real seen=" "
  for name in python3.15 python3.14 python3.13 python3.12 python3.11 python3; do
    while read -r path; do
      real=$("$path" -c "import $1, os, sys; sys.version_info < (3, 11) or print(os.path.realpath(sys.executable))" 2>/dev/null) \
        && [ -n "$real" ] || continue
      case $seen in *" $real "*) continue ;; esac
      seen+="$real "
      echo "$path"
    done < <(type -ap "$name")
  done
}

# The newest, unless another is a tenth quicker: how a Python was compiled counts for more than its version.
choose_python() {
  local path pace least best=""
  while read -r path; do
    pace=$("$path" tools/pace.py)
    if [ -z "$best" ] || awk "BEGIN { exit !($pace < 0.9 * $least) }"; then
      best=$path least=$pace
    fi
  done < <(pythons "ensurepip, venv")
  [ -n "$best" ] || read -r best < <(pythons sys) \
    || fail "Python 3.11 or newer is needed, and none was found. Debian/Ubuntu: apt install python3 python3-venv"
  echo "$best"
}

make_venv() {
  local python=$1
  say "Creating .venv with $python, $("$python" --version)"
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian splits venv off; only root may add it without asking.
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null \
      || fail "$python lacks the venv module. Debian/Ubuntu: sudo apt install python3-venv"
    say "Installing python3-venv"
    apt-get update -q
    apt-get install -y -q --no-install-recommends "$(basename "$python")-venv" \
      || apt-get install -y -q --no-install-recommends python3-venv
  fi
  "$python" -m venv .venv
}

if ! [ -x .venv/bin/python ] || ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  rm -rf .venv
  make_venv "$(choose_python)"
fi

if ! cmp -s requirements-dev.lock .venv/installed.lock; then
  say "Installing Python packages (requirements-dev.lock)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
  cp requirements-dev.lock .venv/installed.lock
fi

if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
  command -v npm >/dev/null || fail "Node 20 or newer with npm is needed. See https://nodejs.org"
  node -e 'process.exit(+process.versions.node.split(".")[0] < 20 ? 1 : 0)' \
    || fail "Node 20 or newer is needed, this is $(node --version)"
  say "Installing browser libraries (package-lock.json)"
  npm ci --silent --no-audit --no-fund
  cp package-lock.json node_modules/.installed-lock.json
fi

# Served by ourselves, never from a CDN: the clinic may be offline. Not committed.
mkdir -p static/vendor
bring() { cmp -s "$1" "$2" || cp "$1" "$2"; }
bring node_modules/htmx.org/dist/htmx.min.js static/vendor/htmx.min.js
bring node_modules/uqr/dist/index.mjs static/vendor/uqr.js
# Sixty small modules with names only npm knows, made into one that a browser can load.
if ! [ -f static/vendor/hpke.js ] || [ tools/hpke_entry.js -nt static/vendor/hpke.js ] \
  || [ node_modules/.installed-lock.json -nt static/vendor/hpke.js ]; then
  npx --no-install esbuild tools/hpke_entry.js --bundle --format=esm --minify --target=es2020 \
    --log-level=warning --outfile=static/vendor/hpke.js
fi
# On the way to the first page of every phone: without the words of its authors it weighs half.
if ! [ -f static/vendor/idb.js ] || [ node_modules/.installed-lock.json -nt static/vendor/idb.js ]; then
  npx --no-install esbuild node_modules/idb/build/index.js --format=esm --minify --target=es2020 \
    --log-level=warning --outfile=static/vendor/idb.js
fi
if ! [ -f static/vendor/sprite.svg ] || ! [ -f static/vendor/frame.svg ] || [ tools/make_sprite.py -nt static/vendor/sprite.svg ] \
  || [ node_modules/.installed-lock.json -nt static/vendor/sprite.svg ]; then
  .venv/bin/python tools/make_sprite.py
fi
