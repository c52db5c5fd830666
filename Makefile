# One command per job. A fresh machine needs Python 3.11 or newer and make; everything else is installed into .venv.
VENV     := .venv
BIN      := $(VENV)/bin
PYTHON   ?=
ARGS     ?=
# aws-sam-cli pins versions that the project does not, so it gets an environment of its own; inside .venv, which every
# tool skips.
SAM_VENV := $(VENV)/sam
SAM      := aws-sam-cli>=1.140,<2

# The interpreter of the functions in template.yaml; only compiling asks for it.
LAMBDA_PYTHON ?= python3.13

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve test check bench bench-large bench-fleet package clean reference lint types layers schema template \
        build-ApiFunction build-MaintenanceFunction

# A system Python that was upgraded away leaves an environment that cannot start: make it again.
ifneq ($(shell test -e $(VENV)/.made && ! $(BIN)/python -c '' 2>/dev/null && echo broken),)
$(shell rm -f $(VENV)/.made $(VENV)/.serve $(VENV)/.dev $(VENV)/.bench)
endif

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(VENV)/.serve ## run Vaultry here, on 127.0.0.1:8000 (more: make serve ARGS=--help)
	$(BIN)/vaultry serve $(ARGS)

test: $(VENV)/.dev ## run every test (one file: make test ARGS=tests/handlers/test_mail.py)
	$(BIN)/python -m pytest -n auto $(ARGS)

check: lint types layers schema template ## style, types, import direction, schema.sql, template.yaml

bench: $(VENV)/.bench ## measure, as ratios against references in the same run
	$(BIN)/python -m benchmarks $(ARGS)

bench-fleet: $(VENV)/.dev ## measure a fleet of 10,000 vaults: provision, write, migrate, drill (15 minutes, 2 GB)
	$(BIN)/python -m benchmarks.fleet $(ARGS)

bench-large: $(VENV)/.dev ## a vault of 1 GB: time and memory of every step (VAULTRY_BENCH_MB=64 for less)
	$(BIN)/python -m benchmarks.large_vault

package: $(VENV)/.made ## build the Lambda functions into dist/, with a table of sizes
	$(BIN)/python deploy/package.py --interpreter "$(LAMBDA_PYTHON)"

clean: ## remove what these commands made; ./data stays
	rm -rf $(VENV) .aws-sam build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The parts of `check`; each runs alone as well.

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

layers: $(VENV)/.dev
	$(BIN)/python -m pytest tests/test_layers.py

schema: $(VENV)/.dev
	$(BIN)/vaultry schema --check

# Neither of the two asks for an account; the region only chooses the rules.
template: $(VENV)/.dev $(SAM_VENV)/.made
	$(BIN)/cfn-lint template.yaml
	SAM_CLI_TELEMETRY=0 $(SAM_VENV)/bin/sam validate --lint --region eu-central-1 --template template.yaml

reference: $(VENV)/.dev
	$(BIN)/python -m handlers.settings_page > docs/reference/settings.md
	$(BIN)/vaultry docs-cli > docs/reference/cli.md

# Installing. The stamps depend on pyproject.toml, so a changed dependency is installed by the next command.

$(VENV)/.serve: pyproject.toml | $(VENV)/.made
	@echo "Installing Vaultry into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[aws,serve]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.made
	@echo "Installing Vaultry and its test tools into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[aws,serve,dev]'
	@touch $(VENV)/.serve $@

$(VENV)/.bench: pyproject.toml $(VENV)/.dev
	@echo "Installing what the benchmarks compare with ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[aws,serve,dev,bench]'
	@touch $@

$(SAM_VENV)/.made: | $(VENV)/.made
	@echo "Installing the SAM command into $(SAM_VENV) ..."
	@$(BIN)/python -m venv --clear $(SAM_VENV)
	@$(SAM_VENV)/bin/python -m pip install -q --disable-pip-version-check '$(SAM)'
	@touch $@

# The first interpreter that is new enough makes the environment; PYTHON=/path/to/python chooses another.
$(VENV)/.made:
	@found=; \
	for name in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python); do \
	  path=$$(command -v $$name 2>/dev/null) || continue; \
	  if $$path -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$path; break; fi; \
	  old="$$old $$path ($$($$path -V 2>&1))"; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Vaultry needs Python 3.11 or newer. Found:$${old:- no Python at all}." >&2; \
	  echo "Install one (python.org/downloads, or your system's packages), or name it: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; \
	fi; \
	for module in sqlite3 ssl venv ensurepip; do \
	  $$found -c "import $$module" 2>/dev/null && continue; \
	  echo "$$found lacks its own module $$module." >&2; \
	  case $$module in \
	    venv|ensurepip) echo "On Debian and Ubuntu it comes with: apt install python3-venv" >&2;; \
	    *) echo "That Python was built without it; install another, or name one: make PYTHON=/path/to/python3.11" >&2;; \
	  esac; \
	  exit 1; \
	done; \
	echo "Making $(VENV) with $$found ($$($$found -V))"; \
	$$found -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }
	@touch $@

# Called by `sam build`, once for each function, with ARTIFACTS_DIR; for those who prefer it to `make package`.
build-ApiFunction build-MaintenanceFunction:
	@command -v $(LAMBDA_PYTHON) >/dev/null || { \
	  echo "$(LAMBDA_PYTHON) is not here; install it or run: sam build --use-container" >&2; exit 1; }
	$(LAMBDA_PYTHON) deploy/package.py --folder "$(ARTIFACTS_DIR)" --interpreter $(LAMBDA_PYTHON) \
	  --function $(if $(filter build-ApiFunction,$@),api,maintenance)
