# `make run` starts the server, `make test` runs the tests. Both install what they need and print their steps.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-packages test-rust build-units test-units test-build test-it test-full test-quick-clients test-codecs test-clients test-tls test-api sweep taint soak prove prove-short prove-api instructions \
	mutants fuzz bench bench-neighbour lint check documentation audit msrv fmt docs types

# The directory of the tools that scripts/setup.sh installs comes first; rustup's cargo may not be in PATH yet.
export PATH := $(CURDIR)/target/tools/bin:$(PATH):$(HOME)/.cargo/bin

BUILT := $(or $(CARGO_TARGET_DIR),target)
# The Chrome for the proofs: the one that is found, or BROWSER=path.
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

# Where tests keep the files of servers and Chromes: in memory if it has room, which spares a sixth of the processor time that a
# Chrome takes to start and end (measured). TMPDIR names another place.
IN_MEMORY = $(shell [ "$$(df --output=avail --block-size=1G /dev/shm | tail -n 1)" -ge 8 ] 2>/dev/null && echo /dev/shm)
test-it test-full test-quick-clients test-clients prove-short: export TMPDIR := $(or $(TMPDIR),$(IN_MEMORY),/tmp)

# Packages mostly wait for the network and for the disk, so that lints are checked meanwhile: they need Rust alone.
test: ## All required checks: formatting, lints, docs, tests, real clients with real Chrome
	@scripts/setup.sh rust
	@$(MAKE) --no-print-directory --jobs 2 test-packages check
	@$(MAKE) --no-print-directory test-rust test-quick-clients
	@echo '==> all green'

test-packages:
	@scripts/setup.sh test

# Tests that take a Chrome are named `…::shell` and `…::full`. All run in headless shell here. In full Chrome, which takes twice
# as long to start, `make prove-short` runs a part of them, and `make test-full` and `make prove` all.
IN_FULL := test(/::full$$/)
# What shows something by the number of its rounds or requests, or by their size: `make prove-short` runs these.
BY_VOLUME := test(/^limits::.*_frame/) or test(/^store::(crash|memory)::/) or test(/^snapshots::killed::/) or test(/^closing::/) \
  or test(/^quick_corpus::/) or test(=sessions::randomly_parked_and_resumed_sessions_leave_nothing) \
  or test(=lifecycle::disconnected_clients_leave_nothing) \
  or test(=tenant_limits::shared::shared_limits_that_fail_closed_are_never_exceeded)
# Which of N parts of a long check is that of this commit.
part = $(shell echo $$((0x$$(git rev-parse --short=4 HEAD 2>/dev/null || echo 0) % $(1) + 1)))
# The compiler has one processor while it is at the integration tests: the other takes what needs none of them.
test-rust:
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target test-build test-units $(WHILE_COMPILING:%=client-%)
	@$(MAKE) --no-print-directory test-it

# Cargo would let the unit tests wait until the integration tests are compiled: they are run without it.
UNIT_TESTS := $(BUILT)/unit-tests.path
test-build test-units: build-units
build-units:
	@cargo test --locked --quiet --no-run --lib --message-format json | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' >$(UNIT_TESTS)

# The unit tests are many and short: a process for each, as cargo-nextest has it, takes longer than most of them.
test-units:
	@echo '==> Rust unit tests'
	@timeout 600 "$$(cat $(UNIT_TESTS))" --quiet

test-build:
	@cargo test --locked --no-run --quiet --test it

test-it:
	@echo '==> Rust integration tests'
	@if command -v cargo-nextest >/dev/null; then \
	  cargo nextest run --locked --no-tests=pass -E 'binary(it) and not ($(IN_FULL) or $(BY_VOLUME))'; \
	  else cargo test --locked --test it; fi

test-full: ## The Rust tests in full Chrome, of which `make prove-short` runs a sixteenth
	@scripts/setup.sh test
	@echo '==> Rust tests in full Chrome'
	@if command -v cargo-nextest >/dev/null; then cargo nextest run --locked -E '$(IN_FULL)'; \
	  else cargo test --locked --test it -- ::full; fi

# Two at a time, the longest first: each mostly waits for its own Chrome, and what they print stays together. The documentation
# takes one processor for half a minute, so that it is written meanwhile.
QUICK_CLIENTS := suites docs shared certificates named profiles files dedicated extensions launch locators tenants proxies upstreams tls examples endings login busy mcp other-codec
WHILE_COMPILING := types generated
# The binary that the Rust tests have built: `cargo build` alone takes other features of the dependencies, and builds anew.
test-quick-clients:
	@cargo test --locked --quiet --no-run
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target documentation $(QUICK_CLIENTS:%=client-%)

