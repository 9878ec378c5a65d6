# run: install what is needed and start the collector. test: the same for the whole test suite.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test docs lint clean

run: $(VENV)/run
	exec $(BIN)/spanloom run

# All of it: 10 to 20 minutes on two cores. Its last lines say what was skipped, why, and what to install for it; .ci/run
# installs that first.
test: $(VENV)/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q -n auto --dist loadfile

# After a change of a dialect or content table, of a component's options, of a stored column, or of what spanloom offers.
docs: $(VENV)/test
	$(BIN)/python -m collector.pages.dialects docs/dialects
	$(BIN)/python -m collector.pages.components docs
	$(BIN)/python -m collector.pages.table_pages docs/tables
	$(BIN)/python -m collector.pages.spanloom_names .
	$(BIN)/python -m collector.pages.libraries docs tests/fixtures/otlp/MANIFEST.tsv

lint: $(VENV)/test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/mypy

$(VENV)/run: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/test: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@ $(VENV)/run

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
