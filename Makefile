# `make` lists what can be made. Everything installs what it needs, once: see setup.sh.

PACKAGES := miyabi facts operations deploys inventory
CHECKED := $(PACKAGES) tests benchmarks config.py
BIN := .venv/bin
# The documented commands are run as a user would type them, with the environment's programs first on PATH.
WITH_VENV := PATH="$(CURDIR)/$(BIN):$$PATH"
# One worker more than processors, as most tests wait; the idle one takes from the busy one. More options for pytest: make test PYTEST="-k fleet"
PYTEST ?=
WORKERS ?= $(shell expr 1 + `getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1`)
# make bench BENCH=--quick
BENCH ?=
# make demo DEMO=--plain
DEMO ?=

.DEFAULT_GOAL := help
.PHONY: help setup recover demo forecast test slow check bench lock clean bytecode programs-to-run programs-to-demo programs-to-test

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 10

setup: bytecode programs-to-run ## .venv with what a run needs, and tmux

recover: setup ## converge the fleet to its specs
	$(WITH_VENV) pyinfra inventory deploys/recover.py -y

demo: setup .venv/sandbox.stamp programs-to-demo ## a sandbox fleet on loopback: broken, recovered, taken down
	$(WITH_VENV) miyabi sandbox demo $(DEMO)

forecast: setup .venv/forecast.stamp ## what `miyabi predict` needs, too: numpy and scipy

test: check bytecode programs-to-test ## check, then every test but the slow ones
	$(WITH_VENV) python -m pytest -n $(WORKERS) --dist worksteal -m "not slow" $(PYTEST)

slow: bytecode .venv/dev.stamp programs-to-test ## the slow tests: months, storms, every fault at once
	$(WITH_VENV) python -m pytest -n $(WORKERS) --dist worksteal -m slow $(PYTEST)

check: .venv/dev.stamp ## lint, format, types, import contracts
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev.stamp bytecode programs-to-test ## what a run costs, compared with others
	$(WITH_VENV) python -m benchmarks $(BENCH)

lock: .venv/dev.stamp ## resolve the dependencies again (newer ones too: make lock LOCK=--upgrade)
	$(BIN)/python -m pip -q --disable-pip-version-check install 'uv>=0.8,<1'
	$(RESOLVE) pyproject.toml -o requirements.lock
	$(RESOLVE) --extra test --extra check --extra forecast --extra traces -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(RESOLVE) --extra forecast -c requirements-dev.lock pyproject.toml -o requirements-forecast.lock
	$(RESOLVE) --extra sandbox -c requirements-dev.lock pyproject.toml -o requirements-sandbox.lock

# One lock for every supported Python, processor and system.
RESOLVE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header $(LOCK)

clean: ## remove everything that was made here
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info build dist
	find $(CHECKED) -name __pycache__ -prune -exec rm -rf {} +

# pyinfra switches the writing of bytecode off, and compiling at each run is what a run without changes would cost.
bytecode: .venv/run.stamp
	@$(BIN)/python -m compileall -q $(PACKAGES)

programs-to-run:
	@sh setup.sh programs run

programs-to-demo:
	@sh setup.sh programs demo

programs-to-test:
	@sh setup.sh programs test

.venv/run.stamp: requirements.lock setup.sh
	@sh setup.sh packages requirements.lock
	@touch $@

.venv/sandbox.stamp: requirements-sandbox.lock setup.sh | .venv/run.stamp
	@sh setup.sh packages requirements-sandbox.lock
	@touch $@

.venv/forecast.stamp: requirements-forecast.lock setup.sh | .venv/run.stamp
	@sh setup.sh packages requirements-forecast.lock
	@touch $@

.venv/dev.stamp: requirements-dev.lock setup.sh | .venv/run.stamp
	@sh setup.sh packages requirements-dev.lock
	@touch $@
