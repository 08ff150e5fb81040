# Everything runs from here; `make help` lists the targets.
# PYTHON  the interpreter that makes .venv (3.11 to 3.13)       make setup PYTHON=python3.12
# JOBS    parallel test processes                               make test JOBS=4
# ARGS    passed on to pytest or to the bench                   make test ARGS="-k store"
# QUICK   1 = a small bench                                     make bench QUICK=1

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test lint types smoke bench intra-cost first eval-mini intra-pool answers learning teacher adapting papers gpu reatt-mini twin completions man transcripts kills crashes flips moves asks figures ocr coverage mutation-score mutate fuzz-stores fuzz-edges fuzz-models fuzz-parsers together published large clean

JOBS ?= 2
COUNT ?= 20000
KILLS ?= 3000
ASKS ?= 10000
FAULTS ?= 100
SEED ?= 0
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := reatt_cli reatt reatt_store bench recipes
INPUTS := pyproject.toml constraints.txt
FIND_PYTHON = for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && { echo $$p; break; }; done; true
# One thread a process: the processes are the parallelism, and small matrices gain nothing from threads.
RUN_TESTS = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -rs

STORE_TESTS = tests/store
CLI_TESTS = tests/cli tests/judging/test_report.py

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

setup: $(VENV)/installed-dev ## make .venv with everything that tests, lint and bench need

# Two stamps, so that the demo of a stranger installs no test tools; the second one implies the first.
$(BIN)/python:
	@python="$(PYTHON)"; python="$${python:-$$($(FIND_PYTHON))}"; \
	[ -n "$$python" ] || { echo "No Python 3.11, 3.12 or 3.13 found; name one: make PYTHON=/path/to/python" >&2; exit 1; }; \
	echo "$$python -m venv $(VENV)"; "$$python" -m venv $(VENV)

$(VENV)/installed: $(INPUTS) | $(BIN)/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[cpu]'
	@touch $@

$(VENV)/installed-dev: $(INPUTS) | $(BIN)/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[cpu,dev]'
	@touch $(VENV)/installed $@

demo: $(VENV)/installed ## read examples/documents, ask three questions
	@rm -rf .work/demo; mkdir -p .work
	$(BIN)/reatt ingest --store .work/demo examples/documents
	@head -n 3 examples/questions.txt | while IFS= read -r question; do \
		printf '\n$$ reatt ask "%s"\n' "$$question"; \
		$(BIN)/reatt ask --store .work/demo "$$question" </dev/null || [ $$? -eq 4 ]; \
	done

test: $(VENV)/installed-dev ## the test suite
	$(RUN_TESTS) --numprocesses $(JOBS) --dist loadfile $(ARGS)

# What docs/reliability.md states, R1 to R10; each has a short form in `make test`.
kills: $(VENV)/installed-dev ## R1: KILLS (3000) kills -9 of ingest, remove, adapt and every transaction, at random moments
	KILLS=$(KILLS) $(RUN_TESTS) -s -m slow tests/store/test_crash.py tests/verbs/test_kills.py tests/cli/test_adapt.py tests/search/test_index_kills.py tests/search/test_candidates.py -k kill $(ARGS)

crashes: $(VENV)/installed-dev ## R2-R4: every change a crash point, power cuts, every change failing
	$(RUN_TESTS) -s -m slow tests/store/test_faults.py $(ARGS)

flips: $(VENV)/installed-dev ## R5: a thousand flipped bits, found and repaired
	$(RUN_TESTS) -s -m slow tests/store/test_repairing.py tests/store/test_crash.py -k flipped $(ARGS)

moves: $(VENV)/installed-dev ## R8: the store moves to another model before every call that reads it
	$(RUN_TESTS) -s -m slow tests/cli/test_moving.py -k before_any_call $(ARGS)

asks: $(VENV)/installed-dev ## R8: ASKS (10000) questions while the store moves to and fro between two models
	ASKS=$(ASKS) $(RUN_TESTS) -s -m slow tests/cli/test_moving.py -k while_the_store_moves $(ARGS)

figures: $(VENV)/installed-dev ## R6, R7, R9, R10: second ingest of 10,000 files, order, two writers, Ctrl-C
	$(RUN_TESTS) -s -m slow tests/test_reliability.py $(ARGS)

