# Every command does its own set-up, and can be run twice. `make help` lists them.
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
PY := .venv/bin/python -X utf8
INSTALL := PYTHON="$(PYTHON)" requirements/install
SIMULATION := PYTHONPATH=.:services $(PY) -m tests.simulation
SERVICES := $(notdir $(wildcard services/*))
# A person's settings of Python, such as PYTHONHOME and PYTHONOPTIMIZE, are not for what runs here.
unexport $(filter PYTHON%,$(.VARIABLES))

BASE := public.ecr.aws/lambda/python:3.13
DEPLOY_OPTIONS = $(if $(ANYWAY),--anyway) $(if $(filter aws,$(TO)),--aws)

.DEFAULT_GOAL := help
.PHONY: help demo test check up ui down setup deploy smoke build contracts flow explore story simulate mutants fuzz reliability evolution explored changes \
	picture measure-ui bench pins pin-base clean

help: ## list what can be made
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

demo: setup ## set up, start, run the three scenarios, stop
	@./saga demo

test: setup ## run all tests that this machine can run
	@$(PY) -m pytest $(PYTEST_ARGS)

check: setup ## lint, format, types, the allowed imports, and the templates of all settings
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@PYTHONPATH=.:services $(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint()' --no-logo
	@$(PY) -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*
	@$(PY) -m check_jsonschema --builtin-schema vendor.compose-spec compose.yaml compose/*.yaml
	@$(PY) -m check_jsonschema --builtin-schema vendor.renovate renovate.json
	@$(INSTALL) lint
	@JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20 PYTHONPATH=.:services $(PY) -m infra.lint

up: setup ## start the local environment and leave it running
	@./saga up --detach

ui: setup ## serve a page that shows the running saga live, and prints its URL
	@./saga ui

down: setup ## stop the local environment
	@./saga down

deploy: setup ## deploy everything (TO=aws: by your credentials; ANYWAY=1)
	@./saga deploy $(DEPLOY_OPTIONS)

deploy-%: setup ## deploy one service: make deploy-charge_payment (TO=aws; ANYWAY=1)
	@./saga deploy $* $(DEPLOY_OPTIONS)

smoke: setup ## try what a deployment promises, and leave nothing (TO=aws: by your credentials)
	@./saga smoke $(if $(filter aws,$(TO)),--aws)

build: setup ## build the images of all services (needs Docker)
	@./saga build

build-%: setup ## build the image of one service: make build-charge_payment
	@./saga build $*

contracts: setup ## write the schemas and the OpenAPI document from the services' structs
	@PYTHONPATH=.:services $(PY) -m contracts

flow: setup ## check the flow of events, and draw it into docs/flow/
	@./saga flow

explore: setup ## run the handlers through every crash, duplicate and reorder: make explore [SCENARIO="one order"]
	@./saga explore $(if $(SCENARIO),"$(SCENARIO)")

story: setup ## tell one schedule of an exploration again: SCENARIO=… SCHEDULE=…
	@./saga story "$(SCENARIO)" "$(SCHEDULE)"

simulate: setup ## simulate random days: make simulate [SEED=1] [MINUTES=5]
	@$(SIMULATION) simulate $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

mutants: setup ## change the code in every small way: make mutants [FROM=main] [FILE=…]
	@$(SIMULATION) mutants $(if $(FROM),--from $(FROM)) $(if $(FILE),--file $(FILE))

fuzz: setup ## throw at every reader of outside bytes what nobody sends by mistake: make fuzz [MINUTES=5]
	@end=$$(( $$(date +%s) + 60 * $(or $(MINUTES),1) )); while \
		SAGA_FUZZ=1 $(PY) -m pytest tests/fuzz -q --hypothesis-seed=$$(date +%N | sed 's/^0*//') || exit 1; \
		[ "$$(date +%s)" -lt $$end ]; do :; done

reliability: setup ## explore all, also without each guard, and write docs/reliability*.md
	@$(SIMULATION) reliability

evolution: setup ## explore every example of a change, and write the table of docs/evolution.md
	@$(SIMULATION) evolution

explored: setup ## explore the peers of bench/ as they are, and write docs/explored.md
	@PYTHONPATH=.:services $(PY) -m bench.explored

changes: setup ## deploy every safe change in the middle of 200 orders (with Docker also as containers)
	@SAGA_CHANGES=all $(PY) -m pytest tests/e2e/test_changes.py

picture: setup ## record the animated picture of the README
	@PYTHONPATH=.:services $(PY) -m docs.declined

measure-ui: setup ## measure the page: latency, weight, memory (needs Chromium)
	@PYTHONPATH=.:services $(PY) -m tests.ui.measure

bench: setup ## measure all beside the peers, write docs/performance.md (QUICK=1: only try it)
	@$(INSTALL) bench
	@PYTHONPATH=.:services $(PY) -m bench $(if $(QUICK),--quick)

setup: ## install what is needed into .venv and .venv-emulator
	@$(INSTALL) dev emulator

pins: ## renew the pinned requirements (needs uv)
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --upgrade \
		--python-version 3.11 requirements/dev.in -o requirements/dev.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --upgrade \
		--python-version 3.11 requirements/emulator.in -o requirements/emulator.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --upgrade \
		--python-version 3.11 requirements/bench.in -o requirements/bench.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --upgrade \
		--python-version 3.11 requirements/lint.in -o requirements/lint.txt
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

pin-base: ## renew the digest of the functions' base image (needs Docker and its registry)
	@digest=$$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' $(BASE)) && \
		sed -i "s|$(BASE)@sha256:[0-9a-f]*|$(BASE)@$$digest|" services/*/Dockerfile compose.yaml

clean: down ## remove everything that was made here
	rm -rf .venv .venv-emulator .venv-lint .venv-bench .venvs .saga cdk.out tests/*/*/node_modules
