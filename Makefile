# Two commands set everything up on a fresh machine: `make demo` and `make test`. They need Python 3.11 to 3.13, make and a package index.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Processes that share the tests, each file in one of them: TensorFlow takes a gigabyte in each.
WORKERS ?= 2
CONVERT := $(VENV)/.convert-installed
DEV := $(VENV)/.dev-installed
DOCS := $(VENV)/.docs-installed

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow mutants test-camera test-arm test-boot lint check docs bench demo-bundle clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(CONVERT) ## Render gestures, train, convert, prove, run; leaves build/demo/report.html
	$(BIN)/python -m convert.demo --dir build/demo

test: $(DEV) ## Run every test but the slowest
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow"

test-slow: $(DEV) ## Run the slowest tests, which train and convert: minutes
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m slow

test-arm: $(DEV) ## Run the device's aarch64 wheels under an emulator, on the processors of the boards
	scripts/newer_tools.sh build/arm/tools qemu-user
	scripts/arm_python.sh build/arm
	$(BIN)/python -m pytest tests/arm -m arm

# The first time it bootstraps Debian for aarch64, which needs root and minutes; build/cache keeps it.
test-boot: $(DEV) ## Boot flashed cards, whole images and cameras in QEMU; logs in build/boot
	scripts/newer_tools.sh build/tools e2fsprogs libcom-err2 libext2fs2 libss2 qemu-system-arm qemu-system-common qemu-system-data qemu-user
	scripts/emulate_aarch64.sh "$$(ls "$$PWD"/build/tools/root/usr/bin/qemu-aarch64 2>/dev/null || command -v qemu-aarch64)"
	$(BIN)/python -m tests.boot.prepare
	$(BIN)/python -m pytest tests/camera tests/boot -m boot -v -s --basetemp=build/boot/tmp --durations=0 --durations-min=5

test-camera: $(DEV) ## Our camera sources on a real kernel's camera and the real picamera2, in an emulated machine
	$(BIN)/python -m pytest -m boot tests/camera

mutants: $(DEV) ## Break the trust-bearing modules line by line and count what no test notices; hours
	$(BIN)/python -m pip install --quiet --editable '.[mutants]'
	$(BIN)/python scripts/mutants.py

lint: $(DEV) ## Style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy scripts
	$(BIN)/lint-imports

check: lint test ## Everything a change has to pass

docs: $(DOCS) ## Build the documentation site into build/docs; warnings are errors
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs
	@echo "Open build/docs/index.html"

bench: $(DEV) ## Measure on this machine; writes benchmarks/results (FAST=1: minutes, fewer of them)
	$(BIN)/python -m benchmarks $(if $(FAST),--fast)

demo-bundle: $(CONVERT) ## Make the bundle that ships inside the package again
	$(BIN)/python scripts/make_demo_bundle.py

clean: ## Remove the environment and everything built
	rm -rf $(VENV) build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Expected Python 3.11 to 3.13, got $$($(PYTHON) --version 2>&1). Run: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(CONVERT): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[convert]'
	touch $@

$(DEV): $(CONVERT)
	$(BIN)/python -m pip install --quiet --editable '.[convert,onnx,pretrained,mqtt,metrics,web,dev]'
	touch $@

$(DOCS): $(CONVERT)
	$(BIN)/python -m pip install --quiet --editable '.[convert,docs]'
	touch $@
