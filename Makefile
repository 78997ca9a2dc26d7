# Sceau: every command sets up what it needs and none wants a terminal.
# `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# A clone that belongs to another user stops the version stamp, not the build.
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)

VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BUILD = CGO_ENABLED=0 go build -trimpath -o bin/

SQLC = github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1
GOLANGCI = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZ ?= .
FUZZTIME ?= 30s
FUZZFLAGS ?=
BENCH ?= .
ROUNDS ?= 5
CERTIFICATES ?= 100000

.PHONY: help deps vault build build-crllint build-pkcs11 demo dev test test-pkcs11 race bench month generate lint fuzz clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# command:package for each tool that Sceau or its tests call. Debian makes and
# may start a cluster of its own when postgresql is installed, and an nginx; Sceau
# never uses them and shares neither port nor folder with them. GnuTLS, NSS and
# the JDK judge what the CA makes (internal/conform).
TOOLS = initdb:postgresql psql:postgresql-client pdftotext:poppler-utils openssl:openssl \
	dmtxread:dmtx-utils strace:strace flock:util-linux gcc:gcc softhsm2-util:softhsm2 pkcs11-tool:opensc pcscd:pcscd \
	certtool:gnutls-bin vfychain:libnss3-tools javac:default-jdk-headless nginx:nginx-light \
	haproxy:haproxy apache2:apache2-bin

# Packages that bring a file and no command: file:package.
FILES = /usr/lib/pcsc/drivers/serial/libifdvpcd.so:vsmartcard-vpcd /usr/lib/python3/dist-packages/smartcard/System.py:python3-pyscard

