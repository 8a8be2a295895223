# `make demo` and `make test` do all the set-up on a fresh machine. See CONTRIBUTING.md.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FAR := $(VENV)/.far
CLANG := $(VENV)/.clang

.PHONY: demo setup test test-pythons test-forky test-k8s test-vm check bpf format docs lab bench bench-accuracy fuzz clean

demo: $(STAMP)  ## start a real broken service and diagnose it
	@$(BIN)/locard demo --html demo.html $(DEMO); code=$$?; \
	  echo "the report: $(CURDIR)/demo.html"; [ $$code -le 1 ] || exit $$code

test: $(STAMP) $(FAR)  ## every test
	@bash tools/run_tests.sh $(BIN)/python $(TESTS)

test-forky: $(STAMP)  ## the readers of CPython on 3.14 and 3.15: LOCARD_FORKY names their root (tests/forky_lab.py)
	$(BIN)/python -m pytest -m forky tests/far tests/runtime

test-pythons: $(STAMP)  ## the readers of CPython and the watch on every CPython that is here
	LOCARD_EVERY_PYTHON=1 $(BIN)/python -m pytest tests/far tests/runtime

test-k8s: $(STAMP)  ## those that need a real Kubernetes: LOCARD_K8S names it (tests/k8s_lab.py)
	$(BIN)/python -m pytest -m k8s tests/cluster tests/logs/sources

test-vm: $(STAMP)  ## those that need a real far machine: LOCARD_VM names it (tests/machine_lab.py)
	$(BIN)/python -m pytest -m vm tests/machine

check: $(STAMP) $(CLANG)  ## lint, types, import contracts, docs current, eBPF objects from their sources
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/docs.py --check
	tools/bpf.sh --check

format: $(STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(STAMP)  ## write docs/catalog.md anew
	$(BIN)/python tools/docs.py

lab: $(STAMP)  ## score the scenarios over seeds (long)
	$(BIN)/python bench/lab.py

bench: $(STAMP)  ## measure and write bench/RESULTS.md (long)
	$(BIN)/python bench/run.py

bench-accuracy: $(STAMP)  ## score public data with known truth, into bench/RESULTS.md
	$(BIN)/python bench/run.py templates accuracy

fuzz: $(STAMP)  ## fuzz the native reader with sanitizers (long)
	native/fuzz/run.sh

$(STAMP): pyproject.toml CMakeLists.txt tools/setup.sh $(wildcard native/*.cpp native/*.h native/far/* native/third_party/*/*)
	@bash tools/setup.sh $(PYTHON) $(VENV)
	@touch $@

$(FAR): $(STAMP) tools/setup_far.sh
	@bash tools/setup_far.sh
	@touch $@

bpf: $(STAMP) $(CLANG)  ## compile the eBPF programs; the objects are committed
	tools/bpf.sh

$(CLANG): $(STAMP) tools/setup_clang.sh
	@bash tools/setup_clang.sh
	@touch $@

clean:
	rm -rf $(VENV) build dist
