# Each target sets up what it needs in .venv by itself; a second call starts in seconds.
#
#   make demo     distill a real Sentence Transformer and see what came out
#   make test     every test, in two processes; JOBS=0 for one
#   make test-runtime  the runtime's tests alone, without torch: minutes
#   make test-lowest   the same on the lowest declared versions (Python 3.10)
#   make test-integrations  the server with its clients, Ray, Spark and adapters (Python 3.11 or newer)
#   make coverage every test, and which lines they run
#   make check    formatting, lint, types, and the specification's tables against the code
#   make bench    measure speed, start and memory beside the peers; fills in the figures of docs/benchmarks
#   make docs     build the documentation site into site/ (Python 3.11 or newer)
#   make model    remake the model in the runtime's wheel (TEXT=FOLDER/cc.txt.gz: what it is fitted to)
#   make multilingual  make the multilingual model and its wheel in build/multilingual (DATA=../shared; hours)
#   make quality  make and measure models beside the peers' (DATA=../shared; an hour or two)
#   make lock     renew the hashed lists of versions in requirements/
#   make vectors  regenerate the conformance vectors and the specification's examples
#   make arm64    conformance and exactness tests on emulated Arm (ARM=armhf: 32 bits)
#   make clean    remove .venv, .venv-runtime and what tools left behind

PYTHON ?= python3
DATA   ?= ../shared
VENV   := .venv
BIN    := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SETUP  := pyproject.toml constraints.txt runtime/pyproject.toml distiller/pyproject.toml

# On Linux, torch from PyPI brings CUDA, some 5 GB. A build without it is 0.8 GB, and PyTorch's own index has it.
# Where that cannot be reached, what the usual index has is taken. For CUDA: make TORCH_INDEX=
TORCH_INDEX ?= $(if $(filter Linux,$(shell uname -s)),https://download.pytorch.org/whl/cpu)
COMMA  := ,
TORCH  := $(shell sed -n 's/^torch==//p' constraints.txt)

MODEL  := $(CURDIR)/runtime/src/staticemb_runtime/models/minilm-en-small
TEXT   ?= ../shared/text/cc.txt.gz

# Two processes share the tests by file. Tests that compare durations run alone after them.
JOBS   ?= 2
PYTEST := -m pytest
TOGETHER := $(if $(filter-out 0,$(JOBS)),--numprocesses $(JOBS) --dist loadfile)
RUNTIME_TESTS := tests/runtime tests/conformance tests/property tests/end_to_end/test_encode_files.py \
	tests/end_to_end/test_lambda_handler.py
RUNTIME_VENV  := .venv-runtime
RUNTIME_BIN   := $(RUNTIME_VENV)/$(notdir $(BIN))
INTEGRATIONS_VENV := .venv-integrations
INTEGRATIONS_BIN  := $(INTEGRATIONS_VENV)/$(notdir $(BIN))
LOWEST_VENV   := .venv-lowest
LOWEST_BIN    := $(LOWEST_VENV)/$(notdir $(BIN))

.PHONY: demo test test-runtime test-lowest test-integrations coverage lock check bench docs model multilingual quality vectors arm64 clean

demo: $(VENV)/.demo
	$(BIN)/python distiller/demo/demo.py $(TEACHER)

test: $(VENV)/.test
ifdef ARGS
	$(BIN)/python $(PYTEST) $(ARGS)
else
	$(BIN)/python $(PYTEST) $(TOGETHER) -m "not serial"
	$(BIN)/python $(PYTEST) -m serial
endif

test-runtime: $(RUNTIME_VENV)/.done
	$(RUNTIME_BIN)/python $(PYTEST) $(TOGETHER) -m "not serial" $(RUNTIME_TESTS) $(ARGS)
	$(RUNTIME_BIN)/python $(PYTEST) -m serial $(RUNTIME_TESTS) $(ARGS)

test-lowest: $(LOWEST_VENV)/.done
	$(LOWEST_BIN)/python $(PYTEST) $(TOGETHER) -m "not serial" $(RUNTIME_TESTS) $(ARGS)

test-integrations: $(INTEGRATIONS_VENV)/.done
	$(INTEGRATIONS_BIN)/python $(PYTEST) $(TOGETHER) tests/integrations $(ARGS)

# Processes that tests start are measured too. Tests that compare durations are not run: a tracer changes them.
coverage: $(VENV)/.test
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest $(TOGETHER) -m "not serial and not file_size_limit" $(ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

check: $(VENV)/.test
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(BIN)/python conformance/check_spec.py

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/run.py $(ARGS)

docs: $(VENV)/.docs
	$(BIN)/python docs/tools/command_help.py build/docs
	$(BIN)/zensical build --strict --clean
	$(BIN)/python docs/tools/check_site.py site
	@echo "site/index.html; with search: $(BIN)/python -m http.server -d site"

# The recipe names its text without a folder, so that the bytes do not depend on where it lies.
model: $(VENV)/.demo
	cd $(dir $(TEXT)) && $(CURDIR)/$(BIN)/python $(CURDIR)/distiller/demo/bundled_model.py \
		$(MODEL).toml $(MODEL).staticemb $(ARGS)

# The teacher runs for hours on two cores: what it has encoded stays in build/multilingual/teacher.
multilingual: $(VENV)/.test
	$(BIN)/python distiller/demo/multilingual_model.py $(DATA)/text/tatoeba.tsv.gz $(DATA)/text/cc.txt.gz \
		build/multilingual $(ARGS)

quality: $(VENV)/.test
	$(BIN)/python benchmarks/quality.py --data $(DATA) $(ARGS)
	$(BIN)/python benchmarks/report.py

vectors: $(VENV)/.test
	$(BIN)/python conformance/record_text.py
	$(BIN)/python conformance/generate.py

arm64: $(VENV)/.pip
	PYTHON=$(BIN)/python tests/arm64/run.sh $(ARGS)

clean:
	rm -rf $(VENV) $(RUNTIME_VENV) $(LOWEST_VENV) $(INTEGRATIONS_VENV) .coverage build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.docs: $(VENV)/.pip $(SETUP)
	$(BIN)/python -c "import sys; sys.exit(sys.version_info < (3, 11) and 'make docs needs Python 3.11 or newer: make PYTHON=...')"
	$(PIP) --group docs --editable runtime
	touch $@

# pip is brought up to date first: older ones know no dependency groups.
$(VENV)/.pip: constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10) and 'Python 3.10 or newer is needed: make PYTHON=...')"
	$(PYTHON) -m venv $(VENV)
	$(PIP) pip
	touch $@

