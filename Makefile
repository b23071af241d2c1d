# Everything a fresh machine needs is made by these targets: a virtual environment, a Docker Engine where none
# runs, base images where no registry answers.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := images

VERSION ?= v1.0.0
PYTHON ?= python3.11
BIN := .venv/bin
# Behind a proxy that inspects TLS the authority is in the system's bundle, which pip and uv don't ask by themselves.
BUNDLE := $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt))
ifneq ($(BUNDLE),)
export PIP_CERT ?= $(BUNDLE)
export SSL_CERT_FILE ?= $(BUNDLE)
endif
export PIP_DISABLE_PIP_VERSION_CHECK = 1
ENGINE = eval "$$(scripts/engine env)"

.PHONY: images test lint bench lock services-lock schema render clean engine

images: .venv engine
	@$(ENGINE); $(BIN)/streamflow-build images $(VERSION)

test: .venv engine
	@$(ENGINE); $(BIN)/pytest

lint: .venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	MYPYPATH=scripts $(BIN)/mypy scripts/*.py scripts/machine
	$(BIN)/lint-imports
	$(BIN)/shellcheck scripts/engine scripts/bases .ci/run
	$(BIN)/hadolint docker/*/Dockerfile tests/golden/render/*/docker/*/Dockerfile
	$(BIN)/check-jsonschema --schemafile streamflow.schema.json streamflow.yaml
	$(BIN)/streamflow-build render --check

bench: .venv engine
	@$(ENGINE); $(BIN)/python bench/run.py

engine: .venv
	@scripts/engine start
	@$(ENGINE); scripts/bases

.venv: requirements.lock pyproject.toml services/pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e . -e services
	@touch .venv

lock:
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv; }
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --constraint services/requirements/constraints.txt --group dev pyproject.toml -o requirements.lock

services-lock: .venv
	PATH="$(CURDIR)/$(BIN):$$PATH" services/requirements/lock

schema: .venv
	$(BIN)/streamflow-build schema > streamflow.schema.json

render: .venv
	$(BIN)/streamflow-build render

clean:
	@scripts/engine stop
	rm -rf .venv .engine .streamflow dist
