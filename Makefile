# Fleetwright's one door: `make help` says what there is.
SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
RUN := $(VENV)/bin/python -m
PIP := $(RUN) pip --disable-pip-version-check --quiet
ARGS ?=
# What failed is remembered by part. With TRIES=2 it runs once more by itself: what is wrong fails then, too, and what only the
# other work of the machine made fail is named in the first run's lines. A part that broke off has nothing to repeat, and fails.
TRIES := 1
AGAIN = $(MAKE) $$part ARGS="$(ARGS) -n 1 --last-failed --last-failed-no-failures=none"
PYTEST = $(RUN) pytest -o cache_dir=.pytest_cache/$@
PARTS := test-sqlite test-postgresql test-engines test-beside
BESIDE := tests/browser tests/running
# What would tell the same on either database is tested on one of them, as is what needs none.
PURE := tests/architecture tests/drivers tests/formats tests/machine tests/output tests/fit tests/transitions
# Tests wait for devices and processes a good part of their time, so two cores can do with more workers than two.
WORKERS := 3
BROWSERS := 4

# The first of these that is new enough.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

# A venv whose making or filling was interrupted has no stamp: it is made or filled again.
MADE := $(VENV)/.made
FILLED := $(VENV)/.requirements
FILLED_DEV := $(VENV)/.requirements-dev

.PHONY: help run setup check test $(PARTS) test-browser pictures bench soak lock clean FORCE

help: ## say what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name words; do \
		printf '  make %-16s %s\n' "$$name" "$$words"; done

run: $(FILLED) ## start the portal, with all it needs, on this machine (ARGS=… for `manage.py up`)
	@exec $(VENV)/bin/python manage.py up $(ARGS)

setup: $(FILLED_DEV) ## install what the tests need: Python's packages, npm's, and Debian's where this is root on Debian
	@$(RUN) tests.environment.debian
	@$(RUN) tests.environment.npm

# djlint ends with an error when it finds no template at all.
check: $(FILLED_DEV) ## lint, format, types, layers, templates, migrations, settings for production
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy .
	$(VENV)/bin/lint-imports
	if [ -n "$$(find templates -name '*.html')" ]; then $(RUN) djlint --quiet --lint templates; fi
	@var=$$(mktemp -d); trap 'rm -rf "$$var"' EXIT; \
	unset DATABASE_URL REDIS_URL DEBUG; \
	export FLEETWRIGHT_VAR="$$var" HTTPS=true ALLOWED_HOSTS=fleet.example; \
	set -x; \
	$(VENV)/bin/python manage.py makemigrations --check --dry-run; \
	$(VENV)/bin/python manage.py check --deploy --fail-level WARNING
	@echo "check: passed"

test: setup ## run all tests: pure and database ones on SQLite and on PostgreSQL, then end to end
	@failed=; for part in $(PARTS); do $(MAKE) $$part || { [ $(TRIES) = 2 ] && $(AGAIN); } || failed="$$failed $$part"; done; \
	if [ -n "$$failed" ]; then echo "test: failed:$$failed"; exit 1; fi; \
	echo "test: passed: $(PARTS)"

# What an engine does for a database test takes minutes, and is the same on either database: once, on PostgreSQL.
test-sqlite: $(FILLED_DEV) ## only the pure and database tests, on SQLite
	@echo "test: pure and database tests on SQLite"
	@TEST_DATABASE=sqlite $(PYTEST) -n $(WORKERS) -m "not e2e and not only_postgresql and not (database and docker)" $(ARGS)

test-postgresql: $(FILLED_DEV) ## only the database tests, on PostgreSQL (those that know no database have run on SQLite)
	@echo "test: database tests on PostgreSQL"
	@TEST_DATABASE=postgresql $(PYTEST) -n $(WORKERS) -m "database and not e2e" $(PURE:%=--ignore=%) $(ARGS)

test-engines: $(FILLED_DEV) ## only the end-to-end tests with engines and devices, on PostgreSQL
	@echo "test: end-to-end tests on PostgreSQL, on engines side by side"
	@TEST_DATABASE=postgresql $(PYTEST) -n $(WORKERS) --dist loadfile -m e2e $(BESIDE:%=--ignore=%) $(ARGS)

test-beside: $(FILLED_DEV) ## only the other end-to-end tests, on PostgreSQL: the browser's, and those of `manage.py up`
	@echo "test: end-to-end tests on PostgreSQL, those without an engine"
	@TEST_DATABASE=postgresql $(PYTEST) -n $(BROWSERS) -m e2e $(BESIDE) $(ARGS)

test-browser: $(FILLED_DEV) ## only each page's task in a real browser, and what axe-core says
	@TEST_DATABASE=postgresql $(PYTEST) -n $(BROWSERS) tests/browser $(ARGS)

pictures: setup ## take the README's pictures anew, from a portal that `manage.py seed` has filled
	@mkdir -p portal/docs/pictures
	@$(RUN) tests.browser.pictures

bench: $(FILLED_DEV) ## measure pages and orders with 100,000 devices and 1,000,000 upgrades, and a fleet that asks beside goosebit's (ARGS=…, see bench/__main__.py)
	@$(RUN) bench $(ARGS)

soak: $(FILLED_DEV) ## every cell of the transition tables of artifacts (over SSH), modules and containers, the watchdog killed in each state, ten minutes of random kills (reports in portal/docs/soak), a 2 GiB artifact
	@SOAK=1 FLEETWRIGHT_LARGE_MIB=2048 TEST_DATABASE=postgresql $(RUN) pytest tests/soak tests/e2e/test_large_artifact.py tests/formats/test_resources.py $(ARGS)

lock: $(FILLED_DEV) ## pin with hashes what requirements*.in and bench/goosebit.in ask for (ARGS=--upgrade: the newest of each)
	@$(PIP) install uv
	@for part in requirements requirements-dev bench/goosebit; do \
		$(RUN) uv pip compile --generate-hashes --no-strip-markers --python-version 3.11 --no-emit-index-url --no-emit-find-links \
			$(ARGS) $$part.in -o $$part.txt >/dev/null; done

clean: ## remove all that is made here except var/, which holds the portal's data
	rm -rf $(VENV) staticfiles var/cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(FILLED): $(MADE) requirements.txt
	@echo "setup: installing what the portal runs on"
	@$(PIP) install --require-hashes -r requirements.txt
	@touch $@

$(FILLED_DEV): $(FILLED) requirements-dev.txt
	@echo "setup: installing what checks and tests need"
	@$(PIP) install --require-hashes -r requirements.txt -r requirements-dev.txt
	@touch $@

# A venv stops working when its Python is removed or the checkout moves: then it has to be made anew.
$(MADE): $(if $(shell $(VENV)/bin/python -c 'import pip; print(1)' 2>/dev/null),,FORCE)
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is missing; python3 here is: $$(python3 -V 2>&1)." >&2; exit 1; fi
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "Python's venv module is missing: on Debian, \`apt-get install python3-venv\`." >&2; exit 1; }
	@echo "setup: making $(VENV)"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@touch $@