$(VENV)/.torch: $(VENV)/.pip constraints.txt
	$(if $(TORCH_INDEX),$(PIP) --no-deps --retries 0 --index-url $(TORCH_INDEX) "torch==$(TORCH)+cpu" 2>/dev/null \
		|| echo "$(TORCH_INDEX) cannot be reached: torch comes from the usual index$(COMMA) perhaps with CUDA")
	touch $@

$(VENV)/.demo: $(VENV)/.torch $(SETUP)
	@echo "Setting up $(VENV) for the demo: some 400 MB to download once, 1.5 GB on disk; with a torch for CUDA some 5 GB."
	$(PIP) --group demo --editable runtime --editable distiller
	touch $@

$(VENV)/.test: $(VENV)/.torch $(SETUP)
	@echo "Setting up $(VENV) for the tests: once, 2.4 GB on disk; with a torch for CUDA some 6 GB."
	$(PIP) --group demo --group test --group lint --editable runtime --editable distiller
	touch $@

# fastembed allows no huggingface_hub 2; it works with it where the model is a folder.
$(VENV)/.bench: $(VENV)/.test $(SETUP)
	$(PIP) --group bench
	$(PIP) --no-deps fastembed
	touch $@

# The extras of the runtime that `make test-runtime` and `make test-lowest` test; `make test-integrations` has all.
EXTRAS := hub parquet serve zstd

# The hashed lists name no index, so that they can be installed from any.
LOCK := $(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --constraint constraints.txt --upgrade \
	--custom-compile-command "make lock"

lock: $(VENV)/.pip
	$(PIP) uv
	printf "build\nhatchling\n" | $(LOCK) --python-version 3.10 --output-file requirements/build.txt -
	$(LOCK) --python-version 3.10 --output-file requirements/test-runtime.txt $(EXTRAS:%=--extra %) \
		--group pyproject.toml:test-runtime runtime/pyproject.toml
	$(LOCK) --python-version 3.11 --output-file requirements/integrations.txt --all-extras \
		--group pyproject.toml:integrations runtime/pyproject.toml

$(RUNTIME_VENV)/.done: requirements/test-runtime.txt
	$(PYTHON) -m venv $(RUNTIME_VENV)
	$(RUNTIME_BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	$(RUNTIME_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement requirements/test-runtime.txt
	$(RUNTIME_BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable runtime
	touch $@

$(LOWEST_VENV)/.done: constraints-lowest.txt pyproject.toml runtime/pyproject.toml
	$(PYTHON) -m venv $(LOWEST_VENV)
	$(LOWEST_BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(LOWEST_BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints-lowest.txt \
		--group test-runtime --editable "runtime[$(subst $() $(),$(COMMA),$(EXTRAS))]"
	touch $@

$(INTEGRATIONS_VENV)/.done: requirements/integrations.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=...')"
	@echo "Setting up $(INTEGRATIONS_VENV): once, 1.8 GB on disk."
	$(PYTHON) -m venv $(INTEGRATIONS_VENV)
	$(INTEGRATIONS_BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	$(INTEGRATIONS_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement requirements/integrations.txt
	$(INTEGRATIONS_BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable runtime
	touch $@
