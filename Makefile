# Two commands do most: `make run` serves, `make test` proves. Both install what they need and say what they do.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-rust test-quick-clients test-codecs test-clients test-api sweep taint prove prove-short instructions \
	mutants bench bench-neighbour lint audit msrv fmt docs types

# Where scripts/setup.sh puts what the system lacks comes first; rustup's cargo may not be in PATH yet.
export PATH := $(CURDIR)/target/tools/bin:$(PATH):$(HOME)/.cargo/bin

BUILT := $(or $(CARGO_TARGET_DIR),target)
# The Chrome that the proofs run against: the one that is found, or BROWSER=path.
PROVE := cargo test --locked --quiet --test prove --
PROVE_WITH := $(if $(BROWSER),--browser $(BROWSER))
CLIENTS := node tests/clients/run.mjs --ghostmux $(BUILT)/debug/ghostmux

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build, and serve on 127.0.0.1:9222 (ARGS="--browsers 2" for settings)
	@scripts/setup.sh run
	@echo '==> building the release binary (the first time takes a few minutes)'
	@cargo build --release --locked
	@echo '==> $(BUILT)/release/ghostmux serve $(ARGS)'
	@exec $(BUILT)/release/ghostmux serve $(ARGS)

test: ## Everything that must be green: formatting, lints, docs, tests, real clients on real Chrome
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory lint test-rust test-quick-clients
	@echo '==> all green'

test-rust:
	@echo '==> Rust tests'
	@if command -v cargo-nextest >/dev/null; then cargo nextest run --locked --no-tests=pass -E 'not binary(prove)'; \
	  else cargo test --locked --lib --bins --test it; fi
	@cargo test --locked --doc --quiet

# Two at a time, the longest first: each mostly waits for its own Chrome, and what they print stays together.
QUICK_CLIENTS := suites shared types examples endings login busy api other-codec
# The binary that the Rust tests have built: `cargo build` alone takes other features of the dependencies, and builds anew.
test-quick-clients:
	@cargo test --locked --quiet --no-run
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target $(QUICK_CLIENTS:%=client-%)

client-types:
	@echo '==> the declarations of types/, against those of Puppeteer and Playwright'
	@tests/clients/node_modules/.bin/tsc -p tests/clients/types
client-examples:
	@echo '==> the examples'
	@node tests/clients/examples.mjs $(BUILT)/debug/ghostmux
client-endings:
	@echo '==> how sessions end and park, as Puppeteer and Playwright see it'
	@node tests/clients/endings.mjs $(BUILT)/debug/ghostmux
client-shared:
	@echo '==> Puppeteer and Playwright on one session'
	@node tests/clients/shared.mjs $(BUILT)/debug/ghostmux
client-login:
	@echo '==> one login, saved and cloned twenty times'
	@node tests/clients/login.mjs $(BUILT)/debug/ghostmux
client-busy:
	@echo '==> a busy page that is saved meanwhile'
	@node tests/clients/busy.mjs $(BUILT)/debug/ghostmux
client-api:
	@echo '==> the REST API, against its own document'
	@node tests/clients/api/run.mjs $(BUILT)/debug/ghostmux --quick
client-suites:
	@echo '==> Puppeteer, Playwright and a raw client, each beside a plain Chrome; then eight of them at once in one headless shell'
	@$(CLIENTS) --suite puppeteer,playwright,raw --together 8
# The default is CBOR: what is different with JSON shows in the rawest of the clients.
client-other-codec:
	@echo '==> a raw client, with JSON between the proxy and Chrome'
	@GHOSTMUX_CODEC=json $(CLIENTS) --suite raw

test-codecs: ## The tests of `make test`, with each of the codecs that Chrome knows
	@scripts/setup.sh test
	@for codec in json cbor; do echo "==> codec $$codec" && \
	  GHOSTMUX_CODEC=$$codec $(MAKE) --no-print-directory test-rust test-quick-clients || exit; done

