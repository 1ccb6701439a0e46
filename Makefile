# Two commands on a fresh machine with Rust, a C compiler and Python ≥ 3.11: `make demo` and `make test`.
# Each does its own set-up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
SOURCES := $(shell find rust -name '*.rs') Cargo.toml Cargo.lock rust/core/Cargo.toml rust/py/Cargo.toml pyproject.toml
export CARGO_TERM_PROGRESS_WHEN := never
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/$(VENV)

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

# One stamp a dependency group, so that each target installs only what it needs: the versions of uv.lock.
$(VENV)/%.group: uv.lock | $(UV)
	$(UV) sync --quiet --frozen --inexact --no-install-project --no-default-groups --group $*
	@touch $@

# What is imported from here: the last build, of whichever profile.
$(VENV)/dev.build: $(SOURCES) $(VENV)/build.group
	$(BIN)/maturin develop --quiet
	@rm -f $(VENV)/release.build && touch $@

$(VENV)/release.build: $(SOURCES) $(VENV)/build.group
	$(BIN)/maturin develop --quiet --release
	@rm -f $(VENV)/dev.build && touch $@

.PHONY: build
build: $(VENV)/dev.build ## Build for development, into .venv

.PHONY: test
test: test-rust test-python ## Run all tests

.PHONY: test-rust
test-rust: ## Run the core's tests
	cargo test --quiet --locked -p rowstream-core

# The loopback server that tests, benchmarks and the demo ask.
target/release/rowstream-testserver: $(shell find rust/testserver -type f) Cargo.lock
	cargo build --quiet --locked --release -p rowstream-testserver
	@touch $@

# Files are divided over the cores. PYTEST="tests/ops -k map" runs some.
.PHONY: test-python
test-python: target/release/rowstream-testserver $(VENV)/dev.build $(VENV)/test.group $(VENV)/compat.group $(VENV)/torch.group $(VENV)/trainers.group $(VENV)/readers.group $(VENV)/lint.group $(VENV)/docs.group dist/.wheel ## Run the package's tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(PYTEST)

.PHONY: lint
lint: $(VENV)/dev.build $(VENV)/lint.group ## Check style and types
	cargo fmt --all --check
	cargo clippy --quiet --locked --workspace --all-targets -- --deny warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/stubtest rowstream._core --allowlist .stubtest-allowlist

.PHONY: lock
lock: | $(UV) ## Choose newer versions of the tools and libraries that tests use
	$(UV) lock --upgrade

.PHONY: format
format: $(VENV)/lint.group ## Format all code
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: demo
demo: target/release/rowstream-testserver $(VENV)/release.build $(VENV)/demo.group ## Stream real data: shuffle, stop, resume on other consumers, prove it
	$(BIN)/python examples/demo.py
	$(BIN)/python examples/training.py
	$(BIN)/python examples/handwriting.py

.PHONY: bench
bench: target/release/rowstream-testserver $(VENV)/release.build $(VENV)/bench.group ## Measure beside the peers; writes benches/results
	$(BIN)/python -m benches.vs_peers
	$(BIN)/python -m benches.wire
	$(BIN)/python -m benches.map_style
	$(BIN)/python -m benches.in_place
	$(BIN)/python -m benches.batches_by_number
	$(BIN)/python -m benches.operations
	$(BIN)/python -m benches.lists
	$(BIN)/python -m benches.compressed
	$(BIN)/python -m benches.evaluation
	$(BIN)/python -m benches.images
	$(BIN)/python -m benches.tokens
	$(BIN)/python -m benches.preparing

.PHONY: compare
compare: target/release/rowstream-testserver $(VENV)/release.build $(VENV)/bench.group ## Measure everything beside everybody (hours, goes on where it was); writes docs/performance.md
	$(BIN)/python -m benches.compare

# What the tests install, unless `make wheel` has built a better one since.
dist/.wheel: $(SOURCES) $(shell find python -name '*.py*') $(VENV)/build.group
	@rm -rf dist && mkdir dist
	$(BIN)/maturin build --quiet --profile dev --out dist
	@touch $@

.PHONY: docs
docs: $(VENV)/dev.build $(VENV)/docs.group ## Build the docs site into target/site; a warning is an error
	$(BIN)/python docs/site.py

# One wheel for each ABI that the interpreters have: that of all from 3.11 on, that of 3.14 free-threaded, that of all
# from 3.15 on, free-threaded too. For another processor: TARGET=aarch64-unknown-linux-gnu, which zig compiles and links;
# its kernels have pages of up to 64 KiB, which the allocator has to know.
INTERPRETERS ?= $(BIN)/python
.PHONY: wheel
wheel: $(VENV)/build.group $(if $(TARGET),$(VENV)/cross.group) ## Build wheels for publishing (minutes); INTERPRETERS="python3.11 python3.14t python3.15t"
	@rm -rf dist && mkdir dist
	@# One at a time: beside others, maturin takes an interpreter's own ABI rather than the one of all.
	@for interpreter in $(INTERPRETERS); do \
	$(if $(findstring aarch64,$(TARGET)),JEMALLOC_SYS_WITH_LG_PAGE=16) $(BIN)/maturin build --quiet --profile dist --out dist --interpreter $$interpreter \
	$(if $(TARGET),--zig --target $(TARGET) --compatibility manylinux_2_28) || exit 1; done
	@touch dist/.wheel

.PHONY: sdist
sdist: $(VENV)/build.group ## Build the source distribution, with the crates: it builds without a network
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python release/sdist.py dist

# The interpreter and what it can install decide which tests these are: PyTorch and Polars are not among them.
.PHONY: test-free-threaded
test-free-threaded: $(VENV)/build.group ## Test without the interpreter's lock: INTERPRETER=python3.14t
	@test -n "$(INTERPRETER)" || { echo "which one? make $@ INTERPRETER=python3.14t"; exit 1; }
	$(UV) venv --quiet --allow-existing --python $(INTERPRETER) .venvs/free-threaded
	VIRTUAL_ENV=$(CURDIR)/.venvs/free-threaded $(UV) pip install --quiet maturin numpy pyarrow pandas pillow fsspec jinja2 pyyaml tzdata pytest pytest-timeout pytest-xdist hypothesis
	VIRTUAL_ENV=$(CURDIR)/.venvs/free-threaded .venvs/free-threaded/bin/maturin develop --quiet
	.venvs/free-threaded/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile tests/process/test_threads.py tests/order tests/filters tests/combine

# Advisories are fetched, so this is not part of what runs offline.
.PHONY: audit
audit: | $(UV) ## Check what is linked and depended upon: licences, sources, known vulnerabilities
	@command -v cargo-deny > /dev/null || cargo install --quiet --locked cargo-deny
	cargo deny check
	$(UV) tool run pip-audit .

.PHONY: clean
clean: ## Remove what was built, but for cargo's target folder
	rm -rf $(VENV) dist data .pytest_cache .mypy_cache .ruff_cache .hypothesis
