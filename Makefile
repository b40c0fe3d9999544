# Everything that this project does, locally and in CI, is a target here. `make` alone lists them.

SHELL         := bash
.SHELLFLAGS   := -eu -o pipefail -c
MAKEFLAGS     += --warn-undefined-variables --no-builtin-rules
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

GO    ?= go
BIN   := $(CURDIR)/.bin
# Packages of this module; nested modules under integration/ are their own projects.
PKGS  ?= ./...

# Pinned tools. Renovating one is a commit that changes its version here: the stamp below carries the version in its name, so
# a new version rebuilds the tool and an unchanged one does not.
GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT         := $(BIN)/golangci-lint
GOLANGCI_LINT_STAMP   := $(BIN)/.golangci-lint-$(GOLANGCI_LINT_VERSION)
DEADCODE_VERSION      := v0.52.0
DEADCODE              := $(BIN)/deadcode
DEADCODE_STAMP        := $(BIN)/.deadcode-$(DEADCODE_VERSION)
BENCHSTAT_VERSION     := v0.0.0-20260908200009-22c9c6c9d4da
BENCHSTAT             := $(BIN)/benchstat
BENCHSTAT_STAMP       := $(BIN)/.benchstat-$(BENCHSTAT_VERSION)
GOVULNCHECK_VERSION   := v1.9.0
GOVULNCHECK           := $(BIN)/govulncheck
GOVULNCHECK_STAMP     := $(BIN)/.govulncheck-$(GOVULNCHECK_VERSION)
CYCLONEDX_VERSION     := v1.10.0
CYCLONEDX             := $(BIN)/cyclonedx-gomod
CYCLONEDX_STAMP       := $(BIN)/.cyclonedx-gomod-$(CYCLONEDX_VERSION)
ENVOY_RL_VERSION      := v1.4.1-0.20260122083618-3fb702589d36
ENVOY_RL              := $(BIN)/service_cmd
ENVOY_RL_STAMP        := $(BIN)/.service_cmd-$(ENVOY_RL_VERSION)

# Knobs, each also an argument: make fuzz FUZZTIME=5m
TEST_TIMEOUT ?= 10m
RACE_TIMEOUT ?= 20m
LONG_TIMEOUT ?= 60m
FUZZTIME     ?= 30s
BENCH        ?= .
BENCHTIME    ?= 1s
ROUNDS       ?= 10
REF          ?= HEAD
SEEDS        ?= 1000
FROM         ?= 1
DEPTH        ?= 4
CHAOS_SEEDS  ?= 11
CHAOS_FOR    ?= 2m
BOUNDED_FOR  ?= 10m
MEMORY_FOR   ?= 10m
SOAK         ?= 10m
LOG          ?=
ARGS         ?=

##@ Build and run

# The version is stamped into the programs; without a repository they say that of the module.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
STAMP    = -X github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/build.version=$(VERSION)

# Each target below uses the one build, so that its first run compiles the dependencies once. Make itself says nothing on the
# standard output, which belongs to the programs: make replay ARGS="-o json" | jq .
.PHONY: build
build: ## Build ratelimitd and ratelimitctl into .bin/, static and without local paths
	@echo 'building ratelimitd and ratelimitctl $(VERSION) into .bin/ (the first time takes minutes)' >&2
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w $(STAMP)' -o $(BIN)/ ./cmd/ratelimitd ./cmd/ratelimitctl

.PHONY: run
run: build ## Run one daemon on 127.0.0.1:8080 (ARGS="-limit 10 -window 1s" to change it)
	@$(BIN)/ratelimitd $(ARGS)

.PHONY: demo
demo: build ## Run three nodes under load and faults, with the dashboard; Ctrl-C ends it with a verdict
	@$(BIN)/ratelimitd -demo $(ARGS)

.PHONY: load
load: build ## Put load on running daemons, and say how wrong they are (ARGS are those of `ratelimitctl bench`)
	@$(BIN)/ratelimitctl bench $(ARGS)

.PHONY: replay
replay: build ## Replay an access log against a limit: make replay LOG=access.log (without LOG: a generated sample)
	@$(BIN)/ratelimitctl replay $(if $(LOG),-log '$(LOG)') $(ARGS)

