# Each target works from a fresh clone: the virtual environment is made on the way, once.
#   make demo     the story from request to grant, told with real mail on a real Temporal server
#   make up       everything on, until Ctrl-C; what it knows is kept in var/
#   make check    what needs no server        make test     all tests
#   make coverage the linters, then the tests and how much of the code they run: CI, with COUNTERSIGN_TEST_WHOLE=1
#   make bench    how fast it is              make lock     renew constraints.txt
#   make format   tidy the code                make screenshots   every page of the portal, as pictures
#   make wheel    the command line and the gates as a package for other hosts, in dist/

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
READY := $(VENV)/.ready
# Each package of the product, and each channel, is measured by itself.
COVERED := $(filter-out benchmarks sandbox tests,$(patsubst %/__init__.py,%,$(wildcard */__init__.py notifiers/*/__init__.py)))
COVERAGE := 95
AT_ONCE ?= 4

# Keep bytecode, so that the programs that tests start don't compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: demo up check test coverage bench format lock venv screenshots wheel

demo: $(READY)
	@$(BIN)/python -m sandbox.demo

up: $(READY)
	@$(BIN)/python -m sandbox.up

bench: $(READY)
	@$(BIN)/python -m benchmarks

# In parallel: much of `code` (mypy and the import laws) uses only one processor.
check: $(READY)
	@$(MAKE) --no-print-directory --jobs=2 code pure

.PHONY: pure
pure: $(READY)
	$(BIN)/python -m pytest -q -r fE --numprocesses=auto --dist=worksteal --no-servers

.PHONY: code
code: $(READY)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy .
	$(BIN)/lint-imports

# In parallel, more of them than processors: most wait for a server, a mail or a clock.
TESTS := $(BIN)/python -m pytest -q --numprocesses=$(AT_ONCE) --dist=worksteal

# The server is fetched first, as that takes longer than a single test may.
TEMPORAL := $(BIN)/python -m sandbox.temporal_tool > /dev/null

test: $(READY)
	@$(TEMPORAL)
	$(TESTS)

coverage: code
	@$(TEMPORAL)
	@install --directory --mode=1777 .measured
	$(TESTS) --cov --cov-report=
	@for part in $(COVERED); do \
		echo "Coverage of $$part:"; \
		$(BIN)/coverage report --include="$$part/*" --fail-under=$(COVERAGE) --skip-covered || exit 1; \
	done
	@echo "Coverage of the modules at the top:"
	@$(BIN)/coverage report --include="./*.py" --fail-under=$(COVERAGE) --skip-covered

# Removes what was built before, so that dist/ holds one wheel.
wheel: $(READY)
	@rm -rf dist
	@$(BIN)/python -m hatchling build -t wheel

# Taken in Chromium; those in README.md are drawn anew, too.
screenshots: $(READY)
	@$(BIN)/python -m tests.pictures.portal

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# No host names and no paths of the machine that ran it: whoever installs uses the index they trust.
lock: $(READY)
	$(BIN)/pip-compile --quiet --upgrade --all-extras --generate-hashes --allow-unsafe --strip-extras --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
		--output-file constraints.txt pyproject.toml

venv: $(READY)

$(READY): constraints.txt pyproject.toml
	@python=; for name in python3 python3.14 python3.13 python3.12 python3.11; do \
		$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null && python=$$name && break; \
	done; \
	test -n "$$python" || { echo "Python 3.11 or later is needed, and was not found as python3." >&2; exit 1; }; \
	test -x $(BIN)/pip || { \
		echo "Making $(VENV) (about a minute, once) ..."; \
		$$python -m venv $(VENV) || { rm -rf $(VENV); \
			echo "Python can't make virtual environments here (Debian's package is python3-venv)." >&2; exit 1; }; \
	}
	@echo "Installing what constraints.txt pins ..."
	@# pip and setuptools first: a package that must be built is then built with what is pinned, not with the newest.
	@awk '/^(pip|setuptools)==/,!/\\$$/' constraints.txt > $(VENV)/first.txt
	@$(PIP) --require-hashes -r $(VENV)/first.txt
	@$(PIP) --require-hashes --no-build-isolation -r constraints.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@