client-types:
	@echo '==> the declarations of types/, against those of Puppeteer and Playwright'
	@tests/clients/node_modules/.bin/tsc -p tests/clients/types
client-generated:
	@echo '==> clients in TypeScript and Python, generated from the OpenAPI document'
	@node tests/clients/generated/run.mjs $(BUILT)/debug/ghostmux
client-examples:
	@echo '==> the examples'
	@node tests/clients/examples.mjs $(BUILT)/debug/ghostmux
client-docs:
	@echo '==> the commands and scripts of the pages'
	@node tests/clients/docs.mjs $(BUILT)/debug/ghostmux
client-endings:
	@echo '==> how sessions end and park, as Puppeteer and Playwright see it'
	@node tests/clients/endings.mjs $(BUILT)/debug/ghostmux
client-locators:
	@echo '==> locators by HTTP, against those of Playwright'
	@node scripts/playwright-injected.mjs --check
	@node scripts/puppeteer-runner.mjs --check
	@node tests/clients/locators.mjs $(BUILT)/debug/ghostmux
client-hard:
	@echo '==> hard pages by HTTP, beside Playwright and Puppeteer on a plain Chrome'
	@node tests/clients/hard.mjs $(BUILT)/debug/ghostmux
client-shared:
	@echo '==> Puppeteer and Playwright on one session'
	@node tests/clients/shared.mjs $(BUILT)/debug/ghostmux
client-named:
	@echo '==> sessions by a name, by HTTP address'
	@node tests/clients/named.mjs $(BUILT)/debug/ghostmux
client-dedicated:
	@echo '==> a browser of its own: traces and the clipboard, with Puppeteer and Playwright'
	@node tests/clients/dedicated.mjs $(BUILT)/debug/ghostmux
client-extensions:
	@echo '==> extensions in a full Chrome of its own'
	@node tests/clients/extensions.mjs $(BUILT)/debug/ghostmux
client-launch:
	@echo '==> launch options, beside a Chrome that was launched with them'
	@node tests/clients/launch.mjs $(BUILT)/debug/ghostmux
client-profiles:
	@echo '==> profiles: logged in once, with Puppeteer and Playwright'
	@node tests/clients/profiles.mjs $(BUILT)/debug/ghostmux
client-files:
	@echo '==> files: downloads and uploads by HTTP, with Puppeteer and Playwright'
	@node tests/clients/files.mjs $(BUILT)/debug/ghostmux
client-tenants:
	@echo '==> tokens in every place, with Puppeteer and Playwright'
	@node tests/clients/tenants.mjs $(BUILT)/debug/ghostmux
client-proxies:
	@echo '==> behind nginx and haproxy with TLS'
	@node tests/clients/proxies.mjs $(BUILT)/debug/ghostmux
client-upstreams:
	@echo '==> proxies of sessions and contexts, with Puppeteer and Playwright'
	@node tests/clients/upstreams.mjs $(BUILT)/debug/ghostmux
client-tls:
	@echo '==> TLS of ghostmux itself'
	@node tests/clients/tls.mjs $(BUILT)/debug/ghostmux
client-certificates:
	@echo '==> certificate errors that one session ignores'
	@node tests/clients/certificates.mjs $(BUILT)/debug/ghostmux
client-login:
	@echo '==> one login, saved and cloned twenty times'
	@node tests/clients/login.mjs $(BUILT)/debug/ghostmux
client-busy:
	@echo '==> a busy page that is saved meanwhile'
	@node tests/clients/busy.mjs $(BUILT)/debug/ghostmux
client-mcp:
	@echo '==> agents: the SDK of MCP, over HTTP and over standard input and output'
	@node tests/clients/mcp.mjs $(BUILT)/debug/ghostmux
client-suites:
	@echo '==> Puppeteer, Playwright and a raw client, four of them at once in one headless shell, each beside a plain Chrome'
	@$(CLIENTS) --suite puppeteer,playwright,raw --together 4
# The default is CBOR: what is different with JSON shows in the rawest of the clients.
client-other-codec:
	@echo '==> a raw client, with JSON between the proxy and Chrome'
	@GHOSTMUX_CODEC=json $(CLIENTS) --suite raw