coverage: $(VENV)/installed-dev ## lines and branches of store/, all of which its tests must run; 95 % of the lines of reatt_cli/
	$(RUN_TESTS) --cov=reatt_store --cov-branch --cov-report=term-missing --cov-fail-under=100 $(STORE_TESTS) $(ARGS)
	$(RUN_TESTS) --cov=reatt_cli --cov-report=term-missing:skip-covered --cov-fail-under=95 $(CLI_TESTS) $(ARGS)

mutation-score: $(VENV)/installed-dev ## the share of FAULTS (100) small faults in store/ that its tests notice; SEED varies them
	OMP_NUM_THREADS=1 $(BIN)/python tests/mutants.py --count $(FAULTS) --seed $(SEED)

mutate: $(VENV)/installed-dev ## damage COUNT files (20000) in many ways and read them; SEED varies them
	MUTATIONS=$(COUNT) SEED=$(SEED) $(RUN_TESTS) --timeout 0 tests/formats/test_mutations.py $(ARGS)

together: MINUTES ?= 10
together: $(VENV)/installed-dev ## ingest, adapt, remove, serve and ask at once for MINUTES (10)
	MINUTES=$(MINUTES) $(RUN_TESTS) -s -m slow --timeout 0 tests/cli/test_together.py $(ARGS)

fuzz-stores: $(VENV)/installed-dev ## damage COUNT stores (20000) of three kinds, and run eleven commands on each; SEED varies them
	STORES=$(COUNT) SEED=$(SEED) $(RUN_TESTS) --timeout 0 tests/fuzz/test_stores.py $(ARGS)

fuzz-edges: $(VENV)/installed-dev ## hand COUNT (20000) odd settings, questions, judgements and options to commands
	EDGES=$(COUNT) SEED=$(SEED) $(RUN_TESTS) --timeout 0 tests/fuzz/test_edges.py $(ARGS)

fuzz-models: $(VENV)/installed-dev ## damage the folders of COUNT models (20000) in many ways, then ask and add them; SEED varies them
	MODELS=$(COUNT) SEED=$(SEED) $(RUN_TESTS) -s --timeout 0 tests/fuzz/test_models.py $(ARGS)

fuzz-parsers: SECONDS_EACH ?= 600
fuzz-parsers: $(VENV)/installed-dev ## fuzz every parser of ours by coverage for SECONDS_EACH (600); needs the extra fuzz
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[fuzz]'
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz.parsers --seconds $(SECONDS_EACH) $(ARGS)

lint: $(VENV)/installed-dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev ## mypy, strict
	$(BIN)/mypy $(PACKAGES:%=-p %)

smoke: $(VENV)/installed-dev ## the wheel, in an empty environment, from another folder
	PYTHON=$(abspath $(BIN)/python) .ci/smoke

bench: $(VENV)/installed-dev ## speed and memory, into bench/results/
	$(BIN)/python -m bench.run $(if $(filter-out 0,$(QUICK)),--quick) $(ARGS)

intra-cost: $(VENV)/installed-dev ## cost and gain of stored states, INTRA and ReAtt, into intra_cost.md (QUICK=1: smaller)
	$(BIN)/python -m bench.intra_cost $(if $(filter-out 0,$(QUICK)),--quick) $(ARGS)

first: $(VENV)/installed-dev ## how well the bundled model finds and reads, into bench/results/first.md
	$(BIN)/python -m bench.first $(ARGS)

eval-mini: $(VENV)/installed-dev ## reatt-mini beside BM25 and MiniLM, into mini.md; parts can be repeated (ARGS="--parts finding")
	$(RECIPE).fetch --out $(WORK)
	$(BIN)/python -m bench.mini --data $(DATA) --minilm $(WORK) $(ARGS)

intra-pool: MINUTES ?= 60
intra-pool: $(VENV)/installed-dev ## INTRA in one pool of 100,000 chunks, into intra.md; continues where it stopped (DATA, MINUTES)
	$(BIN)/python -m bench.intra --data $(DATA) --minutes $(MINUTES) $(ARGS)

answers: $(VENV)/installed-dev ## what is shown as the answer to 900 questions of all kinds, into answers.md (DATA)
	$(BIN)/python -m bench.answers --data $(DATA) $(ARGS)