deps: ## install the Debian packages that are missing
	@command -v go >/dev/null || { echo "Go 1.26 or newer is needed on PATH" >&2; exit 1; }
	shopt -s nullglob
	missing=()
	for tool in $(TOOLS); do
		found=$$(command -v "$${tool%%:*}" || true)
		[ "$${tool%%:*}" != initdb ] || for path in /usr/lib/postgresql/*/bin/initdb; do found=$$path; done
		[ ! -x "/usr/sbin/$${tool%%:*}" ] || found=/usr/sbin/$${tool%%:*}
		[ -n "$$found" ] || missing+=("$${tool##*:}")
	done
	for file in $(FILES); do
		[ -e "$${file%%:*}" ] || missing+=("$${file##*:}")
	done
	[ $${#missing[@]} -gt 0 ] || exit 0
	as_root=()
	if [ "$$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
			echo "packages are missing; as root, run: apt-get install -y --no-install-recommends $${missing[*]}" >&2
			exit 1
		fi
		as_root=(sudo -n)
	fi
	echo "installing $${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	"$${as_root[@]}" apt-get -qq update </dev/null
	"$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$${missing[@]}" </dev/null >/dev/null

vault: ## build the development Vault, once, into a cache
	@tools/vault/build.sh

build: ## build bin/sceau, bin/sceau-enroll, bin/sceau-hsm and bin/simcard
	@mkdir -p bin
	$(BUILD)sceau -ldflags '-s -w -X main.version=$(VERSION)' ./cmd/sceau
	$(BUILD)sceau-enroll -ldflags '-s -w' ./cmd/sceau-enroll
	$(BUILD)sceau-hsm -ldflags '-s -w' ./cmd/sceau-hsm
	$(BUILD)simcard -ldflags '-s -w' ./cmd/simcard

build-crllint: ## build bin/crllint: lists against zlint's and boulder's rules (a module of its own)
	@mkdir -p bin
	cd tools/crllint && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o ../../bin/crllint .

build-pkcs11: ## build bin/sceau-pkcs11 and bin/sceau-enroll-pkcs11, whose keys are in a PKCS #11 module (cgo)
	@mkdir -p bin
	CGO_ENABLED=1 go build -trimpath -tags pkcs11 -o bin/sceau-pkcs11 -ldflags '-s -w -X main.version=$(VERSION)' ./cmd/sceau
	CGO_ENABLED=1 go build -trimpath -tags pkcs11 -o bin/sceau-enroll-pkcs11 -ldflags '-s -w' ./cmd/sceau-enroll

demo: deps vault build ## run the whole main job on the sample bank's orders, then end
	@bin/sceau demo

dev: deps vault build ## the same with all doors open, until Ctrl-C
	@exec bin/sceau dev

test: deps vault build build-crllint ## every test, with a real PostgreSQL and a real Vault
	@if grep -rnE --include='*_test.go' '\b[tbf]\.Skip(f|Now)?\(' .; then
		echo "a test that skips itself lets the suite shrink unseen" >&2
		exit 1
	fi
	started=$$SECONDS
	go vet ./...
	SCEAU_CONFORMANCE=$(CURDIR)/bin/conformance.txt go test -count=1 -timeout 20m ./...
	cat bin/conformance.txt
	$(MAKE) --no-print-directory test-pkcs11
	echo "all tests passed in $$((SECONDS - started)) s, with a real PostgreSQL and a real Vault, none skipped"

# The packages that the tag changes; their tests start what they need.
PKCS11 = ./hsm/pkcs11 ./cmd/sceau/... ./cmd/sceau-enroll

test-pkcs11: deps vault build ## the same contract and the CA on SoftHSM2, over PKCS #11
	@CGO_ENABLED=1 go vet -tags pkcs11 $(PKCS11)
	CGO_ENABLED=1 go test -tags pkcs11 -count=1 -timeout 10m ./hsm/pkcs11
	CGO_ENABLED=1 go test -tags pkcs11 -count=1 -timeout 10m -run PKCS11 ./cmd/sceau/... ./cmd/sceau-enroll

race: deps vault build build-crllint ## every test under the race detector (needs a C compiler)
	@CGO_ENABLED=1 go test -race -count=1 -timeout 40m ./...

bench: deps vault build ## the benchmarks beside limits and peers, as ratios (BENCH=pattern, ROUNDS=5)
	@started=$$SECONDS
	measured=$$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -n 1 dirname | sort -u)
	go test -p 1 -run '^$$' -bench '$(BENCH)' -benchtime $(ROUNDS)x -timeout 30m $$measured | tee bin/bench.out | go run ./tools/benchtable
	echo "measured in $$((SECONDS - started)) s on $$(nproc) processors; load average at the end $$(cut -d ' ' -f 1 /proc/loadavg)"

month: deps vault build ## a month of lists and OCSP answers with CERTIFICATES on record (100000)
	@SCEAU_MONTH_CERTIFICATES=$(CERTIFICATES) go test -count=1 -v -timeout 3h -run '^TestAMonth' ./jobs

generate: ## write store/db from the queries, the life cycles' drawing, the API's description
	cd store && go run $(SQLC) generate
	cd ..
	go generate ./...

lint: ## golangci-lint, pinned; its first build takes minutes
	@go run $(GOLANGCI) run ./...

fuzz: deps vault build ## fuzz targets one after the other, and their executions (FUZZ=pattern, FUZZTIME=30s, FUZZFLAGS='-parallel 1')
	@table=bin/fuzz.txt
	printf '%-32s %-40s %10s %14s\n' room target time executions >"$$table"
	for room in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do
		for target in $$(cat "$$room"/*_test.go | sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' | grep -E '$(FUZZ)' || true); do
			echo "$$room $$target"
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $(FUZZFLAGS) "$$room" | tee bin/fuzz.log
			executions=$$(sed -nE 's/.*execs: ([0-9]+) .*/\1/p' bin/fuzz.log | tail -n 1)
			printf '%-32s %-40s %10s %14s\n' "$${room#./}" "$$target" $(FUZZTIME) "$${executions:-none}" >>"$$table"
		done
	done
	cat "$$table"

clean: ## remove what was built, and the private environment in .sceau
	@[ ! -d .sceau ] || find .sceau -name '*.lock' -type f | while read -r lock; do
		flock -n "$$lock" true || { echo "an environment runs in .sceau: stop it first" >&2; exit 1; }
	done
	[ ! -d .sceau ] || find .sceau -name postgres -type l | while read -r link; do
		target=$$(readlink "$$link")
		case $$target in /var/tmp/sceau-postgres-*) rm -rf "$$target" ;; esac
	done
	rm -rf bin .sceau

.ONESHELL:
