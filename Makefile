# `make demo` and `make test` set everything up by themselves; `make help` lists the rest.

VENV ?= .venv
JOBS ?= 2
PYTHON ?= $(shell .ci/find_python)

BIN := $(VENV)/bin
STAMP := $(VENV)/.umlauf-is-set-up
SUMO_RL := sumo-rl==1.4.5
BENCHES := bench_solve bench_speed startup overhead many estimation ladder memory wire lateness fault_campaign soak

SOAK_DAYS ?= 30
SOAK_FOLDER ?= runs/soak

.PHONY: help venv demo soak test bench lint mutation ci clean deb deb-test lock sbom rl rl-test
.DELETE_ON_ERROR:

help:
	@echo "make venv      set up $(VENV) with all that demo and tests need"
	@echo "make demo      adaptive, cycle, actuated and fixed control on Cologne's first junction, with a report"
	@echo "make test      the tests"
	@echo "make bench     speed, memory, estimation errors and the oracle ladder, and the tests that take minutes (on an idle machine)"
	@echo "make soak      SOAK_DAYS=30 days of the virtual junction under random faults; goes on where it was broken off"
	@echo "make lint      ruff, mypy and the import contracts"
	@echo "make mutation  mutation testing of the interlock"
	@echo "make ci        all that CI runs (.ci/run)"
	@echo "make deb       a Debian package in dist/; make deb-test tries it out in a Debian of its own (root, debootstrap; some 5 minutes)"
	@echo "make lock      write the hashes of the package's libraries anew; make sbom lists them in dist/ as CycloneDX"
	@echo "make rl        train a learned peer (RL_ARGS='--kind ppo --scenario resco/cologne1'); make rl-test proves that it can be done"
	@echo "make clean     remove what these made, except runs/"

venv: $(STAMP)
	@.ci/sumo_libraries $(VENV)

# sumo-rl brings the RESCO scenarios; its own dependencies are not needed, for it is never imported.
$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || exit 1
	@echo "setting up $(VENV) with $(PYTHON) (once; some minutes, about 1.5 GB on disk)"
	@"$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,test,interop,lint]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(SUMO_RL)
	@touch $@

demo: venv
	$(BIN)/umlauf simulate resco/cologne1 --control adaptive,cycle,actuated,fixed --seed 1

test: venv
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow"

# Every part runs; the target fails at its end where a limit was missed. An idle machine is assumed: some 75 minutes.
# The learned peers need an environment of their own: `make rl-test`.
bench: venv
	@failed=; \
	for name in $(BENCHES); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name || failed="$$failed $$name"; done; \
	echo "== tests that take minutes"; $(BIN)/python -m pytest -m slow --ignore tests/sim/test_learned.py || failed="$$failed tests"; \
	if [ -n "$$failed" ]; then echo "a limit was missed, or it failed:$$failed" >&2; exit 1; fi

soak: venv
	$(BIN)/python -m scenarios.cabinet_soak --days $(SOAK_DAYS) --slice-h 2 --folder $(SOAK_FOLDER)

lint: venv
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

mutation: venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[mutation]'
	$(BIN)/python tests/support_mutants.py

deb:
	@deploy/build_deb dist

deb-test: deb
	.ci/deb_test $$(ls -t dist/umlauf_*.deb | head -n 1)

# Learned peers: torch and Stable-Baselines3 in an environment of their own (2 GB; the extra index of torch's makers has smaller, CPU-only wheels).
RL := $(VENV)-rl
RL_STAMP := $(RL)/.umlauf-is-set-up
RL_ARGS ?= --kind dqn --scenario resco/cologne1

$(RL_STAMP): pyproject.toml
	@test -n "$(PYTHON)" || exit 1
	@echo "setting up $(RL) with $(PYTHON) (once; some minutes, about 2 GB on disk)"
	@"$(PYTHON)" -m venv $(RL)
	@$(RL)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[rl,test]'
	@$(RL)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps $(SUMO_RL)
	@touch $@

rl: $(RL_STAMP)
	@.ci/sumo_libraries $(RL)
	$(RL)/bin/python -P -m benchmarks.environments.train $(RL_ARGS)

rl-test: $(RL_STAMP)
	@.ci/sumo_libraries $(RL)
	$(RL)/bin/python -m pytest -m slow tests/sim/test_learned.py

TOOLS := $(VENV)-release
TOOLS_STAMP := $(TOOLS)/.umlauf-is-set-up
DEB_EXTRAS := serial ntcip metrics virtual
LOCK := uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 --no-annotate --no-header

$(TOOLS_STAMP): pyproject.toml
	@test -n "$(PYTHON)" || exit 1
	@"$(PYTHON)" -m venv $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9' 'cyclonedx-bom>=7'
	@touch $@

lock: $(TOOLS_STAMP)
	$(TOOLS)/bin/$(LOCK) pyproject.toml $(foreach extra,$(DEB_EXTRAS),--extra $(extra)) --output-file deploy/debian/requirements.txt
	echo 'setuptools>=77' | $(TOOLS)/bin/$(LOCK) - --output-file deploy/debian/build-requirements.txt

# Of the libraries as they are installed from the lock: names, versions, licences.
sbom: $(TOOLS_STAMP)
	@deploy/make_sbom $(TOOLS) dist

ci:
	.ci/run

clean:
	rm -rf $(VENV) $(VENV)-release $(VENV)-rl build dist mutants *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