ocr: $(VENV)/installed-dev ## how well scanned pages are read, and questions on them answered, into ocr.md (needs the extra ocr)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[ocr]'
	$(BIN)/python -m bench.ocr $(ARGS)

published: $(VENV)/installed-dev ## search beside Stanford's PLAID over the same keys (ARGS="--plaid PYTHON"), into published.md
	$(BIN)/python -m bench.published --data $(DATA) $(ARGS)

large: $(VENV)/installed-dev ## large files: memory, seconds, Ctrl-C and kills, into large.md
	$(BIN)/python -m bench.large $(ARGS)

learning: $(VENV)/installed-dev ## memory and speed of a training step, into learning.md (ARGS=--large: T5-large on a GPU)
	$(BIN)/python -m bench.learning $(ARGS)

teacher: $(VENV)/installed-dev ## which teacher knows the gold chunk, per set and during training (ARGS="--stage NAME=CHECKPOINT"), into teacher.md
	$(BIN)/python -m bench.teacher --data $(DATA) $(ARGS)

adapting: $(VENV)/installed-dev ## whether adapting helps and its gate is honest, into adapting.md (some hours)
	$(BIN)/python -m bench.adapting --data $(DATA) $(ARGS)

papers: MINUTES ?= 60
papers: $(VENV)/installed-dev ## both papers' experiments at our scale, into docs/papers.md; continues (DATA, MINUTES of the processor)
	$(RECIPE).fetch --out $(WORK)
	$(BIN)/python -m bench.papers --data $(DATA) --encoder $(WORK) --minutes $(MINUTES) $(ARGS)

gpu: $(VENV)/installed-dev ## tests and bench on a CUDA device; without one both are skipped
	$(BIN)/python -m pytest -rs -m gpu
	$(BIN)/python -m bench.run --device cuda $(if $(filter-out 0,$(QUICK)),--quick) $(ARGS)
	$(BIN)/python -m bench.learning --device cuda --large

RECIPE = $(BIN)/python -m recipes.reatt_mini
DATA ?= ../shared/data
DEVICE ?= cpu
WORK = .work/reatt-mini
TRAIN = $(RECIPE).train --device $(DEVICE) --minutes $(MINUTES)

reatt-mini twin: MINUTES ?= 480

# Every stage leaves what is done, and training goes on where it stopped: the target can be run again at any time.
reatt-mini: $(VENV)/installed-dev ## train the bundled model, or resume (DATA, DEVICE, MINUTES of the processor)
	$(RECIPE).fetch --out $(WORK)
	$(RECIPE).made --data $(DATA) --out $(WORK)
	$(RECIPE).data --data $(DATA) --out $(WORK)
	$(RECIPE).close --out $(WORK)
	$(TRAIN) --out $(WORK)
	$(RECIPE).export --out $(WORK)
	$(RECIPE).head --out $(WORK)
	$(RECIPE).calibrate --data $(DATA) --out $(WORK)

# From the same start, but retrieval is learnt from the reader's attention alone: what the paper claims.
twin: $(VENV)/installed-dev ## train the bundled model's twin without retrieval labels, into .work/twin
	$(RECIPE).fetch --out $(WORK)
	$(RECIPE).made --data $(DATA) --out $(WORK)
	$(RECIPE).data --data $(DATA) --out $(WORK)
	$(RECIPE).close --out $(WORK)
	mkdir -p .work/twin
	find $(WORK) -maxdepth 1 -type f ! -name 'checkpoint.*' -exec ln -sf -t .work/twin $(CURDIR)/{} +
	$(TRAIN) --twin --out .work/twin
	$(RECIPE).export --out .work/twin --model .work/twin/model

completions: $(VENV)/installed-dev ## generate completions/
	mkdir -p completions
	$(BIN)/reatt completion bash > completions/reatt.bash
	$(BIN)/reatt completion zsh > completions/_reatt
	$(BIN)/reatt completion fish > completions/reatt.fish

man: $(VENV)/installed-dev ## generate man/reatt.1
	mkdir -p man
	$(BIN)/python -m reatt_cli.manual > man/reatt.1

transcripts: $(VENV)/installed-dev ## run the transcripts of the documentation again and record their output
	TRANSCRIPTS=rewrite $(RUN_TESTS) tests/test_transcripts.py -k run_again

clean: ## remove the files that the targets made
	rm -rf $(VENV) .work build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
