# Everything happens in .venv, which `make` builds from the lock file; nothing is installed outside of it.
# `make PYTHON=python3.12 test` uses another Python (3.11 or newer).

PYTHON ?= python3
# Most of the time a test waits for processes and time-outs: three at once keep two cores busy.
JOBS ?= 3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help demo install lint test unit bench bench-delivery format lock schemas docs clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 22

install: $(INSTALLED) ## the virtual environment with everything that developing needs

$(INSTALLED): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: make PYTHON=... test"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED) ## the main job from end to end, on this machine only; options: DEMO="--seconds 10 --keep"
	$(BIN)/ringback demo $(DEMO)

lint: $(INSTALLED) ## style, types and the rules of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/unit/test_house.py

test: lint ## lint, then every test; starts real Kafka brokers by itself
	$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal

unit: $(INSTALLED) ## the tests that need no broker
	$(BIN)/pytest -q tests/unit

bench: $(INSTALLED) ## the benchmarks, against a real broker (20 minutes); options: BENCH="--suite race --rounds 5"
	$(BIN)/python -m tests.benchmarks $(BENCH)

bench-delivery: $(INSTALLED) ## those of the sender (an hour); options: BENCH="--suite speed --rounds 1"
	$(BIN)/python -m tests.benchmarks.delivery $(BENCH)

format: $(INSTALLED) ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(INSTALLED) ## write the JSON Schemas of the records anew
	$(BIN)/python -m schemas.export

docs: $(INSTALLED) ## write what is computed in docs/ anew: pages from the tables, examples and pictures
	$(BIN)/python -m streams.cli.pages
	$(BIN)/python -m tests.examples

lock: $(INSTALLED) ## resolve the dependencies anew
	{ echo "# Every package that developing and testing needs, pinned and hashed. Written by: make lock"; \
	echo 'setuptools>=77' | $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	  --extra local --extra test --extra lint --extra bench - pyproject.toml; } > requirements.new
	mv requirements.new requirements.lock
	{ echo "# Of requirements.lock what the image runs on. Written by: make lock"; \
	$(BIN)/uv pip compile --quiet --universal --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	  --constraint requirements.lock pyproject.toml; } > deploy/docker/runtime.lock
	{ echo "# Of requirements.lock what the image is built with. Written by: make lock"; \
	echo 'setuptools>=77' | $(BIN)/uv pip compile --quiet --universal --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	  --constraint requirements.lock -; } > deploy/docker/build.lock

clean: ## remove what was built
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