test-clients: ## The long tail of clients too
	@scripts/setup.sh clients
	@cargo build --locked
	@echo '==> every client, each beside a plain Chrome'
	@$(CLIENTS) --all
	@echo '==> Puppeteer, Playwright and a raw client in one full Chrome, then eight of them at once'
	@$(CLIENTS) --suite puppeteer,playwright,raw --together 8 --browser "$$(command -v chromium)"

test-api: ## The REST API against its own document, at length (ARGS="--seed 7 --max-examples 1000")
	@scripts/setup.sh test
	@cargo build --locked
	@node tests/clients/api/run.mjs $(BUILT)/debug/ghostmux $(ARGS)

sweep: ## Every method of the protocol with odd arguments: what kills the browser? (ARGS="--methods 'Page.*' --seed 7")
	@scripts/setup.sh run
	@$(PROVE) sweep $(PROVE_WITH) $(ARGS)

taint: ## Many clients at random: does one receive what is another's? A million messages (ARGS="--seed 7 --messages 1000")
	@scripts/setup.sh run
	@$(PROVE) taint $(PROVE_WITH) $(ARGS)

prove: ## Attacks, sweep and taint on this machine's Chrome, and a verdict to file (BROWSER=path for another Chrome); instructions, mutants
	@scripts/setup.sh test
	@BROWSER='$(BROWSER)' scripts/prove.sh
	@$(MAKE) --no-print-directory instructions mutants

prove-short: ## A seeded part of the sweep and of the taint proof: about two minutes, for every change
	@scripts/setup.sh test
	@echo '==> a part of the sweep and of the taint proof'
	@if command -v cargo-nextest >/dev/null; then cargo nextest run --locked --test prove; else cargo test --locked --test prove; fi

# It leaves an optimised binary where that of the tests is, and they build their own again.
instructions: ## Instructions per message of the pure layers, beside the baseline (ARGS=--write makes a new one)
	@echo '==> instructions per message, by callgrind'
	@benches/instructions.sh $(ARGS)

mutants: ## Take the rules that guard sessions out, one at a time: a unit test must miss each
	@scripts/mutants.py $(ARGS)

bench: ## Speed, against a direct connection to an identical Chrome
	@scripts/setup.sh run
	@cargo bench --locked --bench load -- $(ARGS)

bench-neighbour: ## What a greedy client costs another one: its worst wait, beside the same in one plain Chrome (ARGS="--row attach")
	@scripts/setup.sh run
	@cargo bench --locked --bench load -- neighbour $(ARGS)

lint: ## Formatting, lints, documentation
	@echo '==> formatting'
	@cargo fmt --check
	@echo '==> lints'
	@cargo clippy --locked --all-targets -- -D warnings
	@scripts/mutants.py --check
	@echo '==> documentation'
	@RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --quiet
	@if command -v cargo-deny >/dev/null; then echo '==> dependencies' && cargo deny --locked check bans licenses sources; fi

# It asks for the list of known vulnerabilities, so it needs the network; `make lint` does not.
audit: ## Known vulnerabilities, licences and sources of all dependencies, by cargo-deny
	@command -v cargo-deny >/dev/null || { echo '==> cargo-deny is missing: cargo install --locked cargo-deny' >&2; exit 1; }
	@cargo deny --locked check advisories bans licenses sources

MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
msrv: ## Whether rust-version of Cargo.toml is true: that Rust compiles the library and the binary
	@echo '==> Rust $(MSRV)'
	@rustup toolchain install $(MSRV) --profile minimal --no-self-update
	@cargo +$(MSRV) check --locked --lib --bins --target-dir $(BUILT)/msrv

fmt: ## Format the sources
	@cargo fmt

docs: ## Write docs/configuration.md anew from the settings' comments
	@cargo run --quiet --locked -- config-docs > docs/configuration.md.new
	@mv docs/configuration.md.new docs/configuration.md

types: ## Write types/ghost.d.ts anew from fixtures/ghost.json
	@mkdir -p types
	@cargo run --quiet --locked -- ghost-types > types/ghost.d.ts.new
	@mv types/ghost.d.ts.new types/ghost.d.ts
