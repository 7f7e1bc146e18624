# Everything a newcomer needs is `make demo` and `make test`. They need Python 3.11 or newer, make and pip, and install the rest into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The installer comes by pip into a folder of its own: no python3-venv is needed, and nothing of the system is touched.
UV := .uv/bin/uv
export UV_PYTHON_DOWNLOADS := never
# Who is asked about known vulnerabilities: pypi (the package index) or osv.
AUDIT_SERVICE ?= pypi
# Processes that share the tests, a file at a time. A stack is eight processes: more of them than cores only wait for one another.
WORKERS ?= 2
# Simulated days: how many, and the first one's seed.
SEEDS ?= 200
FIRST ?= 1
# How often `make power` and `make corruption` break something.
CUTS ?= 20
TIMES ?= 20
# A virtual environment that happens to be active is not ours.
unexport VIRTUAL_ENV

.DEFAULT_GOAL := setup
.PHONY: help setup demo test check audit bench bench-quick bench-journal bench-tools bench-slow bench-schemes fuzz leaks traces chaos up down lock smoke permissions sim power corruption rolling overload soak lines sim-bugs sim-page model

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## install everything, locked by hash, into .venv

$(STAMP): pyproject.toml uv.lock deploy/uv.txt $(wildcard libs/*/pyproject.toml services/*/pyproject.toml simulators/*/pyproject.toml) cli/pyproject.toml
	@echo "Installing into $(VENV), locked by hash …"
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --upgrade --target .uv -r deploy/uv.txt
	$(UV) sync --quiet --all-packages --frozen --python $(PYTHON)
	touch $@
	@echo "Installed. Next: make demo · make test · $(BIN)/lianji --help"

demo: setup ## a shop's day, live, with one of each kind of transaction, on a stack of its own
	$(BIN)/lianji demo

test: setup ## the whole suite: unit, property, golden, integration, end to end, architecture; WORKERS=1: one test at a time
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

check: setup ## formatting, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: setup ## hashes of the lock, known vulnerabilities of what it names, and build/sbom.cdx.json
	$(UV) sync --quiet --all-packages --frozen --group audit --python $(PYTHON)
	$(BIN)/python -m audit --service $(AUDIT_SERVICE)

bench: bench-tools ## the path beside a bare chain and a FastStream port; remakes docs/performance.md and its chart
	$(BIN)/python -m bench --page

bench-quick: bench-tools ## one short round of it; writes build/bench.json only
	$(BIN)/python -m bench --rounds 1 --duration 1.5

bench-journal: bench-tools ## the path with 0, 100,000 and a million transactions journalled; remakes its table
	$(BIN)/python -m bench.journal --page

bench-tools: setup ## what the bench needs beside the rest: FastStream, matplotlib, an OTLP encoder
	$(UV) sync --quiet --all-packages --frozen --group bench --python $(PYTHON)

bench-slow: setup ## honest terminals beside 1,000 slow sockets; writes build/bench-slow.json
	$(BIN)/python -m bench.slow_sockets

bench-schemes: setup ## a sale by the terminal's key scheme; writes build/bench-schemes.json
	$(BIN)/python -m bench.schemes

fuzz: setup ## a million damaged messages for the parser and the gateway; finds go to tests/corpus
	$(UV) sync --quiet --all-packages --frozen --group fuzz --python $(PYTHON)
	$(BIN)/python -m fuzz --inputs 1000000

leaks: setup ## 10,000 transactions with errors provoked in every service, then the search for card data; writes build/leaks.json
	$(BIN)/python -m leaks

traces: setup ## 10,000 swipes under load, every trace counted; the same through a kill -9 of each service; writes build/traces.json
	$(BIN)/python -m traces

# How long, with which order of faults (any when empty), which rows of the table.
chaos: MINUTES ?= 3
chaos: SEED ?=
chaos: ONLY ?= *
chaos: setup ## MINUTES=3 of faults under load, each healed and timed, the books judged; remakes its section of docs/reliability.md
	$(BIN)/python -m reliability.chaos --minutes $(MINUTES) --only '$(ONLY)' $(if $(SEED),--seed $(SEED)) --page

sim: setup ## SEEDS=200 simulated days, on all cores; FIRST=1: the first seed; writes build/sim.json
	$(BIN)/python -m simulation run --seeds $(SEEDS) --first $(FIRST)

model: EXAMPLES ?= 200
model: setup ## EXAMPLES=200 days of everything that terminals may do, each step held against a small model; other days each time
	LIANJI_MODEL_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/property/test_model.py

power: setup ## CUTS=20 power cuts of broker and databases under load (needs root and a loop device); remakes its section of docs/reliability.md
	$(BIN)/python -m reliability.power --cuts $(CUTS) --page

corruption: setup ## TIMES=20 damages to what a stopped stack keeps, each noticed or not; remakes its section of docs/reliability.md
	$(BIN)/python -m reliability.corruption --times $(TIMES) --page

rolling: setup ## every process of a stack replaced while terminals sell; remakes its table in docs/reliability.md
	$(BIN)/python -m reliability.rolling --page

overload: setup ## half, all and twice of what a stack can hold; remakes its table
	$(BIN)/python -m reliability.overload --page

soak: MINUTES ?= 30
soak: setup ## half of the capacity for MINUTES (30): who gets slow, who grows; remakes its table
	$(BIN)/python -m reliability.soak --minutes $(MINUTES) --page

lines: SWIPES ?= 1000
lines: LOSS ?= 5
lines: setup ## SWIPES=1000 sales each over GPRS and dial lines with LOSS=5 per cent more lost, in real time; remakes its table
	$(BIN)/python -m reliability.lines --swipes $(SWIPES) --loss $(LOSS) --page

sim-page: setup ## what `make sim` and `make sim-bugs` measured, into docs/reliability.md
	$(BIN)/python -m reliability.simulation --page

sim-bugs: setup ## seeded bugs, each until simulated days catch it; BUGS=name: only these; writes build/sim-bugs.json
	$(BIN)/python -m simulation bugs $(BUGS)

up: setup ## the stack in the foreground on .lianji; Ctrl-C stops it
	$(BIN)/lianji up

down: setup ## stop the stack that runs on .lianji
	$(BIN)/lianji down

smoke: setup ## the Compose stack, brought up, swiped at and taken down (needs Docker)
	deploy/smoke.sh

permissions: setup ## write the broker's users anew, from the declaration of who may say what
	mkdir -p build
	$(BIN)/lianji permissions > build/nats-users.conf
	mv build/nats-users.conf deploy/nats-users.conf

lock: setup ## resolve the dependencies again
	$(UV) lock
	$(UV) export --quiet --frozen --only-group bootstrap --no-header -o deploy/uv.txt
