# Names for the things that are done often. Meson and ninja do the work.
B ?= build
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 30
CC = gcc

.DEFAULT_GOAL := build
.PHONY: help build install test lint format asan tsan docs fuzz fault compare bench clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

$(B)/build.ninja:
	CC=$(CC) meson setup $(B)

build: $(B)/build.ninja ## build the program, build/telex, and the library beside it
	ninja -C $(B) -j $(JOBS) telex libtelex.so.0.1.0 libtelex.a

install: build ## program, libtelex, its header and man pages; DESTDIR=/somewhere; the prefix is that of the build
	ninja -C $(B) -j $(JOBS) man
	meson install -C $(B) --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

test: $(B)/build.ninja ## unit tests and corpus replay of the plain build (everything: ./test)
	ninja -C $(B) -j $(JOBS)
	meson test -C $(B) --no-rebuild --print-errorlogs --num-processes $(JOBS)

lint: build ## all gates; GATES="tidy format" for some
	tools/lint/run $(GATES)

format: ## lay out all C files
	find src include tests bench -name '*.[ch]' 2>/dev/null | xargs clang-format-14 -i

asan: ## unit tests and corpus replay under the address, leak and undefined-behaviour sanitizers
	tools/sanitized asan

tsan: ## the same under the thread sanitizer
	tools/sanitized tsan

docs: build ## the reference pages, made from the program's own tables
	$(B)/telex docs docs

fuzz: ## every fuzz harness for FUZZ_SECONDS; HARNESS=name for one
	tools/fuzz $(FUZZ_SECONDS) $(HARNESS)

fault: build ## kill, cut and corrupt; SHORT=1 for the form that ./test runs
	tools/deps.sh test
	tests/fault/run $(if $(SHORT),--short)

compare: build ## Telex and Debian's vmalert on one Prometheus for ten minutes, every sample compared; SHORT=1
	tools/deps.sh test
	tests/sidebyside/run $(if $(SHORT),--short)

bench: build ## measure side by side with the peers: rules, then delivery
	bench/run rules
	bench/run delivery

clean: ## remove everything built
	rm -rf build build-* out
