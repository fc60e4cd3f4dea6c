# Guli. `make` lists what can be made.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help run build test bench fmt lint demo-data clean packages test-packages cargo

export PATH := $(PATH):$(HOME)/.cargo/bin
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Passed on: make run ARGS='--listen 127.0.0.1:9000', make test ARGS=domain::
ARGS ?=

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: packages cargo ## install what is missing, build, and serve the demo district on http://127.0.0.1:8080
	@test -x $(TARGET)/release/guli || echo "guli: building; the first build compiles PROJ and SQLite too and takes some minutes"
	@cargo build --release --locked --bin guli
	@exec $(TARGET)/release/guli demo $(ARGS)

build: packages cargo ## build target/release/guli
	cargo build --release --locked --bin guli

test: test-packages cargo ## install what is missing, run all tests (units, journeys, both databases, the contract, the page in a browser)
	cargo test --locked $(ARGS)
	$(if $(ARGS),,@scripts/contract.sh)
	$(if $(ARGS),,@scripts/e2e.sh)

bench: packages cargo ## run the benches
	cargo bench --locked --bench '*' $(ARGS)

fmt: cargo ## format the code
	cargo fmt

lint: packages cargo ## formatting, clippy and docs, with warnings as errors
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --lib --document-private-items

demo-data: packages cargo ## generate data/shibei again and show what changed
	cargo run --release --locked --bin guli -- demo generate --seed 20261123 --covers 17000 --out data/shibei
	git diff --stat -- data/shibei

clean: cargo ## remove what was built; databases stay
	cargo clean

packages:
	@scripts/system-packages.sh build

test-packages:
	@scripts/system-packages.sh test

cargo:
	@cargo --version >/dev/null 2>&1 || { \
	  echo "guli: no working cargo. Rust comes from https://rustup.rs:"; \
	  echo "        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"; \
	  echo "      With rustup there but no toolchain chosen: rustup default stable"; \
	  exit 1; } >&2