.PHONY: explore
explore: ## Try all schedules of DEPTH steps on small simulated clusters, some minutes at 4
	$(GO) run ./cmd/ratelimitctl sim -explore $(DEPTH) $(ARGS)

.PHONY: sim
sim: build ## Simulate SEEDS random clusters with faults, from seed FROM on, and check the error bound in each
	@$(BIN)/ratelimitctl sim -random -from $(FROM) -seeds $(SEEDS) $(ARGS)

##@ Test

.PHONY: test
test: ## Run all tests; needs nothing but Go
	$(GO) test -timeout $(TEST_TIMEOUT) $(PKGS)

.PHONY: race
race: ## Run all tests under the race detector (needs a C compiler)
	@# gcra and crdt start no goroutine (the layer test sees to that): there is nothing to race.
	CGO_ENABLED=1 $(GO) test -race -timeout $(RACE_TIMEOUT) $$($(GO) list $(PKGS) | grep -v -e '/node/sim$$' -e '/gcra$$' -e '/crdt$$')
	@# A simulated cluster runs on one goroutine. Only what two clusters side by side share can race: random ones, side by side, show that.
	CGO_ENABLED=1 $(GO) test -race -timeout $(RACE_TIMEOUT) -run 'WithinTheBound|ItsSeed|Campaign|Scenario' ./node/sim -args -sim.seeds=50

.PHONY: integration
integration: ## Run the multi-node tests over real NATS, uncached; a skipped test is a failure
	@mkdir -p $(BIN)
	$(GO) test -count=1 -v -timeout $(RACE_TIMEOUT) ./integration/... | tee $(BIN)/integration.out | grep -v -E '^=== (RUN|PAUSE|CONT|NAME)|^ +--- PASS'
	@if grep -E '^ *--- SKIP' $(BIN)/integration.out; then echo 'skipped tests prove nothing: see above' >&2; exit 1; fi

.PHONY: envoy-reference
envoy-reference: $(ENVOY_RL_STAMP) ## Ask envoyproxy/ratelimit itself the conformance cases (needs redis-server; 3 minutes to build, then seconds)
	cd integration/envoy && ENVOY_RATELIMIT='$(ENVOY_RL)' $(GO) test -count=1 -v -run 'Reference|ControlPlane' ./...

.PHONY: bench-network
bench-network: $(ENVOY_RL_STAMP) ## Compare doors over loopback with bare servers, envoyproxy/ratelimit and redis_rate, and write docs/performance.md (redis-server; ROUNDS of 18 s)
	cd integration/envoy && ENVOY_RATELIMIT='$(ENVOY_RL)' DOCUMENT='$(CURDIR)/docs/performance.md' ROUNDS='$(if $(filter file,$(origin ROUNDS)),9,$(ROUNDS))' $(GO) test -count=1 -v -timeout $(LONG_TIMEOUT) -run Speed ./...

# Caddy and nginx are Debian's, unpacked rather than installed: that needs no root, and starts no service.
PROXIES := $(BIN)/proxies

.PHONY: doors-check
doors-check: $(PROXIES)/.unpacked ## Run the front doors in other frameworks and behind Caddy and nginx, and read deploy/ by its programs' types (Debian, curl, systemd; compiles for 5 minutes once)
	cd integration/doors && PATH="$(PROXIES)/usr/bin:$(PROXIES)/usr/sbin:$$PATH" $(GO) test -count=1 -timeout $(RACE_TIMEOUT) ./...
	cd integration/deploy && $(GO) test -count=1 -timeout $(RACE_TIMEOUT) ./...

$(PROXIES)/.unpacked:
	@rm -rf $(PROXIES) && mkdir -p $(PROXIES)
	cd $(PROXIES) && (apt-get download caddy nginx || (apt-get update && apt-get download caddy nginx)) && for deb in *.deb; do dpkg -x "$$deb" .; rm "$$deb"; done
	@command -v curl >/dev/null || (apt-get update && apt-get install -y --no-install-recommends curl)
	@touch $@