test-codecs: ## The tests of `make test` with each codec, JSON and CBOR
	@scripts/setup.sh test
	@for codec in json cbor; do echo "==> codec $$codec" && \
	  GHOSTMUX_CODEC=$$codec $(MAKE) --no-print-directory test-rust test-quick-clients || exit; done

test-clients: ## The tests of all other clients
	@scripts/setup.sh clients
	@cargo build --locked
	@echo '==> every client, each beside a plain Chrome'
	@$(CLIENTS) --all --together 8
	@echo '==> Puppeteer, Playwright and a raw client, each session in a browser of its own'
	@$(CLIENTS) --query isolation=dedicated --suite puppeteer,playwright,raw
	@echo '==> the SDKs of MCP in TypeScript and Python'
	@node tests/clients/mcp.mjs $(BUILT)/debug/ghostmux tests/clients/agents/.venv/bin/python
	@echo '==> the conformance suite of MCP'
	@node tests/clients/agents/conformance.mjs $(BUILT)/debug/ghostmux
	@echo '==> Lighthouse in a browser of its own, beside a plain Chrome'
	@node tests/clients/more/lighthouse.mjs $(BUILT)/debug/ghostmux
	@echo '==> Puppeteer, Playwright and a raw client in one full Chrome, then eight of them at once'
	@$(CLIENTS) --suite puppeteer,playwright,raw --times 1 --together 8 --browser "$$(command -v chromium)"

test-tls: ## Puppeteer and Playwright as a tenant with a token, through TLS, each beside a plain Chrome
	@scripts/setup.sh test
	@cargo build --locked
	@echo '==> as a tenant, through TLS'
	@$(CLIENTS) --tls --suite puppeteer,playwright

test-api: ## The REST API against its OpenAPI document, with many examples (ARGS="--seed 7 --max-examples 1000")
	@scripts/setup.sh test
	@cargo build --locked
	@node tests/clients/api/run.mjs $(BUILT)/debug/ghostmux $(ARGS)

sweep: ## Every method of the protocol with generated arguments: finds what ends the browser (ARGS="--methods 'Page.*' --seed 7")
	@scripts/setup.sh run
	@$(PROVE) sweep $(PROVE_WITH) $(ARGS)

taint: ## Many random clients: checks a million messages for data of other clients (ARGS="--seed 7 --messages 1000")
	@scripts/setup.sh run
	@$(PROVE) taint $(PROVE_WITH) $(ARGS)

soak: ## Sessions come and go for ten minutes while browsers are killed and recycled: nothing may be left (SECONDS=300 ARGS="--seed 7")
	@scripts/setup.sh run
	@$(PROVE) soak $(PROVE_WITH) --seconds $(SECONDS) $(ARGS)

prove: ## Attacks, sweep and taint with this machine's Chrome, and a report (BROWSER=path, BROWSERS=N, TENANTS=N, DEDICATED=N); the API, instructions, mutants
	@scripts/setup.sh test
	@BROWSER='$(BROWSER)' BROWSERS='$(BROWSERS)' TENANTS='$(TENANTS)' DEDICATED='$(DEDICATED)' scripts/prove.sh
	@$(MAKE) --no-print-directory test-full test-api instructions mutants

prove-short: ## A part of each proof, another one for each commit: sweep, taint, soak, the API, hard pages, full Chrome. Some three minutes
	@scripts/setup.sh test
	@echo '==> sweep, taint proof and soak, short'
	@if command -v cargo-nextest >/dev/null; then cargo nextest run --locked --test prove; else cargo test --locked --test prove; fi
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target prove-api client-hard
	@echo '==> Rust tests in full Chrome, part $(call part,16) of 16'
	@if command -v cargo-nextest >/dev/null; then cargo nextest run --locked --no-tests=pass --partition hash:$(call part,16)/16 \
	  -E '$(IN_FULL) and not test(/^attacks::greed/)'; fi
	@echo '==> Rust tests of many rounds, of large frames and of many sessions'
	@if command -v cargo-nextest >/dev/null; then cargo nextest run --locked -E 'binary(it) and ($(BY_VOLUME)) and not $(IN_FULL)'; fi

prove-api:
	@echo '==> the REST API, against its own document: part $(call part,6) of 6'
	@node tests/clients/api/run.mjs $(BUILT)/debug/ghostmux --part $(call part,6)/6

# It replaces the tests' binary by an optimised one, so that they are built again later.
instructions: ## Instructions per message of the pure layers, compared with the baseline (ARGS=--write replaces it)
	@echo '==> instructions per message, by callgrind'
	@benches/instructions.sh $(ARGS)

