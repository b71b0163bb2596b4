SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test lint types contracts unit e2e long proto chaos bench clean

help: ## what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## set up .venv; a second time costs nothing

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: install ## the main job: serve, observe, search, promote and explain
	$(BIN)/trimtab demo

test: install lint types contracts unit e2e ## everything that must hold

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

contracts:
	$(BIN)/lint-imports

unit: ## laws that need no cluster, with full branch coverage of the statistics
	$(BIN)/pytest -n auto --dist worksteal -m "not serve" --cov --cov-report=term-missing:skip-covered --cov-fail-under=100

e2e: ## the three paths and the faults, on a real cluster
	$(BIN)/pytest -m "serve and not long" --durations=15

long: install ## what takes minutes by its nature: replicas under load, every metric in Prometheus
	$(BIN)/pytest -m long

proto: install ## the gRPC modules, from the proto file
	$(BIN)/python -m serve_apps.grpc.generate

chaos: install ## every fault for ten minutes
	$(BIN)/trimtab chaos run --minutes 10 --file chaos-report.json

bench: install ## the gateway against two bare hops, and the method's promises
	$(BIN)/trimtab bench serving
	$(BIN)/trimtab bench statistics --quick

clean: ## remove what was built, but not the workspaces
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