.PHONY: bounded-figures
bounded-figures: ## Print what bounded limits admit of what a central limiter does, and what a decision costs
	$(GO) test -count=1 -run TestBoundedFigures -v ./integration
	$(GO) test -run '^$$' -bench Bounded -benchtime $(BENCHTIME) ./node

.PHONY: bounded-check
bounded-check: chaos-tools ## Kill nodes under bounded limits for BOUNDED_FOR, cut them off in every way for as long, and simulate SEEDS clusters that try to exceed their cap
	BOUNDED_FOR='$(BOUNDED_FOR)' $(GO) test -count=1 -v -timeout $(LONG_TIMEOUT) -run BoundedLimitsHold ./integration
	@# A mesh, where a cut can be of one way and of one pair.
	$(GO) run ./integration/chaos -seed 2 -seeds 1 -for '$(BOUNDED_FOR)' -compare=false -only cut
	$(GO) run ./cmd/ratelimitctl sim -random -bounded -from $(FROM) -seeds $(SEEDS) $(ARGS)

.PHONY: chaos
chaos: chaos-tools ## Let faults befall real processes in network namespaces: CHAOS_SEEDS clusters, for CHAOS_FOR each (half an hour; Linux, Debian)
	$(GO) run ./integration/chaos -seed $(FROM) -seeds $(CHAOS_SEEDS) -for $(CHAOS_FOR) $(ARGS)

.PHONY: chaos-quick
chaos-quick: chaos-tools ## As chaos, for 2 minutes: one cluster on a server, one as a mesh
	$(GO) run ./integration/chaos -seed $(FROM) -seeds 2 -for 40s -compare=false $(ARGS)

.PHONY: chaos-tools
chaos-tools:
	@for tool in ip tc nft; do command -v $$tool; done >/dev/null || (apt-get update && apt-get install -y --no-install-recommends iproute2 nftables)

# So is promtool.
PROMTOOL := $(BIN)/prometheus/usr/bin/promtool

.PHONY: alerts-check
alerts-check: $(PROMTOOL) ## Let promtool judge the metrics, the alerts and Grafana's queries, and fire each alert (Debian)
	PROMTOOL='$(PROMTOOL)' $(GO) test -count=1 -timeout $(RACE_TIMEOUT) -tags promtool -run 'Promtool' ./integration ./cmd/ratelimitd

$(PROMTOOL):
	@rm -rf $(BIN)/prometheus && mkdir -p $(BIN)/prometheus
	cd $(BIN)/prometheus && (apt-get download prometheus || (apt-get update && apt-get download prometheus)) && dpkg -x prometheus_*.deb . && rm prometheus_*.deb
	@touch $@

# Chromium is Debian's. Its libraries are many, so it is installed rather than unpacked.
CHROMIUM := $(BIN)/.chromium

.PHONY: browser-check
browser-check: $(CHROMIUM) ## Run the dashboard and the reports in a real browser (Debian, to install Chromium; two minutes)
	cd integration/browser && $(GO) test -count=1 -timeout $(RACE_TIMEOUT) ./...

.PHONY: browser-memory
browser-memory: $(CHROMIUM) ## Leave the dashboard open in a real browser for MEMORY_FOR: its memory must stay flat
	cd integration/browser && MEMORY_FOR='$(MEMORY_FOR)' $(GO) test -count=1 -v -timeout $(LONG_TIMEOUT) -tags minutes -run ForMinutes ./...

.PHONY: screenshots
screenshots: $(CHROMIUM) ## Take the pictures of the documents anew (two minutes)
	cd integration/browser && SCREENSHOTS='$(CURDIR)/docs/images' $(GO) test -count=1 -timeout $(RACE_TIMEOUT) -tags pictures -run Picture ./...

$(CHROMIUM):
	@mkdir -p $(BIN)
	@command -v chromium >/dev/null || { apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core; }
	@touch $@

.PHONY: soak
soak: ## Ask three nodes for 50,000 decisions a second of clients that come and go, for SOAK: nothing may grow
	$(GO) run ./integration/soak -for $(SOAK) $(ARGS)

.PHONY: mutants
mutants: ## Plant all known mistakes one by one, and fail unless a test catches each
	$(GO) run ./integration/mutants $(ARGS)

