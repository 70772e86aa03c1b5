# Every command does its own set-up, and can be run twice. `make help` lists them.
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
PY := .venv/bin/python
SIMULATION := PYTHONPATH=.:services $(PY) -m tests.simulation
SERVICES := $(notdir $(wildcard services/*))
export SAGA_PREFIX ?= order-saga

# The 3.x line of this package is older, and refuses what today's library synthesizes.
CDK := npx --yes aws-cdk@2.1148.1

.DEFAULT_GOAL := help
.PHONY: help demo test check up ui down setup build contracts flow explore story simulate reliability evolution changes \
	picture measure-ui bench pins clean

help: ## list what can be made
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

demo: setup ## set up, start, run the three scenarios, stop
	@./saga demo

test: setup ## run all tests that this machine can run
	@$(PY) -m pytest $(PYTEST_ARGS)

check: setup ## lint, format, types, and the allowed imports
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@PYTHONPATH=.:services .venv/bin/lint-imports --no-logo
	@.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*
	@.venv/bin/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml compose/*.yaml

up: setup ## start the local environment and leave it running
	@./saga up --detach

ui: setup ## serve a page that shows the running saga live, and prints its URL
	@./saga ui

down: setup ## stop the local environment
	@./saga down

deploy-%: setup ## deploy one service: make deploy-charge_payment (TO=aws: by your credentials; ANYWAY=1)
	@./saga deploy $* $(if $(ANYWAY),--anyway) $(if $(filter aws,$(TO)),--check)
	@$(if $(filter aws,$(TO)),$(CDK) deploy --exclusively -c prefix=$(SAGA_PREFIX) $(SAGA_PREFIX)-$(subst _,-,$*))

build: setup ## build the images of all services (needs Docker)
	@./saga build

build-%: setup ## build the image of one service: make build-charge_payment
	@./saga build $*

contracts: setup ## write the schemas and the OpenAPI document from the services' structs
	@PYTHONPATH=.:services $(PY) -m contracts

flow: setup ## check the flow of events, and draw it into docs/flow/
	@./saga flow

explore: setup ## run the handlers through every crash, duplicate and reorder: make explore [SCENARIO=happy]
	@$(SIMULATION) explore $(if $(SCENARIO),"$(SCENARIO)")

story: setup ## replay one schedule of an exploration: SCENARIO=… SCHEDULE=… [WITHOUT=…]
	@$(SIMULATION) story "$(SCENARIO)" "$(SCHEDULE)" --without "$(WITHOUT)"

simulate: setup ## simulate random days: make simulate [SEED=1] [MINUTES=5]
	@$(SIMULATION) simulate $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

reliability: setup ## explore all, also without each guard, and write docs/reliability*.md
	@$(SIMULATION) reliability

evolution: setup ## explore every example of a change, and write the table of docs/evolution.md
	@$(SIMULATION) evolution

changes: setup ## deploy every safe change in the middle of 200 orders (with Docker also as containers)
	@SAGA_CHANGES=all $(PY) -m pytest tests/e2e/test_changes.py

picture: setup ## record the animated picture of the README
	@PYTHONPATH=.:services $(PY) -m docs.declined

measure-ui: setup ## measure the page: latency, weight, memory (needs Chromium)
	@PYTHONPATH=.:services $(PY) -m tests.ui.measure

bench: setup .venv-bench/ready ## measure all beside the peers, write docs/performance.md (QUICK=1: only try it)
	@PYTHONPATH=.:services $(PY) -m bench $(if $(QUICK),--quick)

setup: .venv/ready .venv-emulator/ready ## install what is needed into .venv and .venv-emulator

.venv/ready: requirements/dev.txt
	@$(call install,.venv,requirements/dev.txt,the saga and its tools)

.venv-emulator/ready: requirements/emulator.txt
	@$(call install,.venv-emulator,requirements/emulator.txt,the emulator)

.venv-bench/ready: requirements/bench.txt
	@$(call install,.venv-bench,requirements/bench.txt,what draws the plots)

# An environment of exactly the pinned packages; made again when the pins change.
define install
command -v $(PYTHON) >/dev/null || { echo "Python is missing: install python3, 3.11 or newer."; exit 1; }
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed: name one, such as PYTHON=python3.12."; exit 1; }
echo "Installing $(3) into $(1) ..."
$(PYTHON) -m venv --clear $(1) || \
	{ echo "No virtual environment could be made: install your system's python3-venv."; exit 1; }
$(1)/bin/pip install --quiet --disable-pip-version-check --no-compile \
	--require-hashes --requirement $(2) || \
	{ echo "Packages could not be installed: see pip's message above, then run this again."; exit 1; }
touch $(1)/ready
endef

pins: ## renew the pinned requirements (needs uv)
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --upgrade \
		--python-version 3.11 requirements/dev.in -o requirements/dev.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --upgrade \
		--python-version 3.11 requirements/emulator.in -o requirements/emulator.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --upgrade \
		--python-version 3.11 requirements/bench.in -o requirements/bench.txt
	for peer in plain powertools; do \
		uv pip compile -q --universal --generate-hashes --no-header --no-annotate --upgrade \
			--python-version 3.11 bench/peers/$$peer/requirements.in \
			-o bench/peers/$$peer/requirements.txt; \
	done
	for service in $(SERVICES); do \
		uv pip compile -q --generate-hashes --no-header --no-annotate --upgrade \
			--python-version 3.13 --python-platform linux \
			services/$$service/requirements.in -o services/$$service/requirements.txt; \
	done

clean: down ## remove everything that was made here
	rm -rf .venv .venv-emulator .venv-bench .saga cdk.out tests/*/*/node_modules
