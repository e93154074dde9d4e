"""Exports open in the libraries they are for, and give the file's vectors there."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from peer_models import TEXTS, vectors_for
from staticemb_distiller.cli.main import main
from staticemb_distiller.errors import ConvertError
from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.file.added_heads import with_heads
from staticemb_distiller.file.head import Head
from staticemb_distiller.interop import export as exports
from staticemb_distiller.interop import model2vec_folder, sentence_transformers_folder
from staticemb_distiller.interop.export import export
from staticemb_runtime import StaticModel
from staticemb_runtime.format.reader import read
from staticemb_runtime.loading import find_installed
from tokenizer_families import families, family

pytest.importorskip("model2vec")
pytest.importorskip("sentence_transformers")
onnxruntime = pytest.importorskip("onnxruntime")

CLOSE = 1e-5


@pytest.fixture(scope="module")
def wordpiece(minilm) -> Tokenizer:
    return Tokenizer.from_file(str(minilm / "tokenizer.json"))


def save(path: Path, tokenizer: Tokenizer, *, kind="float32", **settings) -> Path:
    """A file of a kind, with random rows."""
    rows = vectors_for(tokenizer)
    definition = tokenizer.to_str().encode()
    rng = np.random.default_rng(3)
    if kind == "int8":
        scale = (rng.random(rows.shape[1]) * 0.02 + 0.01).astype(np.float32)
        table = np.clip(np.rint(rows / scale), -127, 127).astype(np.int8)
        parts = Parts(table, definition, scale=scale)
    elif kind == "everything":
        weights = rng.random(len(rows)).astype(np.float32)
        shared = rng.integers(0, 40, len(rows)).astype(np.uint16)
        scale = np.full(rows.shape[1], 0.02, np.float32)
        table = rng.integers(-127, 128, (40, rows.shape[1])).astype(np.int8)
        parts = Parts(table, definition, scale=scale, weights=weights, rows=shared)
    else:
        parts = Parts(rows.astype(kind), definition)
    write(path, parts, Settings(**{"normalize": True, **settings}))
    return path


KINDS = ["float32", "float16", "int8", "everything"]


def by_model2vec(folder: Path) -> np.ndarray:
    from model2vec import StaticModel as Model2Vec

    return Model2Vec.from_pretrained(folder).encode(TEXTS)


def by_sentence_transformers(folder: Path) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(TEXTS)


def run_onnx(folder: Path, texts=TEXTS) -> dict[str, np.ndarray]:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    batch = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    longest = max(map(len, batch))
    ids = np.array([ids + [1] * (longest - len(ids)) for ids in batch], np.int64)
    mask = np.array([[1] * len(ids) + [0] * (longest - len(ids)) for ids in batch], np.int64)
    session = onnxruntime.InferenceSession(str(folder / "onnx" / "model.onnx"))
    names = [output.name for output in session.get_outputs()]
    found = dict(
        zip(names, session.run(None, {"input_ids": ids, "attention_mask": mask}), strict=True)
    )
    count = np.maximum(mask.sum(1), 1)[:, None]
    found["pooled"] = (found["last_hidden_state"] * mask[:, :, None]).sum(1) / count
    return found


def by_onnx(folder: Path) -> np.ndarray:
    return run_onnx(folder)["sentence_embedding"]


BY = {
    "model2vec": by_model2vec,
    "sentence-transformers": by_sentence_transformers,
    "onnx": by_onnx,
}


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", BY)
def test_every_kind_of_file(tmp_path, wordpiece, target, kind, normalize):
    unknown = None if target == "sentence-transformers" and not normalize else 100
    path = save(
        tmp_path / "m.staticemb",
        wordpiece,
        kind=kind,
        normalize=normalize,
        unknown_token_id=unknown,
    )
    done = export(path, tmp_path / "out", target)
    expected = StaticModel.load(path).encode(TEXTS)
    found = BY[target](tmp_path / "out")
    assert np.abs(found - expected).max() < CLOSE * max(1.0, np.abs(expected).max())
    assert done.difference < CLOSE
    library = {"onnx": "onnxruntime"}.get(target, target)
    assert done.compared_with.startswith(library)


@pytest.mark.parametrize("target", BY)
@pytest.mark.parametrize("name", families())
def test_every_tokenizer(tmp_path, name, target):
    path = save(tmp_path / "m.staticemb", family(name))
    export(path, tmp_path / "out", target, unknown_tokens="peer")
    opened = StaticModel.load(tmp_path / "out") if target != "onnx" else None
    found = BY[target](tmp_path / "out")
    expected = (opened or StaticModel.load(path)).encode(TEXTS)
    assert np.abs(found - expected).max() < CLOSE


def test_our_own_reader_opens_what_is_exported(tmp_path, wordpiece):
    path = save(tmp_path / "m.staticemb", wordpiece, kind="everything", unknown_token_id=100)
    expected = StaticModel.load(path).encode(TEXTS)
    for target in ("model2vec", "sentence-transformers"):
        export(path, tmp_path / target, target)
        assert np.allclose(StaticModel.load(tmp_path / target).encode(TEXTS), expected, atol=CLOSE)


def test_a_model2vec_folder_opens_in_sentence_transformers_too(tmp_path, wordpiece):
    path = save(tmp_path / "m.staticemb", wordpiece, kind="everything", unknown_token_id=100)
    export(path, tmp_path / "out", "model2vec")
    known = [i for i, text in enumerate(TEXTS) if text.isascii()]
    found = by_sentence_transformers(tmp_path / "out")
    expected = StaticModel.load(path).encode(TEXTS)
    assert np.abs(found - expected)[known].max() < CLOSE


@pytest.mark.parametrize("unknown", [None, 100])
@pytest.mark.parametrize("most", [None, 7])
@pytest.mark.parametrize("beta", [None, 0.0, 1.0, 16.0])
@pytest.mark.parametrize("kind", KINDS)
def test_onnx_does_all_that_the_format_does(tmp_path, wordpiece, kind, beta, most, unknown):
    path = save(
        tmp_path / "m.staticemb",
        wordpiece,
        kind=kind,
        damping=None if beta is None else (beta, 9),
        max_tokens=most,
        unknown_token_id=unknown,
    )
    export(path, tmp_path / "out", "onnx")
    model = StaticModel.load(path)
    found = run_onnx(tmp_path / "out")
    assert np.abs(found["sentence_embedding"] - model.encode(TEXTS)).max() < 2 * CLOSE
    # What a pipeline that pools by the mean gets, before it scales vectors to unit length.
    plain = model.encode(TEXTS, normalize_embeddings=False)
    assert np.abs(found["pooled"] - plain).max() < 2 * CLOSE * np.abs(plain).max()


def test_onnx_keeps_the_table_as_small_as_it_was(tmp_path, wordpiece):
    path = save(tmp_path / "m.staticemb", wordpiece, kind="int8")
    export(path, tmp_path / "out", "onnx")
    table = len(vectors_for(wordpiece)) * 24
    assert (tmp_path / "out" / "onnx" / "model.onnx").stat().st_size < table + 20_000


def test_onnx_of_no_tokens_at_all(tmp_path, wordpiece):
    path = save(tmp_path / "m.staticemb", wordpiece, damping=(1.0, 8))
    export(path, tmp_path / "out", "onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "onnx" / "model.onnx"))
    none = np.zeros((2, 0), np.int64)
    vectors, shares = session.run(None, {"input_ids": none, "attention_mask": none})
    assert np.array_equal(vectors, np.zeros((2, 24)))
    assert shares.shape == (2, 0, 24)


@pytest.mark.parametrize("target", ["model2vec", "sentence-transformers"])
def test_damping_is_left_out_on_request(tmp_path, wordpiece, target):
    path = save(tmp_path / "m.staticemb", wordpiece, damping=(1.0, 8), unknown_token_id=100)
    export(path, tmp_path / "out", target, pooling="mean")
    expected = StaticModel.load(path).encode(TEXTS, pooling="mean")
    assert np.abs(BY[target](tmp_path / "out") - expected).max() < CLOSE


def test_an_export_names_the_optional_parts_that_it_leaves_out(tmp_path, wordpiece):
    path = save(tmp_path / "model.staticemb", wordpiece)
    file = read(path)
    optional = {"head.topic.bias": np.ones(2), "head.other.bias": np.ones(2)}
    parts = Parts(np.array(file.embeddings), file.tokenizer, optional=optional)
    write(path, parts, Settings(optional={"space": "{}"}))
    exported = export(path, tmp_path / "out", "sentence-transformers")
    assert "the export has no head.other, head.topic, space" in exported.notes


SENTENCES = [
    "The flight was cancelled because of the storm.",
    "How do I reset my password?",
    "A man is playing a guitar on the stage.",
    "Interest rates rose again, and shares fell sharply.",
]


@pytest.mark.parametrize("target", ["model2vec", "sentence-transformers"])
def test_the_default_model_is_exported_closer_to_its_damping_than_the_plain_mean(tmp_path, target):
    from model2vec import StaticModel as Model2Vec
    from sentence_transformers import SentenceTransformer

    done = export("minilm-en-small", tmp_path / "out", target)
    opened = (
        Model2Vec.from_pretrained(tmp_path / "out")
        if target == "model2vec"
        else SentenceTransformer(str(tmp_path / "out"), device="cpu")
    )
    model = StaticModel.load()
    expected, plain = model.encode(SENTENCES), model.encode(SENTENCES, pooling="mean")
    kept = (opened.encode(SENTENCES) * expected).sum(axis=1)
    assert kept.min() > 0.98
    assert (1 - kept).mean() < 0.6 * (1 - (plain * expected).sum(axis=1)).mean()
    (note,) = (note for note in done.notes if "damped_mean" in note)
    assert "plain mean" in note
    assert 0.98 < float(note.partition("with the file's is ")[2].split()[0]) < 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("target", ["model2vec", "sentence-transformers"])
def test_every_kind_of_damped_file_is_exported(tmp_path, wordpiece, target, normalize, kind):
    unknown = None if target == "sentence-transformers" and not normalize else 100
    settings = {"normalize": normalize, "unknown_token_id": unknown, "damping": (4.0, 8)}
    path = save(tmp_path / "m.staticemb", wordpiece, kind=kind, **settings)
    export(path, tmp_path / "out", target)
    found = StaticModel.load(tmp_path / "out").encode(SENTENCES)
    model = StaticModel.load(path)
    distances = [
        np.linalg.norm(found - model.encode(SENTENCES)),
        np.linalg.norm(model.encode(SENTENCES, pooling="mean") - model.encode(SENTENCES)),
    ]
    assert distances[0] < distances[1]


def test_where_beta_is_zero_folding_changes_nothing(tmp_path, wordpiece):
    path = save(tmp_path / "m.staticemb", wordpiece, damping=(0.0, 8), unknown_token_id=100)
    export(path, tmp_path / "out", "model2vec")
    expected = StaticModel.load(path).encode(TEXTS)
    assert np.abs(by_model2vec(tmp_path / "out") - expected).max() < CLOSE


def test_unknown_tokens_that_the_library_treats_otherwise(tmp_path, wordpiece):
    counts = save(tmp_path / "counts.staticemb", wordpiece)
    with pytest.raises(ConvertError, match="model2vec drops, 100, found None"):
        export(counts, tmp_path / "out", "model2vec")
    drops = save(tmp_path / "drops.staticemb", wordpiece, normalize=False, unknown_token_id=100)
    with pytest.raises(ConvertError, match="unknown tokens that count"):
        export(drops, tmp_path / "out", "sentence-transformers")
    export(counts, tmp_path / "m2v", "model2vec", unknown_tokens="peer")
    export(drops, tmp_path / "st", "sentence-transformers", unknown_tokens="peer")
    for source, folder in ((drops, "m2v"), (counts, "st")):
        target = "model2vec" if folder == "m2v" else "sentence-transformers"
        expected = StaticModel.load(source).encode(TEXTS, normalize_embeddings=folder == "m2v")
        assert np.abs(BY[target](tmp_path / folder) - expected).max() < CLOSE


def test_a_limit_of_tokens_is_taken_along(tmp_path, wordpiece):
    path = save(tmp_path / "m.staticemb", wordpiece, max_tokens=6)
    expected = StaticModel.load(path).encode(TEXTS)
    export(path, tmp_path / "st", "sentence-transformers")
    assert np.abs(by_sentence_transformers(tmp_path / "st") - expected).max() < CLOSE
    path = save(tmp_path / "m.staticemb", wordpiece, max_tokens=6, unknown_token_id=100)
    for target in ("model2vec", "sentence-transformers"):
        done = export(path, tmp_path / f"{target}-again", target)
        assert "6 tokens" in done.notes[0]


@pytest.mark.parametrize(
    ("target", "module"),
    [("model2vec", model2vec_folder), ("sentence-transformers", sentence_transformers_folder)],
)
def test_without_the_library_the_runtime_compares(tmp_path, wordpiece, monkeypatch, target, module):
    monkeypatch.setattr(module, "version", lambda package: None)
    path = save(tmp_path / "m.staticemb", wordpiece, unknown_token_id=100)
    done = export(path, tmp_path / "out", target)
    assert done.compared_with == "staticemb-runtime's reader"


def test_an_export_with_other_vectors_is_not_left_behind(tmp_path, wordpiece, monkeypatch):
    path = save(tmp_path / "m.staticemb", wordpiece, unknown_token_id=100)
    honest = model2vec_folder.embed

    def embed(folder, texts):
        vectors, by = honest(folder, texts)
        vectors[2] += 1e-4
        return vectors, by

    monkeypatch.setattr(model2vec_folder, "embed", embed)
    with pytest.raises(ConvertError, match=r"differences of up to 1.* for .The quick brown fox"):
        export(path, tmp_path / "out", "model2vec")
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.staticemb"]


def test_nothing_is_overwritten(tmp_path, wordpiece):
    path = save(tmp_path / "m.staticemb", wordpiece, unknown_token_id=100)
    (tmp_path / "out").mkdir()
    export(path, tmp_path / "out", "model2vec")
    before = (tmp_path / "out" / "config.json").read_bytes()
    with pytest.raises(ConvertError, match="empty folder"):
        export(path, tmp_path / "out", "onnx")
    assert (tmp_path / "out" / "config.json").read_bytes() == before


def test_a_package_that_is_missing_is_named(tmp_path, wordpiece, monkeypatch):
    monkeypatch.setattr(exports.onnx_folder, "version", lambda package: None)
    path = save(tmp_path / "m.staticemb", wordpiece)
    with pytest.raises(ConvertError, match=r"staticemb-distiller\[onnx\]"):
        export(path, tmp_path / "out", "onnx")


def test_the_command(tmp_path, wordpiece, capsys):
    provenance = {"teacher": "org/teacher", "license": "Apache-2.0", "languages": "en de"}
    path = save(
        tmp_path / "m.staticemb",
        wordpiece,
        damping=(1.0, 8),
        unknown_token_id=100,
        provenance=provenance,
    )
    arguments = ["export", str(path), "--to", "model2vec", "-o", str(tmp_path / "out")]
    assert main(arguments) == 0
    said = capsys.readouterr().err
    assert said.startswith("warning: the file's pooling is damped_mean")
    assert "compared with model2vec" in said
    assert "the export takes the plain mean" in said
    card = (tmp_path / "out" / "README.md").read_text()
    assert "base_model: org/teacher" in card
    assert "license: apache-2.0" in card


# --- transformers.js -------------------------------------------------------------------------

# Seen with transformers.js 4.3.1, whose tokenizers are written anew in JavaScript: it finds added
# tokens within words, and makes other blanks of line ends before a SentencePiece vocabulary.
OTHER_IN_JAVASCRIPT = {"bert_added", "t5", "cluster_metaspace"}
NODE_MODULES = os.environ.get("STATICEMB_NODE_MODULES")
SCRIPT = """
import { readFileSync } from 'node:fs';
import { pipeline, env, AutoModel, AutoTokenizer } from '@huggingface/transformers';
env.allowRemoteModels = false;
const { folder, texts } = JSON.parse(readFileSync(0, 'utf8'));
const extract = await pipeline('feature-extraction', folder);
const pooled = await extract(texts, { pooling: 'mean', normalize: true });
const tokenizer = await AutoTokenizer.from_pretrained(folder);
const model = await AutoModel.from_pretrained(folder);
const inputs = await tokenizer(texts, { padding: true, add_special_tokens: false });
const { sentence_embedding } = await model(inputs);
console.log(JSON.stringify({ pooled: pooled.tolist(), direct: sentence_embedding.tolist() }));
"""


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory) -> Path:
    if NODE_MODULES != "install":
        return Path(NODE_MODULES).absolute()
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "install", "--ignore-scripts", "--prefix", str(folder)]
    subprocess.run([*command, "@huggingface/transformers@4"], check=True, capture_output=True)
    return folder / "node_modules"


@pytest.mark.slow
@pytest.mark.skipif(
    not (NODE_MODULES and shutil.which("node")),
    reason="STATICEMB_NODE_MODULES names no folder with @huggingface/transformers, nor `install`",
)
@pytest.mark.parametrize("name", ["wordpiece", *sorted({*families()} - OTHER_IN_JAVASCRIPT)])
def test_transformers_js(tmp_path, wordpiece, node_modules, name):
    tokenizer = wordpiece if name == "wordpiece" else family(name)
    path = save(tmp_path / "m.staticemb", tokenizer, kind="int8", damping=(1.0, 8))
    export(path, tmp_path / "out", "onnx")
    (tmp_path / "run.mjs").write_text(SCRIPT)
    (tmp_path / "node_modules").symlink_to(node_modules)
    texts = [text for text in TEXTS if text.isascii() and text.strip()]
    done = subprocess.run(
        ["node", "run.mjs"],
        cwd=tmp_path,
        input=json.dumps({"folder": str(tmp_path / "out"), "texts": texts}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    expected = StaticModel.load(path).encode(texts)
    assert np.abs(np.array(found["pooled"]) - expected).max() < 2 * CLOSE
    assert np.abs(np.array(found["direct"]) - expected).max() < 2 * CLOSE


@pytest.mark.parametrize("pooling", [None, "mean"])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_onnx_predicts_what_the_heads_predict(tmp_path, pooling, precision):
    random = np.random.default_rng(0)
    layer = random.normal(size=(3, 192)), random.normal(size=3)
    hidden = random.normal(size=(5, 64)), random.normal(size=5)
    heads = [
        Head("topic", "softmax", ("a", "b", "c"), *layer, temperature=0.5, pooling=pooling),
        Head("flags", "sigmoid", ("x", "y", "z"), *layer, thresholds=(0.2, 0.5, 0.7)),
        Head(
            "deep", "linear", ("n",), random.normal(size=(1, 5)), np.ones(1), hidden, dimension=64
        ),
        Head("asked", "softmax", ("a", "b", "c"), *layer, prompt="query: "),
    ]
    with_heads(find_installed("minilm-en-small"), heads, tmp_path / "m", precision=precision)
    model = StaticModel.load(tmp_path / "m")
    exported = export(tmp_path / "m", tmp_path / "out", "onnx")
    assert any("head.asked" in note and "topic" not in note for note in exported.notes)
    found = run_onnx(tmp_path / "out")
    texts = list(TEXTS)
    for name in ("topic", "flags"):
        expected = model.predict_proba(texts, head=name)
        np.testing.assert_allclose(found[f"{name}_probabilities"], expected, atol=1e-5)
    expected = np.reshape(model.predict(texts, head="deep"), (-1, 1))
    np.testing.assert_allclose(found["deep_values"], expected, atol=1e-4)
    assert "asked_logits" not in found
