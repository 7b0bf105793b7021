# DropFix. `make` alone lists what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-check test test-compose verify check docs format bench lock up down clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv trusts the system's certificates, as pip does, and asks the package index that pip is set up for.
UV_ENV := UV_NATIVE_TLS=1 VIRTUAL_ENV=$(VENV) $(if $(PIP_INDEX_URL),UV_DEFAULT_INDEX=$(PIP_INDEX_URL))
STAMP := $(VENV)/.installed
WORKERS ?= 5
DATA_DIR ?= .data/demo
GROUPS := setup poller mirror mrr detector dunning console tools
PACKAGES := schemas runtime pipeline services simulator cli deploy bench tests

help: ## list the targets
	@echo "DropFix: churn signals, exact MRR and dunning from a read-only Stripe key."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make the environment in .venv, and nothing else

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 14) else \
	    "DropFix needs Python 3.11 to 3.14 and %s is %d.%d; name another one: make setup PYTHON=python3.13" % (sys.executable, *v))'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python && $(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/setup.lock || \
	    echo "uv cannot be had here; pip goes on alone, which takes longer" >&2
	@if test -x $(BIN)/uv; then \
	    $(UV_ENV) $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock && \
	    $(UV_ENV) $(BIN)/uv pip install --quiet --no-build-isolation --no-deps -e .; \
	else \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .; \
	fi
	@touch $@

demo: $(STAMP) ## the whole of it with a simulated Stripe account, in the browser
	@$(BIN)/dropfix demo --data-dir $(DATA_DIR)

demo-check: $(STAMP) ## the demo without a browser: its numbers beside the simulator's truth
	@$(BIN)/dropfix demo --check --data-dir .data/demo-check

test: $(STAMP) ## every test that a change must pass; real Kafka and PostgreSQL, started by the tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --ignore tests/compose

test-compose: $(STAMP) ## images and compose, built and run where a Docker engine answers (elsewhere it skips)
	@$(BIN)/python -m pytest -n 0 -rs tests/compose

verify: $(STAMP) ## the same properties at length: all seeds, many kills, months of days (takes long)
	@DROPFIX_VERIFY=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --timeout 7200 \
	    tests/chaos tests/integration tests/contract tests/e2e/test_days.py

check: $(STAMP) ## format, lint, types, import contracts, schema compatibility
	@$(BIN)/ruff format --check $(PACKAGES)
	@$(BIN)/ruff check $(PACKAGES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@test ! -x $(BIN)/hadolint || $(BIN)/hadolint deploy/Dockerfile
	@$(BIN)/python -m schemas.generate --check
	@$(BIN)/python -m schemas.compatibility
	@$(BIN)/python -m services.poller.steady.bounds_page --check

docs: $(STAMP) ## write the pages that are generated: docs/topics.md, docs/tables.md, docs/polling.md
	@$(BIN)/python -m schemas.generate
	@$(BIN)/python -m services.poller.steady.bounds_page
	@DROPFIX_WRITE_DOCS=1 $(BIN)/python -m pytest tests/integration/access/test_commands.py -k page_of_tables

format: $(STAMP) ## put the code into the house style
	@$(BIN)/ruff check --fix --quiet $(PACKAGES)
	@$(BIN)/ruff format $(PACKAGES)

bench: $(STAMP) ## run every benchmark; one alone: .venv/bin/python -m bench NAME [--json]
	@$(BIN)/python -m bench

lock: $(STAMP) ## pin the dependencies anew, with hashes: the project's and each image's
	@$(UV_ENV) $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --group dev pyproject.toml -o requirements.lock
	@mkdir -p requirements
	@for group in $(GROUPS); do \
	    $(UV_ENV) $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	        -c requirements.lock --group $$group pyproject.toml -o requirements/$$group.lock || exit 1; \
	done

up: ## the same on Docker: build, migrate, start, wait until healthy
	@deploy/up

down: ## stop it; data stays in its volumes
	@cd deploy && docker compose --profile "*" down --remove-orphans

clean: ## remove the environment and the demo's data
	@rm -rf $(VENV) .data