# Commits try different eighths, so that some twenty commits try all.
PART ?= $(shell echo $$((0x$$(git rev-parse --short=6 HEAD 2>/dev/null || echo 0) % 8 + 1))/8)

.PHONY: mutants-quick
mutants-quick: ## As mutants, but an eighth of those that do not take long to catch, which the commit chooses (PART=1/1: all of them, an hour)
	$(GO) run ./integration/mutants -quick -part '$(PART)' $(ARGS)

.PHONY: long
long: ## Run the long comparisons of the decision functions, floods and saves (up to an hour)
	RATELIMIT_LONG=1 $(GO) test -count=1 -v -timeout $(LONG_TIMEOUT) -run Long ./gcra ./crdt ./node ./cmd/ratelimitd ./integration

.PHONY: fuzz
fuzz: ## Fuzz every Fuzz function of every package for FUZZTIME each
	@targets=$$($(GO) test -list '^Fuzz' $(PKGS) | awk '/^Fuzz/ { f[n++] = $$1 } $$1 == "ok" { for (i = 0; i < n; i++) print $$2 "," f[i]; n = 0 }'); \
	if [ -z "$$targets" ]; then echo 'no Fuzz function found' >&2; exit 1; fi; \
	for target in $$targets; do \
		echo "==> $${target#*,} in $${target%,*} for $(FUZZTIME)"; \
		$(GO) test -run '^$$' -fuzz "^$${target#*,}\$$" -fuzztime $(FUZZTIME) "$${target%,*}"; \
	done

.PHONY: bench
bench: ## Run the benchmarks that match BENCH, with allocations
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem $(PKGS)

.PHONY: bench-ab
bench-ab: $(BENCHSTAT_STAMP) ## Compare the benchmarks that match BENCH between commit REF (A) and the working tree (B), in CPU time
	@# 200 ms are enough for one of several rounds; BENCHTIME is that of `make bench` unless it is given.
	GO='$(GO)' BENCHSTAT='$(BENCHSTAT)' .ci/bench-ab '$(REF)' '$(BENCH)' '$(ROUNDS)' '$(if $(filter file,$(origin BENCHTIME)),200ms,$(BENCHTIME))'

.PHONY: bench-peers
bench-peers: ## Measure decisions beside other limiters (ARGS="-rounds 3 -clients 10000"), and write the tables of docs/performance.md
	cd integration/peers && $(GO) run . -write ../../docs/performance.md $(ARGS)

.PHONY: cover
cover: ## Measure coverage over all packages; the report is .bin/coverage.html
	@mkdir -p $(BIN)
	$(GO) test -timeout $(RACE_TIMEOUT) -covermode atomic -coverpkg ./... -coverprofile $(BIN)/coverage.out $(PKGS)
	$(GO) tool cover -html $(BIN)/coverage.out -o $(BIN)/coverage.html
	$(GO) tool cover -func $(BIN)/coverage.out | tail -n 1

##@ Keep in order

.PHONY: check
check: lint deadcode test tidy-check ## What every commit passes: lint, no dead code, test, tidy module files

.PHONY: lint
lint: $(GOLANGCI_LINT_STAMP) ## Check the linters' configuration, then the code, formatting and layers included
	$(GOLANGCI_LINT) config verify
	$(GOLANGCI_LINT) run $(PKGS)

.PHONY: deadcode
deadcode: $(DEADCODE_STAMP) ## Fail if neither a program nor a test can reach a function
	@dead=$$($(DEADCODE) -test $(PKGS)); if [ -n "$$dead" ]; then printf '%s\n' "$$dead" >&2; exit 1; fi

.PHONY: check-narrow
check-narrow: ## Build and vet for 32 bits: sizes, and the alignment of atomics
	GOARCH=386 CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/ratelimitd
	GOARCH=386 CGO_ENABLED=0 $(GO) vet $(PKGS)

