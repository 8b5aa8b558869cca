# `make demo` shows ScaleScope, `make test` checks it. Both make what they need in .venv first.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The newest Python there is, 3.11 at least.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	command -v $$p >/dev/null 2>&1 && \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && \
	echo $$p && break; done)

.PHONY: demo test lint bench docs clean

# make demo SLIDE="my slide.svs": make hands SLIDE to the shell, which keeps its spaces.
demo: $(READY)
	$(BIN)/scalescope demo $${SLIDE:+"$$SLIDE"}

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/npe2 validate napari-scalescope

bench: $(READY)
	$(BIN)/python -m tests.benchmarks

docs: $(READY)
	$(BIN)/pip install --quiet --constraint .ci/constraints.txt -e ".[docs]"
	$(BIN)/mkdocs build --strict --config-file docs/mkdocs.yml

$(READY): pyproject.toml .ci/constraints.txt .ci/system-packages
	@test -n "$(PYTHON)" || { echo "ScaleScope needs Python 3.11, 3.12 or 3.13: apt-get install -y python3 python3-venv"; exit 1; }
	.ci/system-packages
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint .ci/constraints.txt -e ".[all,test]"
	@touch $(READY)

clean:
	rm -rf $(VENV) demo_out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
