# MIST's tasks. Each sets up $(VENV) by itself the first time; `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
DATA ?=
PYTEST_ARGS ?=

BIN := $(VENV)/bin
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-input
# Newer than pyproject.toml and constraints.txt when the environment is up to date.
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format constraints clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  DATA=folder        demo on your own images        PYTHON=python3.12  another interpreter (after make clean)'
	@echo '  PYTEST_ARGS="..."  more arguments for pytest      VENV=folder        another environment'

setup: $(STAMP) ## create the environment with pinned versions

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "MIST needs Python 3.11 or newer: make PYTHON=...")'
	@echo "Setting up $(VENV) (some minutes the first time)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt --editable '.[all,dev]'
	@touch $@

demo: $(STAMP) ## ingest, serve, stream and train; DATA=folder takes your own images
	@$(BIN)/mist demo $(if $(DATA),'$(DATA)')

test: $(STAMP) ## run every test, on all cores
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(PYTEST_ARGS)

lint: $(STAMP) ## ruff, mypy and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(STAMP) ## let ruff format and sort what it can
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

# A fresh resolve of pyproject.toml, with torch as it is pinned. A build tag such as +cpu is dropped, so that the pins
# fit any index.
constraints: ## pin anew what pyproject.toml allows
	@rm -rf build/resolve && $(PYTHON) -m venv build/resolve
	@grep '^torch==' constraints.txt > build/torch.txt
	@build/resolve/bin/python $(PIP_INSTALL) --constraint build/torch.txt '.[all,dev]'
	@{ sed '/^[^#]/,$$d' constraints.txt; \
	   build/resolve/bin/python -m pip freeze --exclude mist-streaming | sed 's/+.*//'; } > build/constraints.txt
	@mv build/constraints.txt constraints.txt && rm -rf build/resolve build/torch.txt
	@git --no-pager diff --stat -- constraints.txt

clean: ## remove the environment and everything generated
	rm -rf $(VENV) build dist demo-data .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
