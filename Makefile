# Everything a fresh machine needs is made by these targets: a virtual environment, a Docker Engine where none
# runs, base images where no registry answers.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := images

VERSION ?= v1.0.0
PYTHON ?= $(firstword $(shell command -v python3.11 python3) python3.11)
BIN := .venv/bin
# Made last, so that a set-up which was interrupted is taken up again.
READY := .venv/.ready
# Behind a proxy that inspects TLS the authority is in the system's bundle, which pip and uv don't ask by themselves.
BUNDLE := $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt))
ifneq ($(BUNDLE),)
export PIP_CERT ?= $(BUNDLE)
export SSL_CERT_FILE ?= $(BUNDLE)
endif
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# A tool without bytecode takes twice as long to start.
unexport PYTHONDONTWRITEBYTECODE
ENGINE = eval "$$(scripts/engine env)"

.PHONY: images dev test lint bench bench-pushes bench-services screenshots lock services-lock schema render clean engine \
  infrastructure

images: $(READY) engine
	@$(ENGINE); $(BIN)/streamflow-build images $(VERSION)

dev: $(READY)
	@$(BIN)/python -m streamflow

test: $(READY) infrastructure
	@scripts/browser > /dev/null
	@scripts/registry > /dev/null
	@$(ENGINE); $(BIN)/pytest

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	MYPYPATH=scripts $(BIN)/mypy scripts/*.py scripts/machine
	$(BIN)/lint-imports
	$(BIN)/shellcheck scripts/engine scripts/bases scripts/browser scripts/registry scripts/machine/entrypoints/*.sh .ci/run
	$(BIN)/hadolint docker/*/Dockerfile tests/golden/render/*/docker/*/Dockerfile
	$(BIN)/check-jsonschema --schemafile streamflow.schema.json streamflow.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/streamflow-build render --check

bench: $(READY) engine
	@$(ENGINE); $(BIN)/python bench/run.py

bench-pushes: $(READY) engine
	@scripts/registry > /dev/null
	@$(ENGINE); $(BIN)/python bench/pushes.py

bench-services: $(READY) infrastructure
	@$(ENGINE); $(BIN)/python bench/services/run.py

screenshots: $(READY)
	$(BIN)/python scripts/screenshots.py

engine: $(READY)
	@scripts/engine start
	@$(ENGINE); scripts/bases

infrastructure: engine
	@$(ENGINE); scripts/bases --infrastructure

$(READY): requirements.lock pyproject.toml services/pyproject.toml
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) is not on the PATH; name a Python 3.11 or newer with: make PYTHON=…" >&2; exit 2; }
	@echo "setting up .venv" >&2
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e . -e services
	@touch $(READY)

lock:
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv; }
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --constraint services/requirements/constraints.txt --group dev pyproject.toml -o requirements.lock

services-lock: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" services/requirements/lock

schema: $(READY)
	$(BIN)/streamflow-build schema > streamflow.schema.json

render: $(READY)
	$(BIN)/streamflow-build render

clean:
	@scripts/engine stop
	rm -rf .venv .engine .streamflow dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
