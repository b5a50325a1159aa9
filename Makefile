# make run    sets up .venv and serves on 127.0.0.1:7860
# make test   sets up what the tests need as well, and runs them
# make ray    what trains and answers on a cluster, tested on one on this machine
# A second call installs nothing: the stamps in .venv carry the requirements' checksum.

PYTHON ?= python3
ARGS ?=
TESTERS ?= 2# files of tests that run side by side

VENV := .venv
BIN := $(VENV)/bin
RUN_SUM := $(shell cat requirements.txt | cksum | cut -d' ' -f1)
TEST_SUM := $(shell cat requirements.txt requirements-onnx.txt requirements-dev.txt | cksum | cut -d' ' -f1)
RUN_READY := $(VENV)/run-ready-$(RUN_SUM)
TEST_READY := $(VENV)/test-ready-$(TEST_SUM)
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: run test ray browser lint format clean

run: $(RUN_READY)
	$(BIN)/python app.py $(ARGS)

test: $(TEST_READY) lint browser
	$(BIN)/python -m pytest -m 'not ray' -n $(TESTERS) --dist loadfile $(ARGS)

ray: $(TEST_READY)
	$(PIP) install -q -r requirements-ray.txt
	$(BIN)/python -m pytest -m ray $(ARGS)

browser: $(TEST_READY)
	$(BIN)/python -m tests.browser.chromium

lint: $(TEST_READY)
	$(BIN)/python -m ruff check .

format: $(TEST_READY)
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

# The workspace stays: it holds people's work.
clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One call of pip for everything, so that it settles on one torch.
$(RUN_READY): | $(BIN)/pip
	$(PIP) install -r requirements.txt
	@rm -f $(VENV)/run-ready-*
	@touch $@

$(TEST_READY): | $(BIN)/pip
	$(PIP) install -r requirements-dev.txt
	@rm -f $(VENV)/run-ready-* $(VENV)/test-ready-*
	@touch $@ $(RUN_READY)

$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Expected Python 3.11 or newer as '$(PYTHON)'; found none. Install it, or name it: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Expected Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Name a newer one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' lacks its venv module. Install it (Debian, Ubuntu: apt install python3-venv) and try again."; exit 1; }
	$(PYTHON) -m venv $(VENV)