mutants: ## Removes the rules that isolate sessions, one at a time: a unit test must fail without each
	@scripts/mutants.py $(ARGS)

# cargo-fuzz wants a nightly toolchain for the sanitizer's flags; RUSTC_BOOTSTRAP lets the one of this repository take them.
# A fault is written to fuzz/artifacts/TARGET/; with the limits of memory a small input that becomes large is one too.
SECONDS := 600
TARGETS := $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
fuzz: ## libFuzzer on all that reads what others send, ten minutes each (TARGET=frame SECONDS=60; SEED=path for one input)
	@command -v cargo-fuzz >/dev/null || { echo '==> cargo-fuzz is missing: cargo install --locked cargo-fuzz' >&2; exit 1; }
	@for target in $(or $(TARGET),$(TARGETS)); do \
	  echo "==> $$target$(if $(SEED),,, for $(SECONDS) s)"; \
	  FUZZ_TARGET=$$target FUZZ_CORPUS=$(CURDIR)/fuzz/corpus/$$target \
	    cargo test --locked --quiet --lib -- --ignored --exact fuzzing::tests::seeds_are_written; \
	  RUSTC_BOOTSTRAP=1 cargo fuzz run $$target $(SEED) -- -dict=fuzz/words.dict -max_total_time=$(SECONDS) -timeout=10 \
	    -max_len=16384 -malloc_limit_mb=16 -rss_limit_mb=2048; \
	done

bench: ## Speed, compared with a direct connection to an identical Chrome
	@scripts/setup.sh run
	@cargo bench --locked --bench load -- $(ARGS)

bench-neighbour: ## The longest wait of a client beside a greedy one, compared with one plain Chrome (ARGS="--row attach", ARGS=--tenants)
	@scripts/setup.sh run
	@cargo bench --locked --bench load -- neighbour $(ARGS)

# Where clippy is the compiler (`.ci/run`), what the tests run is linted while it is compiled: all but the integration tests
# here, and these by `test-build`.
lint: check documentation ## Formatting, lints, documentation

check: ## Formatting and lints
	@echo '==> formatting'
	@cargo fmt --check
	@echo '==> lints'
	@$(if $(RUSTC_WORKSPACE_WRAPPER),cargo test --locked --no-run --quiet --lib --benches --test prove,cargo clippy --locked --all-targets -- -D warnings)
	@scripts/mutants.py --check
	@if command -v cargo-deny >/dev/null; then echo '==> dependencies' && cargo deny --locked check bans licenses sources; fi

documentation: ## The documentation of the Rust code, without warnings, and its examples
	@echo '==> documentation'
	@RUSTDOC=$(CURDIR)/scripts/rustdoc.sh cargo test --locked --doc --quiet

# It downloads the list of known vulnerabilities, so it needs the network; `make lint` does not.
audit: ## Known vulnerabilities, licences and sources of all dependencies, by cargo-deny
	@command -v cargo-deny >/dev/null || { echo '==> cargo-deny is missing: cargo install --locked cargo-deny' >&2; exit 1; }
	@cargo deny --locked check advisories bans licenses sources

MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
msrv: ## Compiles the library and the binary with the rust-version of Cargo.toml
	@echo '==> Rust $(MSRV)'
	@rustup toolchain install $(MSRV) --profile minimal --no-self-update
	@cargo +$(MSRV) check --locked --lib --bins --target-dir $(BUILT)/msrv

fmt: ## Format the sources
	@cargo fmt

docs: ## Generate docs/configuration.md from the settings' comments, and what `make types` generates
	@cargo run --quiet --locked -- config-docs > docs/configuration.md.new
	@mv docs/configuration.md.new docs/configuration.md
	@$(MAKE) --no-print-directory types

types: ## Generate the documents of the API from the Rust types: fixtures/ghost.json, types/ghost.d.ts, fixtures/openapi.json, docs/operations.md
	@cargo run --quiet --locked -- api-document protocol > fixtures/ghost.json.new
	@mv fixtures/ghost.json.new fixtures/ghost.json
	@cargo run --quiet --locked -- api-document declarations > types/ghost.d.ts.new
	@mv types/ghost.d.ts.new types/ghost.d.ts
	@cargo run --quiet --locked -- api-document openapi > fixtures/openapi.json.new
	@mv fixtures/openapi.json.new fixtures/openapi.json
	@cargo run --quiet --locked -- api-document reference > docs/operations.md.new
	@mv docs/operations.md.new docs/operations.md
