# make app    everything from a fresh clone to the app on http://127.0.0.1:8501
# make test   the same environment, what the tests need beside it, and all tests
# make lint   what every change must pass beside the tests: ruff, pyright, the one-way streets of imports, eslint
# make wheel  dist/otherwise-*.whl: pip install gives the command otherwise, with the app and the checkpoints inside
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8501
PYTEST_ARGS ?= -n 2 --dist loadfile
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help app test lint test-without-browser lint-js test-js postgresql fuzz bench-load bench-drawing bench-volumes bench-viewer wheel environment test-environment chromium dicom3tools clean

help:
	@sed -n '1,4s/^# //p' Makefile

app: environment
	$(BIN)/streamlit run app.py --server.address 127.0.0.1 --server.port $(PORT) --server.headless true

test: test-environment chromium postgresql dicom3tools
	$(BIN)/python -m pytest -q $(PYTEST_ARGS)

test-without-browser: test-environment postgresql dicom3tools
	$(BIN)/python -m pytest -q --ignore=tests/browser $(PYTEST_ARGS)

# pyright brings its own node, as a wheel.
lint: test-environment lint-js
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python

# The viewer's JavaScript: eslint and prettier, whose versions package-lock.json pins, and node's own test runner (in the suite too).
# Without node both say so in a sentence and succeed: the app needs none.
NEEDS_NODE = command -v node >/dev/null && command -v npm >/dev/null || { echo "$@: skipped, as there is no node with npm (18.18 or later)." >&2; exit 0; }

lint-js:
	@$(NEEDS_NODE); { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund || { echo "$@: skipped, as eslint cannot be fetched." >&2; exit 0; }; } && npm run --silent lint

test-js:
	@$(NEEDS_NODE); npm test --silent

# 60 000 damaged scans against the decoders, some ten minutes; the suite tries 6 000.
fuzz: test-environment
	$(BIN)/python -m tools.fuzz_scans

# Twenty visitors at once, each with a film of their own; prints what is wanted beside what was measured (tools/bench_load.py).
bench-load: environment
	$(BIN)/python tools/bench_load.py $(BENCH_ARGS)

# Frames while a reader draws on a mammogram of 4600 x 2700 pixels that has 100 annotations (tools/bench_drawing.py).
bench-drawing: test-environment chromium
	$(BIN)/python tools/bench_drawing.py $(BENCH_ARGS)

# 1000 slices of 512 x 512 in each form that a volume comes in: seconds and memory (tools/bench_volumes.py).
bench-volumes: test-environment
	$(BIN)/python tools/bench_volumes.py $(BENCH_ARGS)

# Scrolls 300 slices of 512 x 512 in a headless Chromium, one plane and three: frame times beside those wanted (tools/bench_viewer.py).
bench-viewer: test-environment chromium
	$(BIN)/python tools/bench_viewer.py $(BENCH_ARGS)

wheel: test-environment
	$(PIP) wheel . --no-deps --no-build-isolation --wheel-dir dist

environment: $(VENV)/installed
test-environment: $(VENV)/installed-dev

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON); install Python 3.11 or later, or name one: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$($(PYTHON) --version) is too old; Python 3.11 or later works: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu, install python3-venv." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.txt | $(BIN)/python
	$(PIP) install -r requirements.txt
	@touch $@

# torchxrayvision and pylidc without what they depend on: their tables are read, nothing of their code runs.
$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(PIP) install -r requirements-dev.txt
	$(PIP) install --no-deps torchxrayvision==1.5.7 pylidc==0.2.3
	@touch $@

# Playwright drives Debian's Chromium; its own download needs a host that is often out of reach.
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium; \
	  else false; fi; } || { \
	  echo "The browser tests need Chromium: install it (apt-get install chromium), or run make test-without-browser." >&2; exit 1; }

# The store of reviews is tested on PostgreSQL too; the tests start a server of their own. Without it they skip those, and say so.
postgresql:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql; \
	  else false; fi; } || \
	  echo "The store is not tested on PostgreSQL, as it cannot be had here (apt-get install postgresql)." >&2

# dciodvfy, which checks exported DICOM objects; where it is missing the tests that ask it say so and are skipped.
dicom3tools:
	@command -v dciodvfy >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends dicom3tools; \
	  else false; fi; } || echo "Exported DICOM objects are not validated: install dicom3tools (apt-get install dicom3tools)." >&2

clean:
	rm -rf $(VENV)
