# `make demo` and `make test` set up everything they need in .venv, once; nothing else on the machine is touched.
# `make peers` (for the tests against real servers and clients) is the one target that installs system packages.
#
#   make demo     try tunnelui against a throw-away proxy on this machine
#   make test     every check and every test
#   make help     the other targets

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.set-up
PYTEST_ARGS ?=
# Most tests wait for something: two run at a time for each core. More than eight would read the tests for longer than
# they save, and the longest file takes as long anyway. A file's tests share what they start.
CORES       = $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
WORKERS     ?= $(shell test $(CORES) -lt 4 && expr 2 '*' $(CORES) || echo 8)
BENCH_ARGS  ?=

# The tests start hundreds of our own programs, and one that is compiled already starts in half the time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench screenshots lint types imports unit e2e pytest coverage peers format clean

help:
	@echo "make demo      a throw-away proxy, services behind it, and tunnelui in front of them"
	@echo "make test      lint, types, imports, then all tests (those whose peers are missing are skipped)"
	@echo "make peers     install the real servers and clients that tests/e2e drives (apt, needs root or sudo)"
	@echo "make lint | types | imports | unit | e2e    one part of the tests"
	@echo "make coverage  the unit tests, with the lines that none of them runs"
	@echo "make bench     compare speed and memory with Envoy, HAProxy, ssh and others"
	@echo "make screenshots    draw the pictures of the documentation anew"
	@echo "make format    lay out the code"
	@echo "make clean     remove all that was set up or built here"
	@echo "Variables: PYTHON=python3.12 for another interpreter, PYTEST_ARGS='-k name' for one test,"
	@echo "           WORKERS=0 for one test after the other"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "tunnelui needs Python 3.11 or later; '$(PYTHON)' is `$(PYTHON) --version 2>&1 || echo missing`." >&2; \
	  echo "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Setting up $(VENV) (once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); \
	  echo "'$(PYTHON) -m venv' failed. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)
	@if test -t 0 && test -t 1; then exec $(BIN)/tunnelui demo; else exec $(BIN)/tunnelui demo --check; fi

# One after the other even under `make -j`, so that pytest's closing line is the last one.
test: $(STAMP)
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory imports
	@$(MAKE) --no-print-directory pytest

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

pytest: $(STAMP)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

coverage: $(STAMP)
	$(BIN)/python -m pytest -q --ignore=tests/e2e --cov --cov-report=term-missing:skip-covered $(PYTEST_ARGS)

unit: $(STAMP)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --ignore=tests/e2e $(PYTEST_ARGS)

e2e: $(STAMP)
	$(BIN)/python -m pytest -q tests/e2e $(PYTEST_ARGS)

peers:
	PYTHON=$(PYTHON) tests/peers/install.sh

# Compares with Envoy, HAProxy, ssh and others; needs root or sudo for their packages, and a quiet machine.
bench: $(STAMP)
	PYTHON=$(PYTHON) benchmarks/peers.sh
	mkdir -p build
	$(BIN)/python -m benchmarks --json build/bench.json --svg build/bench.svg --text build/bench.txt $(BENCH_ARGS)

screenshots: $(STAMP)
	$(BIN)/python -m screenshots.make
	if command -v tmux >/dev/null; then $(BIN)/python -m screenshots.cast; fi

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .peers .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	rm -f .coverage .coverage.*
	find tunnelui server tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
