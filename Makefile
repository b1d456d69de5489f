# `make` alone lists the targets. PORT=8000 is the port of `make run`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
BIN := .venv/bin
PORT ?= 8000
JS := static/js service_worker tests/js
export PYTHONDONTWRITEBYTECODE ?= 1
# The browser tests start a hundred programs, each of which would compile the whole application for itself.
COMPILED := PYTHONDONTWRITEBYTECODE=

.PHONY: help setup run test e2e check bench format db sbom screenshots clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9]+:.*## /{printf "  \033[1mmake %-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## virtual environment, pinned packages, browser libraries; quick when nothing changed
	@tools/setup.sh

run: setup ## migrate, fill demo data when empty, start web server and scheduler (PORT=8000)
	@PORT=$(PORT) $(PY) tools/run.py

test: setup ## everything: SQLite and PostgreSQL, both languages, three browsers
	@tools/engines.sh
	@chromium=$$(tools/browser.sh) && CHROMIUM="$$chromium" $(COMPILED) $(BIN)/pytest -n 2 --dist loadfile
	@$(MAKE) --no-print-directory node-test

e2e: setup ## every browser test, those that take minutes included
	@tools/engines.sh
	@chromium=$$(tools/browser.sh) && CHROMIUM="$$chromium" $(COMPILED) $(BIN)/pytest tests/e2e --long

check: setup ## ruff, mypy, import-linter, djlint, biome, node --test, known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy app
	$(BIN)/lint-imports --no-cache
	$(BIN)/djlint --lint --quiet templates
	npx --no-install biome ci --colors=off --diagnostic-level=error $(JS)
	@$(MAKE) --no-print-directory node-test
	@$(PY) tools/audit_dependencies.py

.PHONY: node-test
node-test:
	node --test $$(find tests/js -name '*.test.js' -o -name '*.test.mjs')

bench: setup ## how fast, how large, how it grows: ONLY=push,pages QUICK=1 DATABASE="sqlite postgres" WRITE=1
	@CHROMIUM="$$(tools/browser.sh || true)" $(PY) -m bench $(if $(ONLY),--only $(ONLY)) \
		$(if $(QUICK),--quick) $(if $(DATABASE),--database $(DATABASE)) $(if $(WRITE),--write) \
		$(if $(GROUNDS),--grounds $(GROUNDS)) $(if $(SET),--set $(SET))

format: setup ## put Python and JavaScript into the house format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	npx --no-install biome check --colors=off --write $(JS)

db: setup ## write a migration from the models (NAME="what changes")
	@test -n "$(NAME)" || { echo 'usage: make db NAME="what changes"'; exit 2; }
	@SECRET_KEY=$${SECRET_KEY:-only-for-writing-a-migration-0000} $(BIN)/flask --app wsgi db migrate -m "$(NAME)"

sbom: setup ## what is in it of other people's work, as CycloneDX, into sbom/
	@$(PY) tools/sbom.py

screenshots: setup ## pictures of the main screens for the README, from a running demo
	@chromium=$$(tools/browser.sh) && CHROMIUM="$$chromium" $(PY) tools/screenshots.py

clean: ## remove what can be made again; the database in instance/ stays
	rm -rf .venv node_modules static/vendor sbom .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache test-results
	find app tests tools migrations -name __pycache__ -prune -exec rm -rf {} +
