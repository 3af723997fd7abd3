# Nestwork: every task a developer or a machine runs. `make` alone explains itself.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FOLDER ?= .nestwork
CHAOS_SEED ?= 1
CHAOS_MINUTES ?= 5
# The first interpreter that is new enough; `make setup PYTHON=...` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check test-model test-simulation test-chaos test-load test-alerts test-console test-random bench bench-payroll bench-peers bench-scale load docs format up down lock jars-lock clean test-security test-recovery test-compose audit manifests

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv with everything that was locked, by hash

$(STAMP): requirements-dev.lock pyproject.toml
	@test -x $(BIN)/python || test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; none was found" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: setup ## Run a realistic payday from nothing to a proven result, and clean up
	$(BIN)/nestwork demo

test: setup ## Run all tests: unit, property, integration, scenarios, a short chaos run
	CHAOS_MINUTES=$${CHAOS_MINUTES:-0.5} $(BIN)/python -m pytest --ignore=tests/load --ignore=tests/browser --ignore=tests/alerts --ignore=tests/security --ignore=tests/recovery --ignore=tests/compose --ignore=tests/scenarios/random/test_random.py

check: setup ## Format, lint, types, architecture, generated docs, tidiness
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/nestwork docs check
	$(BIN)/python -m pytest -q tests/unit/test_tidy.py tests/unit/manifests tests/unit/compose tests/unit/security

test-model: setup ## Explore the delivery protocol in larger worlds, exhaustively (minutes)
	MODEL_WORLDS=all $(BIN)/python -m pytest -q tests/model --timeout=0

test-simulation: setup ## Simulate thousands of paydays with faults (FIRST, SEEDS)
	SIMULATION_FIRST=$${FIRST:-1} SIMULATION_SEEDS=$${SEEDS:-2000} $(BIN)/python -m pytest -q tests/simulation --timeout=0

test-chaos: setup ## Kill processes while money moves (CHAOS_SEED, CHAOS_MINUTES)
	CHAOS_ALL=1 CHAOS_SEED=$(CHAOS_SEED) CHAOS_MINUTES=$(CHAOS_MINUTES) $(BIN)/python -m pytest tests/chaos --timeout=0

test-alerts: setup ## Cause trouble and watch Prometheus page (Debian's packages, fetched without root)
	$(BIN)/python -m pytest tests/alerts --timeout=0

test-load: setup ## Run the load command in several profiles on clusters of their own (minutes)
	$(BIN)/python -m pytest tests/load --timeout=0

test-console: setup ## Visit the console by keyboard in headless Chromium (Debian's, fetched without root)
	$(BIN)/python -m pytest tests/browser --timeout=0

test-security: setup ## TLS, SCRAM, access lists, database roles, on real servers (Debian's package postgresql)
	$(BIN)/python -m pytest tests/security --timeout=0

test-random: setup ## Run random scenarios on clusters of several shapes, undisturbed and with kills (SEEDS, FILES)
	RANDOM_SEEDS="$${SEEDS:-1 2 3 4}" RANDOM_FILES=$${FILES:-200} $(BIN)/python -m pytest tests/scenarios/random --timeout=0

test-recovery: setup ## Restore databases while Kafka goes on; two releases in one group (minutes)
	$(BIN)/python -m pytest tests/recovery --timeout=0

test-compose: setup ## Read docker-compose.yml with Docker Compose's own loader (needs Go)
	$(BIN)/python -m pytest tests/compose

audit: setup ## Look every locked dependency up among known weaknesses (offline: AUDIT_DATABASE="all.zip ...")
	$(BIN)/python -m deploy.security.audit $(addprefix --database ,$(AUDIT_DATABASE))

manifests: setup ## Derive and render Kubernetes' manifests (needs kustomize or kubectl)
	$(BIN)/python -m deploy.manifests.render

bench: setup ## Measure a payday end to end
	$(BIN)/nestwork bench payday --participants $${PARTICIPANTS:-20000}

bench-payroll: setup ## Import a payroll file of LINES rows (default 1,000,000), twice
	$(BIN)/python -m tests.load.payroll_file --lines $${LINES:-1000000}

bench-peers: setup ## The engine beside Kafka Streams, Java with JDBC, Quix and Faust (goes on where it stopped)
	tests/load/peers/run --write

bench-scale: setup ## Measure by workers, partitions and history, for docs/capacity.md (HISTORY=contributions)
	$(BIN)/nestwork bench scale --history $${HISTORY:-0} --json > scale.json
	$(BIN)/python -m deploy.docs.capacity scale.json
	$(BIN)/nestwork docs build

load: setup ## Find the knee: a ramp of payroll lines, checked to the cent (RATE, LOAD_SECONDS)
	$(BIN)/nestwork load run --profile ramp --rate $${RATE:-4000} --seconds $${LOAD_SECONDS:-60} --out reports/load

docs: setup ## Regenerate everything generated under docs/
	$(BIN)/nestwork docs build

format: setup ## Format the code and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

up: setup ## Start the embedded cluster
	$(BIN)/nestwork up --folder $(FOLDER)

down: ## End the embedded cluster
	$(BIN)/nestwork down --folder $(FOLDER)

COMPILE := --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-emit-index-url \
	--no-emit-trusted-host --no-emit-options

lock: setup ## Lock the dependencies of pyproject.toml again
	$(BIN)/pip-compile $(COMPILE) -o requirements.lock pyproject.toml
	$(BIN)/pip-compile $(COMPILE) --extra dev -o requirements-dev.lock pyproject.toml

jars-lock: setup ## Lock Kafka's jars again, after a change of its version
	$(BIN)/python -m deploy.cluster.jars

clean: ## Remove caches and the virtual environment, never data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
