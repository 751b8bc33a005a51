# `make help` lists the targets. The first run of any of them sets everything up in .venv.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
export PIP_DISABLE_PIP_VERSION_CHECK = 1
unexport PYTHONDONTWRITEBYTECODE  # tests import the program hundreds of times

# As root, install the system packages named in $$missing; other users are told later what is missing.
INSTALL_MISSING = if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing system packages: $$missing"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null \
			|| echo "They could not be installed."; \
	fi

# Three runs: some tests look for processes that others keep, and Qt's objects must not be collected
# by the threads of other tests. Those with processes take seconds each and share nothing, so each
# goes to whoever is free; the others stay beside those that share fixtures with them. Each process
# of the unit tests loads PyTorch first, so these have fewer.
PYTEST = $(PY) -m pytest --durations 10

.DEFAULT_GOAL := help
.PHONY: help run test coverage check format worker bench soak fuzz screenshots install uninstall package release clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

run: $(READY) ## open the window (without a screen: index the sample pictures in the terminal)
	@missing="$$($(PY) -m app.ui.shell.display)"; $(INSTALL_MISSING)
	@$(PY) -m app

test: $(READY) ## run all tests
	@missing="$$($(PY) tests/system_packages.py)"; [ -z "$$missing" ] || { \
		$(INSTALL_MISSING); missing="$$($(PY) tests/system_packages.py)"; }; [ -z "$$missing" ] || \
		echo "Some tests are skipped; what they need: sudo apt-get install $$missing"
	@$(PYTEST) --numprocesses 5 --dist load --maxschedchunk 1 tests/faults tests/integration
	@$(PYTEST) --numprocesses 3 --dist worksteal tests/unit
	@$(PYTEST) --numprocesses 6 --dist worksteal tests/ui

coverage: $(READY) ## run the unit tests, and fail if they run less of the program than they did
	@$(PYTEST) --numprocesses 3 --dist worksteal tests/unit --cov

check: $(READY) ## format, lint, types, import rules
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

format: $(READY) ## format the code
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

worker: $(READY) ## process sessions in this terminal
	@$(PY) -m app worker

bench: $(READY) ## measure; ONLY=window|search|speed|scale picks a group, JSON=file saves the figures
	@$(PY) tests/benchmarks/bench.py $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

soak: $(READY) ## disturb the program for MINUTES=10; SEED=n, ONLY=text|million, PICTURES=n, JSON=file
	@$(PY) tests/faults/soak.py $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) \
		$(if $(ONLY),--only '$(ONLY)') $(if $(PICTURES),--pictures $(PICTURES)) $(if $(JSON),--json $(JSON))

fuzz: $(READY) ## feed random bytes to all file readers, for MINUTES=10; needs atheris, and says how to get it
	@$(PY) tests/faults/fuzz.py $(if $(MINUTES),--minutes $(MINUTES)) $(if $(ONLY),--only $(ONLY))

screenshots: $(READY) ## draw every state of the window into docs/images, light and dark
	@QT_QPA_PLATFORM=offscreen $(PY) packaging/make_screenshots.py

install: $(READY) ## add Afterimage to your applications menu
	@$(PY) packaging/desktop_entry.py install

uninstall: $(READY) ## remove it from your applications menu
	@$(PY) packaging/desktop_entry.py uninstall

package: ## build what people download, into dist: wheel, sdist, .deb, .tar.xz
	@PYTHONPATH=. $(PYTHON) packaging/make_package.py

release: ## check, test, build and try everything that people download; needs root
	@[ "$$(id -u)" = 0 ] || { echo "A package is tried as root: sudo make release"; exit 1; }
	@[ -z "$$(git status --porcelain)" ] || { echo "Commit or remove these first:"; git status --short; exit 1; }
	@missing="$$(packaging/try_package.sh --missing)"; $(INSTALL_MISSING)
	@CI=true $(MAKE) --no-print-directory check
	@CI=true $(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory package
	@packaging/try_package.sh dist/afterimage_$(VERSION)_amd64.deb $(WHEELS)

clean: ## remove the environment and caches; your data stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing. Install it: sudo apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, this is $$($(PYTHON) --version)."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing. Install it: sudo apt-get install python3-venv"; exit 1; }
	@echo "Setting up .venv (PyTorch is large: a few minutes the first time)…"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --progress-bar on --constraint constraints.txt --editable '.[dev,engine]'
	@touch $(READY)
