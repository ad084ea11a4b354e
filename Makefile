# Names for the things that are done often. Meson does the work.
B ?= build
JOBS ?= $(shell nproc)
CC ?= gcc

.DEFAULT_GOAL := build
.PHONY: build test lint format fuzz fault bench docs clean

$(B)/build.ninja:
	meson setup $(B)

build: $(B)/build.ninja ## build the program ($(B)/telex) and the library beside it
	ninja -C $(B) -j $(JOBS)

test: build ## run the unit tests and the corpus replay of the plain build
	meson test -C $(B) --no-rebuild --print-errorlogs --num-processes $(JOBS)

clean: ## remove everything built
	rm -rf build build-* out
