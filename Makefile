# Each target sets up what it needs in .venv by itself; a second call starts in seconds.
#
#   make demo     distill a real Sentence Transformer and see what came out
#   make test     every test
#   make check    formatting, lint, types, and the specification's tables against the code
#   make bench    measure speed, start and memory beside the peers; fills in the README's figures
#   make model    remake the model in the runtime's wheel (TEXT=FOLDER/cc.txt.gz: what it is fitted to)
#   make vectors  regenerate the conformance vectors and the specification's examples
#   make arm64    conformance and exactness tests on emulated Arm (ARM=armhf: 32 bits)
#   make clean    remove .venv and what tools left behind

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SETUP  := pyproject.toml constraints.txt runtime/pyproject.toml distiller/pyproject.toml

MODEL  := $(CURDIR)/runtime/src/staticemb_runtime/models/minilm-en-small
TEXT   ?= ../shared/text/cc.txt.gz

.PHONY: demo test check bench model vectors arm64 clean

demo: $(VENV)/.demo
	$(BIN)/python -m staticemb_distiller.demo $(TEACHER)

test: $(VENV)/.test
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.test
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/python conformance/check_spec.py

bench: $(VENV)/.test
	$(BIN)/python benchmarks/run.py $(ARGS)

# The recipe names its text without a folder, so that the bytes do not depend on where it lies.
model: $(VENV)/.demo
	cd $(dir $(TEXT)) && $(CURDIR)/$(BIN)/python -m staticemb_distiller.bundled \
		$(MODEL).toml $(MODEL).staticemb $(ARGS)

vectors: $(VENV)/.test
	$(BIN)/python conformance/record_text.py
	$(BIN)/python conformance/generate.py

arm64: $(VENV)/.pip
	PYTHON=$(BIN)/python tests/arm64/run.sh $(ARGS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# pip is brought up to date first: older ones know no dependency groups.
$(VENV)/.pip: constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10) and 'Python 3.10 or newer is needed: make PYTHON=...')"
	$(PYTHON) -m venv $(VENV)
	$(PIP) pip
	touch $@

$(VENV)/.demo: $(VENV)/.pip $(SETUP)
	@echo "Setting up $(VENV) for the demo: this downloads some 300 MB once."
	$(PIP) --group demo --editable runtime --editable distiller
	touch $@

$(VENV)/.test: $(VENV)/.pip $(SETUP)
	@echo "Setting up $(VENV) for the tests: this downloads some 500 MB once."
	$(PIP) --group demo --group test --group lint --editable runtime --editable distiller
	touch $@
