# Two commands set everything up on a machine with Python 3.11+, make and git: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
# Slow tests that start servers and clusters, kill processes and wait for leases: they want the machine to themselves.
ALONE := tests/contract tests/run tests/store
DEMO := demo
TUNEBOOK = cd $(DEMO) && ../$(BIN)/tunebook

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint format bench bench-truth soak fuzz docs clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(VENV)/.ready ## the virtual environment, once and whenever the dependencies change

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup ## tune a real network on real images: check, run, learn, repeat, decide, next
	@rm -rf $(DEMO) && cp -r examples/digits $(DEMO)
	$(TUNEBOOK) check rounds/01-dropout.toml --workers $(WORKERS)
	$(TUNEBOOK) run rounds/01-dropout.toml --workers $(WORKERS)
	$(TUNEBOOK) repeat 01-dropout --workers $(WORKERS)
	$(TUNEBOOK) learn 01-dropout --html report.html
	$(TUNEBOOK) decide 01-dropout
	$(TUNEBOOK) next 01-dropout -o rounds/02-next.toml
	@cat $(DEMO)/rounds/02-next.toml
	$(TUNEBOOK) sheet
	@echo "The report is $(DEMO)/report.html, the next design $(DEMO)/rounds/02-next.toml, the store $(DEMO)/tunebook.db"

test: setup ## the default tests, under 8 minutes on two cores
	$(BIN)/pytest -n $(WORKERS)

test-slow: setup ## processes, real PostgreSQL, long training
	$(BIN)/pytest -m slow -n $(WORKERS) $(ALONE:%=--ignore=%)
	$(BIN)/pytest -m slow $(ALONE)

lint: setup ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup ## write the style
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: setup ## speed and size, each with a peer beside it in the same run
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	$(BIN)/python benchmarks/run.py

bench-truth: setup ## how often the conclusions are right
	$(BIN)/python benchmarks/truth.py

SOAK_SECONDS ?= 3600
soak: setup ## an hour of short rounds with random kills; SOAK_SECONDS=600 for less
	$(BIN)/python benchmarks/soak.py --seconds $(SOAK_SECONDS)

FUZZ_SECONDS ?= 60
fuzz: setup ## what reads files from elsewhere, under atheris
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,fuzz]'
	$(BIN)/python benchmarks/fuzz.py --seconds $(FUZZ_SECONDS)

clean: ## everything that was made
	rm -rf $(VENV) $(DEMO) build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis
