"""Every command and program in the READMEs and in docs/ is run as it is printed.

The blocks of a page run in order, in one folder that is empty at first; those of Python share their
names. A page has the bundled model and what it makes itself, nothing else. A Hub stands at
HF_ENDPOINT, with a small teacher under the name of a real one. A block that cannot run, or that
needs a clone of the repository, or packages of others, is marked in the line above it:

    <!-- not run: why -->
    <!-- run in: the clone -->
    <!-- run in: make test-integrations -->

tests/integrations/test_pages.py runs the last ones.
"""

import json
import os
import shutil
import sys

import pytest

from hub_client import environment
from hub_server import WRITER, files_in, serve

from . import page_runner
from .page_runner import ROOT
from .readme_blocks import COMMANDS, blocks

pytest.importorskip("sentence_transformers")
pytest.importorskip("model2vec")
pytest.importorskip("pyarrow")

READMES = ("README.md", "runtime/README.md", "distiller/README.md")
PAGES = (*READMES, *sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/**/*.md")))
TEACHER = "sentence-transformers/all-MiniLM-L6-v2"
# The teacher's tokens, in the order of its own vocabulary: letters, then frequent words.
TOKENS = 4000
BLOCKS = {page: blocks((ROOT / page).read_text("utf-8")) for page in PAGES}
RUN = {
    page: chosen
    for page, found in BLOCKS.items()
    if (
        chosen := [
            b for b in found if b.language in COMMANDS and not (b.not_run or b.in_integrations)
        ]
    )
}


@pytest.fixture(scope="session")
def teacher(minilm, tmp_path_factory):
    """The real teacher's first layer and most frequent tokens, under its own name."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules
    from transformers import AutoModel, PreTrainedTokenizerFast

    base = tmp_path_factory.mktemp("teacher")
    definition = json.loads((minilm / "tokenizer.json").read_text("utf-8"))
    vocabulary = definition["model"]["vocab"]
    definition["model"]["vocab"] = {t: i for t, i in vocabulary.items() if i < TOKENS}
    (base / "tokenizer.json").write_text(json.dumps(definition), "utf-8")
    special = {
        f"{name}_token": f"[{name.upper()}]" for name in ("unk", "pad", "cls", "sep", "mask")
    }
    PreTrainedTokenizerFast(
        tokenizer_file=str(base / "tokenizer.json"), model_max_length=128, **special
    ).save_pretrained(base / "transformer")
    model = AutoModel.from_pretrained(minilm)
    model.encoder.layer = model.encoder.layer[:1]
    model.config.num_hidden_layers = 1
    words = model.embeddings.word_embeddings
    model.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(words.weight[:TOKENS])
    model.config.vocab_size = TOKENS
    model.save_pretrained(base / "transformer")
    first = modules.Transformer(str(base / "transformer"))
    mean = modules.Pooling(model.config.hidden_size)
    SentenceTransformer(modules=[first, mean], device="cpu").save(str(base / "model"))
    return base / "model"


@pytest.fixture(scope="session")
def commands(tmp_path_factory):
    """A folder of commands: this interpreter and the packages of this checkout."""
    folder = tmp_path_factory.mktemp("bin")
    # The default number of sequences takes minutes.
    (folder / "fewer.py").write_text(
        "import sys\nfrom staticemb_distiller import __main__ as cli\n"
        "from staticemb_distiller.corpus import sampling\n"
        "sampling._GENERATED_COUNT = 1000\nsys.exit(cli.main())\n"
    )
    for name, start in {
        "python": "",
        "pip": "-m pip",
        "staticemb": "-m staticemb_runtime",
        "staticemb-distiller": f"{folder}/fewer.py",
    }.items():
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {start} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def hub(teacher):
    with serve({TEACHER: files_in(teacher)}) as (endpoint, _):
        yield endpoint


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_run_or_says_why_not(page):
    for block in BLOCKS[page]:
        assert block.language, f"{page}:{block.line}: say what language the block is in"
        if block.not_run:
            assert block.language in COMMANDS, f"{page}:{block.line}: nothing is run anyway"


def test_the_readmes_and_most_pages_on_how_to_do_something_run():
    assert set(READMES) < set(RUN)
    assert len([page for page in RUN if page.startswith("docs/how-to/")]) > 15


@pytest.mark.skipif(not shutil.which("bash"), reason="the blocks are written for bash")
@pytest.mark.parametrize("page", RUN)
def test_blocks_run_as_printed(page, commands, hub, tmp_path, tmp_path_factory):
    installed = tmp_path_factory.mktemp("installed")  # where pip puts what a block installs
    env = environment(tmp_path_factory.getbasetemp() / "hub-cache", hub, token=WRITER) | {
        "PATH": os.pathsep.join([str(commands), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(installed)]),
        "PIP_TARGET": str(installed),
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "OMP_NUM_THREADS": "1",
    }
    page_runner.run_page(page, RUN[page], tmp_path, env)


def test_blocks_are_found_with_their_marks():
    text = """
```sh
echo one
```
<!-- not run: it needs an account -->

````console
```
echo two
````

```text
nothing
```

<!-- run in: make test-integrations -->
```python
import ray
```
"""
    first, second, third, fourth = blocks(text)
    assert (first.language, first.code, first.line, first.not_run) == ("sh", "echo one\n", 2, "")
    assert (second.code, second.not_run) == ("```\necho two\n", "it needs an account")
    assert (third.language, third.not_run) == ("text", "")
    assert [b.in_integrations for b in (first, second, third, fourth)] == [False] * 3 + [True]
