# `make demo` and `make test` work on a fresh Linux machine with Python 3.11+, git and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: setup demo test test-all check fast bench clean

setup: $(INSTALLED)

# opencv-python (which yolov5 asks for) needs the system's libGL; opencv-python-headless (which others ask for) does
# not. Both write the same folder, so the one that is installed last wins: let that be the headless one.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps \
		-c constraints.txt opencv-python-headless
	touch $@

demo: setup
	$(BIN)/hypsweep demo

# Tests that take seconds share the cores, a file to a process, each with one thread; those that start a Ray or train for
# minutes go one at a time.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile

# Everything that must hold before a change lands; CI runs this.
test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) -m "not slow and not exhaustive"
	$(BIN)/python -m pytest -m "slow and not exhaustive"

# The same, and the tests that take minutes: more kills, more storages.
test-all: test
	$(BIN)/python -m pytest -m exhaustive

# Static checks only.
check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The tests that take a moment, for while you work.
fast: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) -m "not slow and not exhaustive"

# Those that want real pictures (--data) are started by hand; each says how.
bench: setup
	for script in $$(grep -L 'required=True' benchmarks/*.py); do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build *.egg-info runs/demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
