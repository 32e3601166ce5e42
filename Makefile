# make demo   run the main job on the embedded default
# make test   run the tests this machine can run (CI=true: all of them, none skipped)
# make kill-test  kill everything KILLS times while clients write, and count what was lost or doubled
# make bench  signed partner exchanges a second on one core, beside a library stack and a floor
# make check  format, lint, types, room contracts, adapters
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: install demo test kill-test bench check fix clean

install: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.13 is needed: install it or set PYTHON=/path/to/python" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing what constraints.txt pins ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: install
	$(BIN)/gateway demo

test: install
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

kill-test: install
	$(BIN)/python -m tests.kill --kills $(or $(KILLS),100)

bench: install
	$(BIN)/python -m bench.partner_exchange $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS_EACH),--seconds $(SECONDS_EACH))

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/gateway check

fix: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
