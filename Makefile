# Works with any POSIX sh; everything it makes lies in .venv/, dist/ and the tools' caches.
PYTHON ?= python3
# Two processes with one thread each: without the limit, each would start as many threads as there are cores.
PYTEST_ARGS ?= -n 2
OMP_NUM_THREADS ?= 1
# Which versions a new .venv gets; an empty file leaves the choice to pip: the newest.
CONSTRAINTS ?= constraints.txt

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs

.DEFAULT_GOAL := help
.PHONY: help install quickstart test lint types docs wheel
.SUFFIXES:

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '%-18s %s\n' "$$target" "$$text"; done
	@echo 'Variables: PYTHON=python3.13 (for a new .venv), PYTEST_ARGS="-n 2 -m slow tests/modules",'
	@echo '  CONSTRAINTS=constraints-lowest.txt (for a new .venv)'

install: $(STAMP) ## make .venv and install pretune in it, editable, with the pinned versions of constraints.txt

$(STAMP): pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -c $(CONSTRAINTS) -e ".[dev]"
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "error: pretune needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) -V 2>&1 | tail -n 1); try: make install PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "error: $(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

quickstart: $(STAMP) ## pretrain, fine-tune and evaluate a small model on this machine's CPU
	$(BIN)/python benchmarks/quickstart.py

test: $(STAMP) ## run the tests, offline
	HF_HUB_OFFLINE=1 PRETUNE_GPU_TESTS=cpu OMP_NUM_THREADS=$(OMP_NUM_THREADS) $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(STAMP) ## ruff (rules and formatting) and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@$(MAKE) types

# mypy would name the package after the folder of the clone; the link gives it its true name, whatever the folder's.
types: $(STAMP) ## mypy alone
	@mkdir -p .mypy_cache && ln -sfn .. .mypy_cache/pretune
	cd .mypy_cache && ../$(BIN)/mypy --config-file ../pyproject.toml --cache-dir . -p pretune

docs: $(DOCS_STAMP) ## build the site of docs/ into site/; broken links and missing docstrings fail
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(DOCS_STAMP): pyproject.toml $(CONSTRAINTS) | $(STAMP)
	$(BIN)/python -m pip install --disable-pip-version-check -c $(CONSTRAINTS) -e ".[docs]"
	@touch $@

wheel: $(STAMP) ## build dist/*.tar.gz, and dist/*.whl from it
	$(BIN)/python -m build --no-isolation
