# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Everything is pinned in go.mod and hack/tools/go.mod: nothing but Go and git has
# to be installed. CI runs "make verify test", as .ci/run says.

SHELL := bash
.SHELLFLAGS := -o errexit -o nounset -o pipefail -c
.DEFAULT_GOAL := help

# Packages to test, arguments of go test, arguments of stoa start, of the benchmark.
WHAT ?= ./...
ARGS ?=

# The commit is linked in by hack/ldflags.sh, so Go need not read it from git.
# RELEASE=true makes static binaries without paths of this machine. It is not the
# default because it shares no compiled package with go test and go build: the
# first time it compiles 1 700 packages once more, five minutes on two cores.
GO_BUILD = go build -buildvcs=false -ldflags "-s -w $$(hack/ldflags.sh)"
ifeq ($(RELEASE),true)
GO_BUILD := CGO_ENABLED=0 $(GO_BUILD) -trimpath
endif

.PHONY: help
help: ## Print what can be made.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/stoa and bin/kubectl; RELEASE=true for static, reproducible ones.
	@mkdir -p bin
	$(GO_BUILD) -o bin/ ./cmd/...

.PHONY: run
run: build ## Build, and start a server; ARGS="--secure-port=7443" are its flags.
	@exec bin/stoa start $(ARGS)

.PHONY: test
test: ## Run all tests; WHAT=./server/... some of them, ARGS="-run X -v" are for go test.
	@hack/test.sh $(WHAT) $(ARGS)

.PHONY: test-race
test-race: ## Run all tests with the race detector.
	@hack/test.sh -race $(WHAT) $(ARGS)

.PHONY: bench
bench: build ## Measure start-up, memory and requests, beside two yardsticks.
	@go run ./test/bench $(ARGS)

.PHONY: parity
parity: ## Compare every answer with kube-apiserver's; ARGS="-only apps_v1 -show" for some.
	@cd test/parity && go test -count=1 -timeout 20m -v -run TestParity . -args -full $(ARGS)

.PHONY: update
update: ## Generate code and reference documents anew.
	@hack/all.sh update

.PHONY: verify
verify: ## Check generated files, lint, modules, other platforms: all hack/verify-*.sh.
	@hack/all.sh verify

.PHONY: tools
tools: ## Build the linters pinned in hack/tools into bin/tools.
	@hack/tools.sh

.PHONY: clean
clean: ## Remove what was built. Data of servers stays.
	rm -rf bin dist
