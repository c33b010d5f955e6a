# Viduct: build, demonstrate, test and measure. `make` alone lists the targets.
# Everything works from a fresh clone on Debian 12; what is missing is installed by `make setup` (a part of `demo` and `test`).

RUST := .ci/rust
DEMO := tests/support/demo
BROWSER := tests/browser
API := tests/api
API_TOOLS := $(or $(CARGO_TARGET_DIR),target)/api-tools
NPM_CI := npm ci --no-audit --no-fund --loglevel=error

.DEFAULT_GOAL := help
.PHONY: help setup build demo test lint browser-test api-test bench clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup: ## install the Debian packages that are missing (the list is .ci/packages)
	@.ci/setup

build: setup ## build the daemon: target/release/viduct
	$(RUST) cargo build --release --bin viduct

# `exec`: Ctrl-C reaches the harness, which stops the camera and the daemon before it ends.
demo: setup $(DEMO)/node_modules/.package-lock.json ## a camera, the daemon, and a page to watch it; Ctrl-C ends all
	$(RUST) cargo build --release --workspace --bin viduct --bin viduct-demo --bin viduct-test-camera
	@exec target/release/viduct-demo $(DEMO_FLAGS)

# Property tests draw the same cases on every machine, so that a change is judged by itself alone. For other and more cases:
# make test PROPTEST_RNG_SEED=7 PROPTEST_CASES=5000
test: export PROPTEST_RNG_SEED ?= 1
test: setup lint ## everything a change has to pass
	$(RUST) cargo build --release --workspace --all-targets
	$(RUST) .ci/rust-tests
	$(MAKE) --no-print-directory browser-test
	$(MAKE) --no-print-directory api-test

lint: setup
	@$(RUST) .ci/lint

browser-test: setup $(BROWSER)/node_modules/.package-lock.json $(DEMO)/node_modules/.package-lock.json
	cd $(BROWSER) && node run.mjs $(BROWSER_TESTS)

# make api-test API_SEED=7 API_CASES=50 asks for other and more cases.
api-test: export API_SEED ?= 1
api-test: export API_CASES ?= 10
api-test: setup $(API_TOOLS)/complete
	python3 $(API)/run.py

# Pinned, and each file known by its hash.
$(API_TOOLS)/complete: $(API)/requirements.txt | setup
	python3 -m venv --clear $(API_TOOLS)
	$(API_TOOLS)/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement $<
	@touch $@

# make bench BENCH=compose measures one of them alone. `returns`, a hundred of a camera, and `soak`, a long recording, take a
# quarter of an hour and are made only when they are named.
BENCH := viewers compose control neighbours
bench: setup ## measure: viewers beside this machine's floor, the composer beside ffmpeg, REST alone and beside bad cameras
	$(RUST) cargo build --release --workspace --bins
	$(if $(filter viewers,$(BENCH)),target/release/viduct-bench)
	$(if $(filter control,$(BENCH)),target/release/viduct-bench-control)
	$(if $(filter compose,$(BENCH)),$(RUST) cargo bench --quiet --bench compose)
	$(if $(filter neighbours,$(BENCH)),target/release/viduct-neighbours)
	$(if $(filter returns,$(BENCH)),VIDUCT_RETURNS=100 $(RUST) cargo test --quiet --release --test system whatever_happened_to_it -- --nocapture)
	$(if $(filter soak,$(BENCH)),$(RUST) cargo bench --quiet --bench soak)

# npm writes this file last, so it is newer than the lock file exactly when the install is complete.
%/node_modules/.package-lock.json: %/package-lock.json | setup
	cd $* && $(NPM_CI)
	@touch $@

clean: ## remove everything that was built or installed here
	rm -rf target tests/java/target $(DEMO)/node_modules $(BROWSER)/node_modules
