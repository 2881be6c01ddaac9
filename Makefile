# The project's commands. `make help` lists them; pre-commit and .ci/run call the same words.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PINS := docker/constraints
BUNDLE := models/demo/1.0.0
IMAGE ?= liver-pdff
BUILDER ?= docker build
# More arguments for pytest: make test ARGS='tests/unit -k tissue'
ARGS ?=
# Processes that run tests, a file each; 0: none but pytest itself, for a debugger
JOBS ?= auto
# The network's weights and images lie in pages of 2 MiB (glibc on Linux; ignored elsewhere): 2 % faster
LARGE_PAGES := GLIBC_TUNABLES=glibc.malloc.hugetlb=1
# Keep compiled modules, as Python does by default: otherwise every process spends 4 s compiling the libraries
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo serve bundle bench test check lint format dev constraints docs sbom image clean

help:  ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.training  ## From nothing: build the demo bundle, answer one phantom study, leave pictures in out/
	@$(BIN)/python -m training demo

serve: bundle  ## Serve http://127.0.0.1:8000 until interrupted (LIVER_PDFF_* settings apply)
	@$(LARGE_PAGES) exec $(BIN)/liver-pdff serve

bundle: $(BUNDLE)/manifest.json  ## Build the demo bundle if it is missing

bench: bundle $(VENV)-rivals/.ready  ## Time the service beside the bare network and beside rivals (an hour; ARGS=--quick: minutes)
	@test -e models/demo-int8/1.0.0/manifest.json || $(BIN)/python -m training demo --int8
	@$(BIN)/python -m benchmarks.service --low-precision models/demo-int8/1.0.0 $(ARGS)

test: dev  ## Run the tests; what is not installed is skipped, with the reason
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --maxprocesses 4 --dist loadfile $(ARGS)

check: lint test  ## Everything a commit must pass: format, ruff, mypy, import rule, tests

lint: dev  ## Format check, ruff, mypy --strict, import-linter
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: dev  ## Let ruff rewrite the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

dev: $(VENV)/.dev  ## Make .venv with everything that tests and checks need

# dev.txt is the one resolution; service.txt and training.txt are cut from it, so all three agree on every version.
# screen.txt is one wheel without what it depends on: none of its code is run (docs/decisions/0018).
# One version for all Pythons (fewest): pixels and features must not depend on the interpreter.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command 'make constraints'
constraints: dev  ## Resolve the pins again, newest allowed versions
	@echo 'setuptools>=80' | $(COMPILE) --upgrade - -o $(PINS)/build.txt
	@echo 'rapidocr>=3.10' | $(COMPILE) --upgrade --no-deps - -o $(PINS)/screen.txt
	@$(COMPILE) --upgrade pyproject.toml --extra postgres --extra training --extra dev -c $(PINS)/build.txt -o $(PINS)/dev.txt
	@$(COMPILE) pyproject.toml --extra postgres --extra training -c $(PINS)/dev.txt -o $(PINS)/training.txt
	@$(COMPILE) pyproject.toml --extra postgres -c $(PINS)/dev.txt -o $(PINS)/service.txt

docs: dev  ## Make the pages of docs/ into a site: out/docs/index.html; a warning is an error
	@$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet --builder html docs out/docs
	@echo out/docs/index.html

sbom: dev  ## List what the service is made of, licences included: out/liver-pdff.cdx.json (CycloneDX)
	@$(PYTHON) -m venv --clear --without-pip $(VENV)-service
	@$(BIN)/python -m pip --disable-pip-version-check --python $(VENV)-service/bin/python install --quiet --no-compile \
	--require-hashes -r $(PINS)/service.txt
	@$(BIN)/python -m pip --disable-pip-version-check --python $(VENV)-service/bin/python install --quiet --no-compile \
	--require-hashes --no-deps -r $(PINS)/screen.txt
	@mkdir -p out
	@$(BIN)/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml \
	--output-file out/liver-pdff.cdx.json $(VENV)-service
	@rm -rf $(VENV)-service
	@echo out/liver-pdff.cdx.json

image:  ## Build the service's container image (BUILDER='buildah bud --format docker' works too)
	$(BUILDER) --file docker/Dockerfile --tag $(IMAGE) .

clean:  ## Remove .venv, caches and out/; the bundles in models/ and the data in var/ stay
	rm -rf $(VENV) out build dist *.egg-info .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BUNDLE)/manifest.json: | $(VENV)/.training
	@$(BIN)/python -m training demo --only-bundle

# pip follows the user's own configuration (index, proxy, certificates). Its output becomes one dot per package,
# its warnings go to a file that is shown when it fails. Not compiling to bytecode ahead saves a third of the
# time: Python compiles what it imports.
PIP = $(BIN)/python -m pip --disable-pip-version-check install
define install
@echo "Installing $$(grep -c '==' $(1)) pinned packages into $(VENV) (log: $(VENV)/install.log)"
@set -o pipefail; $(PIP) --no-compile --progress-bar off --require-hashes -r $(PINS)/build.txt -r $(1) \
	2> $(VENV)/install.log | awk '/^(Collecting|Processing)/ {printf "."; fflush()} \
	/^Installing/ {printf " unpacking"; fflush()} END {print ""}' || { cat $(VENV)/install.log >&2; exit 1; }
@$(PIP) --quiet --no-compile --no-deps --require-hashes -r $(PINS)/screen.txt 2>> $(VENV)/install.log
@$(PIP) --quiet --no-deps --no-build-isolation --editable .
endef

# torch and BentoML, for the benchmark's rivals alone. No hashes: torch's builds differ by platform under one version.
$(VENV)-rivals/.ready: benchmarks/rivals/requirements.txt
	@$(PYTHON) -m venv $(VENV)-rivals
	@$(VENV)-rivals/bin/python -m pip --disable-pip-version-check install --quiet -r $<
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "liver-pdff needs Python 3.11 or newer, \
	and $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.training: pyproject.toml $(PINS)/build.txt $(PINS)/screen.txt $(PINS)/training.txt | $(BIN)/python
	$(call install,$(PINS)/training.txt)
	@touch $@

# A superset: after it, `make demo` has nothing left to install.
$(VENV)/.dev: pyproject.toml $(PINS)/build.txt $(PINS)/screen.txt $(PINS)/dev.txt | $(BIN)/python
	$(call install,$(PINS)/dev.txt)
	@touch $@ $(VENV)/.training
