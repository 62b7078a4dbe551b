# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
RUN := $(VENV)/bin/python tests/run.py
PIP := $(VENV)/bin/pip -qq --disable-pip-version-check install --constraint requirements/constraints.txt

# A virtual environment cannot be moved: one that another folder's make left behind is made anew.
ifneq ($(shell cat $(VENV)/.made 2>/dev/null),$(CURDIR))
$(shell rm -rf $(VENV))
endif

.PHONY: help demo demo-down bench test test-unit test-sanity test-lint test-lab test-integration test-molecule \
	docs faults fuzz soak lint format venv clean bootstrap bootstrap-bench bootstrap-lint bootstrap-venv

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make test-integration TARGET='one two' KEEP=1    only these targets; keep the hosts of what failed"
	@echo "  make bench BENCH='disk --scale 0.1'              only these benchmarks, smaller; --help lists them"
	@echo "  python3 tests/run.py --help                      the stages of make test"

demo: bootstrap $(VENV)/.demo ## boot hosts on this machine and run containers on them (Debian 12, root)
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" tests/demo/demo up

demo-down: ## take the demo's hosts down
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" tests/demo/demo down

test: bootstrap $(VENV)/.test ## everything (Debian 12, root)
	@$(RUN)

test-unit: bootstrap-venv $(VENV)/.unit ## tests without hosts; no root needed
	@$(RUN) unit

test-sanity: bootstrap-lint $(VENV)/.test ## ansible-test sanity
	@$(RUN) sanity

test-lint: bootstrap-lint $(VENV)/.test ## all linters, the build of the archive, Galaxy's importer
	@$(RUN) lint

test-lab: bootstrap $(VENV)/.test ## tests of the lab (root)
	@$(RUN) lab

test-integration: bootstrap $(VENV)/.test ## the modules on real hosts (root)
	@$(RUN) integration

test-molecule: bootstrap $(VENV)/.test ## Molecule's scenarios (root)
	@$(RUN) molecule

faults: bootstrap $(VENV)/.test ## kill the modules at every place where they change a file (root, hours)
	@FAULTS=all $(RUN) faults

fuzz: bootstrap $(VENV)/.unit ## look for what breaks the parsers and the tar filter, for MINUTES=10 (root)
	@$(VENV)/bin/python tests/fuzz $(or $(MINUTES),10)

soak: bootstrap $(VENV)/.test ## a random walk over a host, with killed tasks and reboots, for MINUTES=10 (root)
	@$(VENV)/bin/python tests/soak $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

bench: bootstrap bootstrap-bench $(VENV)/.bench ## how fast it is, beside podman; writes docs/benchmarks.md (a quiet Debian 12, root)
	@$(VENV)/bin/python tests/benchmarks $(if $(BENCH),$(BENCH),--write)

lint: bootstrap-lint $(VENV)/.test ## the quick linters
	@$(RUN) ruff mypy shellcheck ansible-lint

docs: bootstrap-lint $(VENV)/.test ## build the HTML pages of docs and plugins
	@$(RUN) site

format: $(VENV)/.test ## format the Python files
	@$(VENV)/bin/ruff check --quiet --fix-only .
	@$(VENV)/bin/ruff format .

venv: bootstrap-venv $(VENV)/.test ## make .venv with all tools at their pinned versions

clean: ## remove what the tools made here (take hosts down first)
	rm -rf $(VENV) .ansible .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache tests/output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

bootstrap:
	@tests/tools/bootstrap lab

bootstrap-bench:
	@tests/tools/bootstrap bench

bootstrap-lint:
	@tests/tools/bootstrap lint

bootstrap-venv:
	@tests/tools/bootstrap venv

# Each stamp stands for one file of requirements, installed into the one .venv.

$(VENV)/.made:
	@echo "venv: making $(VENV)"
	@rm -rf $(VENV)
	@python=$$(tests/tools/find-python) && "$$python" -m venv $(VENV)
	@echo "$(CURDIR)" >$@

$(VENV)/.demo: requirements/demo.txt requirements/constraints.txt | $(VENV)/.made
	@echo "venv: installing $<"
	@$(PIP) --requirement $<
	@touch $@

# Only for its collection containers.podman: as Ansible's own package it would be in the way of ansible-core.
$(VENV)/.bench: requirements/bench.txt $(VENV)/.demo | $(VENV)/.made
	@echo "venv: installing $<"
	@rm -rf $(VENV)/share/bench-collections
	@$(PIP) --no-deps --target $(VENV)/share/bench-collections --requirement $<
	@touch $@

$(VENV)/.unit: requirements/unit.txt requirements/demo.txt requirements/constraints.txt | $(VENV)/.made
	@echo "venv: installing $<"
	@$(PIP) --requirement $<
	@touch $@ $(VENV)/.demo

$(VENV)/.test: requirements/test.txt requirements/unit.txt requirements/demo.txt requirements/constraints.txt \
		| $(VENV)/.made
	@echo "venv: installing $<"
	@$(PIP) --requirement $<
	@touch $@ $(VENV)/.unit $(VENV)/.demo