.PHONY: check-nested
check-nested: ## Build and vet the modules under integration/, which no other check compiles as a whole (needs a network)
	for module in integration/*/go.mod; do (cd "$$(dirname "$$module")" && $(GO) vet ./...) || exit 1; done

.PHONY: vuln
vuln: $(GOVULNCHECK_STAMP) ## Look for known vulnerabilities in what the programs call (needs the database of the Go project)
	@out=$$($(GOVULNCHECK) $(PKGS) 2>&1) && { printf '%s\n' "$$out"; exit 0; } || status=$$?; printf '%s\n' "$$out"; \
	if [ "$$status" != 3 ]; then echo 'NOTHING WAS CHECKED: the vulnerability database cannot be reached, or the check itself failed (see above)' >&2; fi; exit "$$status"

.PHONY: sbom
sbom: $(CYCLONEDX_STAMP) ## Write what the programs are made of into .bin/, as CycloneDX
	@for program in ratelimitd ratelimitctl; do \
		$(CYCLONEDX) app -json -licenses -main cmd/$$program -output $(BIN)/$$program.cdx.json; \
		echo "$(BIN)/$$program.cdx.json: $$(grep -c '"bom-ref"' $(BIN)/$$program.cdx.json) parts"; \
	done

.PHONY: reproducible
reproducible: ## Build the programs twice, from two folders and once without a cache, and fail unless they are the same to the byte
	.ci/reproducible

.PHONY: fmt
fmt: $(GOLANGCI_LINT_STAMP) ## Format the code (gofumpt, gci)
	$(GOLANGCI_LINT) fmt

.PHONY: tidy
tidy: ## Bring go.mod and go.sum in line with the imports
	$(GO) mod tidy

.PHONY: tidy-check
tidy-check: ## Fail if `make tidy` would change anything or a module is not what go.sum says
	$(GO) mod tidy -diff
	$(GO) mod verify

.PHONY: help
help: ## Print this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-z-]*:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf '\nKnobs: FUZZTIME=%s BENCH=%s BENCHTIME=%s REF=%s ROUNDS=%s SEEDS=%s FROM=%s CHAOS_SEEDS=%s CHAOS_FOR=%s BOUNDED_FOR=%s MEMORY_FOR=%s LOG= ARGS= PKGS=%s\n' '$(FUZZTIME)' '$(BENCH)' '$(BENCHTIME)' '$(REF)' '$(ROUNDS)' '$(SEEDS)' '$(FROM)' '$(CHAOS_SEEDS)' '$(CHAOS_FOR)' '$(BOUNDED_FOR)' '$(MEMORY_FOR)' '$(PKGS)'

.PHONY: clean
clean: ## Remove built programs, tools and reports
	rm -rf $(BIN)

##@ Continuous integration

.PHONY: ci-setup
ci-setup: $(GOLANGCI_LINT_STAMP) $(DEADCODE_STAMP) ## Fetch the modules and build the pinned tools; only this step, check-nested, doors-check, browser-check, alerts-check and chaos-tools need a network
	$(GO) mod download

.PHONY: ci
ci: lint deadcode tidy-check check-narrow race integration mutants-quick ## What a change must pass, after `make test` and `make ci-setup`

# The stamp names the version, so that only a new one is built. A tool is built by its own module's dependencies, not by ours.
install = @mkdir -p $(BIN) && rm -f $(BIN)/.$(1)-* && \
	echo 'building $(2)@$(3)' && GOBIN=$(BIN) GOFLAGS= $(GO) install -trimpath $(2)@$(3) && touch $@

$(GOLANGCI_LINT_STAMP):
	$(call install,golangci-lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$(GOLANGCI_LINT_VERSION))

$(DEADCODE_STAMP):
	$(call install,deadcode,golang.org/x/tools/cmd/deadcode,$(DEADCODE_VERSION))

$(BENCHSTAT_STAMP):
	$(call install,benchstat,golang.org/x/perf/cmd/benchstat,$(BENCHSTAT_VERSION))

$(GOVULNCHECK_STAMP):
	$(call install,govulncheck,golang.org/x/vuln/cmd/govulncheck,$(GOVULNCHECK_VERSION))

$(CYCLONEDX_STAMP):
	$(call install,cyclonedx-gomod,github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod,$(CYCLONEDX_VERSION))

$(ENVOY_RL_STAMP):
	$(call install,service_cmd,github.com/envoyproxy/ratelimit/src/service_cmd,$(ENVOY_RL_VERSION))
