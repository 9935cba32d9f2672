# Everything needs Go, make and git, and sets up the rest itself.
.DEFAULT_GOAL := help
.PHONY: help demo test fips interop examples lint bench build fmt clean

# The binaries and the tests need no C compiler.
export CGO_ENABLED := 0

PKG   ?= ./...
BENCH ?= .

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build setup ## Refresh a staging database with masked data and call a sidecar (KEEP=1 leaves both running).
	@go run ./examples/demo -privet bin/privet

test: setup ## Run all tests, against a PostgreSQL that they start themselves.
	go test $(PKG)

fips: setup ## Run the tests of crypto with FIPS 140 enforced.
	GODEBUG=fips140=only go test ./crypto/...

interop: ## Exchange ciphertexts with the former path of Tink, in a module of its own.
	cd examples/interop && go vet ./... && go test -count=1 ./...

examples: setup ## Check and test the programs on pgx, sqlc, GORM and ent, each a module of its own.
	@set -e; for m in pgx sqlc gorm ent; do (cd examples/$$m && go vet ./... && go test -count=1 ./...); done

lint: ## gofmt, go vet, staticcheck, the floors and the documentation of exported names.
	@unformatted=$$(gofmt -l .) && { [ -z "$$unformatted" ] || { echo "gofmt -w is needed:"; echo "$$unformatted"; exit 1; }; }
	go vet ./...
	go tool -modfile=tools/go.mod staticcheck ./...
	go test -count=1 -run '^(TestExportedNamesAreDocumented|TestImportsRunDownTheFloors|TestCryptoLinksNoDriver)$$' .

bench: setup ## Run the benchmarks (PKG=./mask/... BENCH=Refresh narrows them).
	go test -run '^$$' -bench '$(BENCH)' -benchmem $(PKG)

build: ## Build the commands into bin/.
	go build -trimpath -o bin/ ./cmd/...

fmt: ## Format the code.
	gofmt -w .

clean: ## Remove what the other targets have built.
	rm -rf bin

.PHONY: setup
setup:
	@scripts/setup-postgres.sh
