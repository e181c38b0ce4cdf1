# All that this project does on a machine. Needs Python 3.11 to 3.13 and a package index; writes to .state/ only.
.DEFAULT_GOAL := help
.PHONY: help demo up airflow cluster test bench chaos docs lint types imports format lock clean install

# Empty means: the first Python on the PATH that is new enough; ports that the stack chooses.
PYTHON ?=
PORT ?=
SANDBOX_PORT ?=
# Empty means: the newest, which the lock holds.
AIRFLOW ?=
export PORT SANDBOX_PORT
# For `make airflow`: the command, without "airflow" in front of it.
ARGS ?=
export HYPOTHESIS_STORAGE_DIRECTORY := .state/hypothesis

BIN := .state/venv/bin
BOOTSTRAP = python="$$(sh local/find_python.sh "$(PYTHON)")" && "$$python" -m local.bootstrap
# Ctrl-C is how a person ends what runs until then, also while it starts: no error for make to tell of.
UNTIL_CTRL_C = trap : INT; { $(BOOTSTRAP) && $(BIN)/python -m $(1); } || test $$? = 130
TYPED := plugins/backmarket sandbox local chaos cluster dags tests $(wildcard plugins/*.py) $(if $(wildcard benchmarks/*.py),benchmarks)

help:
	@echo "make demo     run the whole job in Airflow against a local Back Market, and say what came of it"
	@echo "make up       the same stack, left running: Airflow, the sandbox, PostgreSQL; Ctrl-C stops it"
	@echo "make airflow  a command of Airflow's in the stack of make up: make airflow ARGS='dags list'"
	@echo "make cluster  Airflow on two Celery workers, left running: needs redis-server; Ctrl-C stops it"
	@echo "make test     lint, types, import rules and the whole test suite"
	@echo "make bench    the benchmarks, side by side with the peer"
	@echo "make chaos    faults of every kind against all DAGs: 10,000 of them, half an hour; zero losses or red"
	@echo "make docs     the documentation site, strict: .state/site"
	@echo ""
	@echo "make lint     check style"
	@echo "make format   put style right"
	@echo "make lock     resolve the locks (requirements*.lock) anew"
	@echo "make clean    remove .state/: environment, databases, logs"
	@echo ""
	@echo "make up PORT=8090 SANDBOX_PORT=8902    on other ports than 8080 and 8901"
	@echo "make demo PYTHON=python3.12            with another Python (3.11 to 3.13)"
	@echo "make test AIRFLOW=3.2.1                on an older Airflow, in an environment of its own: 3.2.1 or 3.3.0"
	@echo "make bench SMALL=1                     the smaller cases: two minutes"
	@echo "make chaos SEED=5 FAULTS=2000          another chaos, and a shorter one"

demo: install
	@$(BIN)/python -m local.demo

up:
	@$(call UNTIL_CTRL_C,local.up)

airflow: install
	@$(BIN)/python -m local.airflow_command $(ARGS)

cluster:
	@$(call UNTIL_CTRL_C,cluster)

ifeq ($(AIRFLOW),)
test: lint types imports
	@$(BIN)/python -m pytest -n 2
else
# The project comes from its wheel alone; tests.txt names what is tried on older versions.
test:
	@$(BOOTSTRAP) airflow $(AIRFLOW)
	@.state/venv-airflow-$(AIRFLOW)/bin/python -m pytest -n 2 -o pythonpath=. @tests/airflow_versions/tests.txt
endif

bench: install
	@test -f benchmarks/__main__.py || { echo "There are no benchmarks here yet." >&2; exit 1; }
	@$(BOOTSTRAP) bench
	@BENCH_PYTHON="$(CURDIR)/.state/bench-venv/bin/python" $(BIN)/python -m benchmarks $(if $(SMALL),--small)

chaos: install
	@$(BIN)/python -m chaos $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS))

docs:
	@$(BOOTSTRAP) docs
	@mkdir -p .state/docs-source
	@ln -sfn $(addprefix ../../,README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE docs deploy) .state/docs-source/
	@NO_MKDOCS_2_WARNING=1 .state/docs-venv/bin/mkdocs build --strict
	@echo "The documentation is at .state/site/index.html."

lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check --preview --select AIR dags plugins
	@$(BIN)/sqlfluff lint include/sql

types: install
	@$(BIN)/mypy $(TYPED)

imports: install
	@$(BIN)/lint-imports --cache-dir .state/import-linter

format: install
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock:
	@$(BOOTSTRAP) lock

clean:
	@$(BOOTSTRAP) clean

install:
	@$(BOOTSTRAP)
