"""Models are pushed to a stand-in for the Hub, and opened from there by everyone."""

from importlib.util import find_spec

import numpy as np
import pytest
import yaml
from tokenizers import Tokenizer

from hub_client import commands, run
from hub_server import COMMIT, READER, WRITER, serve
from peer_models import vectors_for
from staticemb_distiller.evaluation import record
from staticemb_distiller.evaluation.results import Results, Score
from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import StaticModel
from staticemb_runtime.format.reader import read

# In processes of their own: to import them here would take seconds.
peers = pytest.mark.skipif(
    not all(map(find_spec, ("model2vec", "sentence_transformers"))), reason="a peer is missing"
)

TEXTS = ["the quick brown fox", "zzyzx ☃ unheard-of 𓀀 words", "", "Äpfel kosten 2 €, oder?"]
LOAD = """
import json, sys
case = json.load(sys.stdin)
name, texts, found = case["name"], case["texts"], {}
from staticemb_runtime import StaticModel
model = StaticModel.from_pretrained(name, revision=case["revision"])
found["ours"] = model.encode(texts).tolist(), str(model)
from model2vec import StaticModel as Model2Vec
found["model2vec"] = Model2Vec.from_pretrained(name).encode(texts).tolist(), ""
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(name, device="cpu")
found["sentence-transformers"] = model.encode(texts).tolist(), ""
print(json.dumps(found))
"""
PROVENANCE = {
    "teacher": "sentence-transformers/all-MiniLM-L6-v2",
    "teacher_revision": "c" * 40,
    "license": "Apache-2.0",
    "languages": "en de",
    "recipe": 'dims = 24\ndtype = "int8"',
    "creator": "staticemb-distiller 0.1.0",
    "description": "a line\n---\n# and what looks like a heading",
}


def save(path, tokenizer, *, unknown=100, **settings):
    rows = vectors_for(tokenizer)
    scale = np.linspace(0.01, 0.03, rows.shape[1], dtype=np.float32)
    table = np.clip(np.rint(rows / scale), -127, 127).astype(np.int8)
    parts = Parts(table, tokenizer.to_str().encode(), scale=scale)
    write(path, parts, Settings(normalize=True, unknown_token_id=unknown, **settings))
    return path


@pytest.fixture(scope="module")
def tokenizer(minilm):
    return Tokenizer.from_file(str(minilm / "tokenizer.json"))


@pytest.fixture(scope="module")
def file(tokenizer, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.staticemb"
    return save(path, tokenizer, prefixes=[8, 24], provenance=PROVENANCE)


def head(card):
    return yaml.safe_load(card.split("---\n")[1])


def figures(path, digest):
    """A report such as `evaluate --json` writes."""
    scores = [Score("m", "sts/topics", 24, "spearman", 71.26, True)]
    facts = {"m": {"dim": 24, "digest": digest, "bytes": 1000}}
    path.write_text(record.dumps(Results(scores, facts, {"sts/topics": {"a.tsv": "0" * 64}})))
    return path


@peers
def test_everyone_opens_what_was_pushed(file, tmp_path):
    report = figures(tmp_path / "report.json", read(file).metadata.digest)
    repositories = {}
    with serve(repositories) as (endpoint, requests):
        case = (WRITER, ["push", file, "org/small", "--report", report])
        ((status, out, err),) = commands(case, cache=tmp_path, endpoint=endpoint)
        assert status == 0, err
        sent = [path for _, path in requests if "/commit/" in path]
        commit = repositories["org/small"].branches["main"]
        asked = {"name": "org/small", "revision": commit, "texts": TEXTS}
        found = run(LOAD, asked, tmp_path / "other", endpoint)
    assert len(sent) == 1
    assert out == f"{endpoint}/org/small/commit/{commit}\n"

    expected = StaticModel.load(file).encode(TEXTS)
    for name, (vectors, _) in found.items():
        assert np.abs(np.array(vectors) - expected).max() < 1e-5, name
    assert "model.staticemb" in found["ours"][1]

    files = repositories["org/small"].commits[commit]
    assert files["model.staticemb"] == file.read_bytes()
    assert not repositories["org/small"].private
    card = files["README.md"].decode()
    assert head(card) == {
        "base_model": PROVENANCE["teacher"],
        "language": ["en", "de"],
        "library_name": "sentence-transformers",
        "license": "apache-2.0",
        "tags": [
            *("static-embeddings", "embeddings", "staticemb"),
            *("model2vec", "sentence-transformers", "sentence-similarity"),
        ],
    }
    assert PROVENANCE["recipe"] in card
    assert "71.3" in card
    assert "\n# and what looks" not in card
    assert card.count('from_pretrained("org/small")') == 2
    assert 'SentenceTransformer("org/small")' in card


@peers
def test_a_second_push_brings_and_removes_what_changed(file, tokenizer, tmp_path):
    damped = save(tmp_path / "damped.staticemb", tokenizer, damping=(1.0, 8), max_tokens=9)
    repositories = {"org/small": {".gitattributes": b"* text"}}
    cases = [
        ["push", file, "org/small", "--no-create"],
        ["push", damped, "org/small"],
        ["push", damped, "org/small", "--no-library-copy", "--overwrite-card"],
    ]
    with serve(repositories) as (endpoint, _):
        done = commands(*((WRITER, case) for case in cases), cache=tmp_path, endpoint=endpoint)
    assert [status for status, _, _ in done] == [0, 0, 0], done
    assert "plain mean" in done[1][2]
    assert "README.md stays" in done[1][2]
    _, first, second, third = repositories["org/small"].commits.values()
    assert first["README.md"] == second["README.md"]
    assert first["model.staticemb"] == file.read_bytes()
    assert second["model.staticemb"] == damped.read_bytes()
    assert set(first) == set(second) > set(third)
    assert set(third) == {".gitattributes", "README.md", "model.staticemb"}
    assert b"damped_mean" in third["README.md"]
    assert b"model2vec" not in third["README.md"]


def test_a_branch_and_a_private_repository(file, tmp_path):
    repositories = {}
    own = tmp_path / "mine.md"
    own.write_text("# my own words\n")
    arguments = ["push", file, "org/secret", "--private", "--revision", "next", "--no-library-copy"]
    with serve(repositories) as (endpoint, _):
        case = (WRITER, [*arguments, "--card", own])
        ((status, _, err),) = commands(case, cache=tmp_path, endpoint=endpoint)
        assert status == 0, err
    repository = repositories["org/secret"]
    assert repository.private
    assert repository.commits[repository.branches["main"]] == {}
    files = repository.commits[repository.branches["next"]]
    assert files == {"model.staticemb": file.read_bytes(), "README.md": own.read_bytes()}


def test_what_goes_wrong_is_one_line_and_changes_nothing(file, tmp_path):
    broken = bytearray(file.read_bytes())
    broken[-1] ^= 1
    (tmp_path / "broken.staticemb").write_bytes(broken)
    card, report = tmp_path / "card.md", tmp_path / "report.json"
    card.write_text("---\nlicense: no-such-license\n---\n")
    figures(report, "sha256:" + "0" * 64)
    alone = ["--no-library-copy"]
    cases = [
        (None, [file, "org/new"], "HF_TOKEN"),
        ("hf_nobody", [file, "org/new", *alone], "does not know the token"),
        (READER, [file, "org/there", *alone], "no permission to write"),
        (WRITER, [file, "others/new", *alone], "no permission to write"),
        (WRITER, [file, "org/new", "--no-create", *alone], "the repository does not exist"),
        (WRITER, [file, "org/there", "--private", *alone], "found a public one"),
        (WRITER, [file, "org/teacher"], "config.json, model.safetensors"),
        (WRITER, [file, "small"], "organization/name"),
        (WRITER, [file, "org/a b"], "organization/name"),
        (WRITER, [tmp_path / "none.staticemb", "org/new"], "no such file"),
        (WRITER, [tmp_path / "broken.staticemb", "org/new"], "digest_mismatch"),
        (WRITER, [file, "org/new", "--report", report, *alone], "expected a report on the file"),
        (WRITER, [file, "org/there", "--card", card, *alone], '"license" must be one of'),
    ]
    teacher = {"config.json": b"{}", "model.safetensors": b"weights"}
    repositories = {"org/there": {"README.md": b"#"}, "org/teacher": teacher}
    with serve(repositories) as (endpoint, _):
        done = commands(
            *((token, ["push", *arguments]) for token, arguments, _ in cases),
            cache=tmp_path / "cache",
            endpoint=endpoint,
        )
    for (_, arguments, says), (status, out, err) in zip(cases, done, strict=True):
        assert (status, out) == (2, ""), arguments
        assert err.count("\n") == 1, err
        assert says in err
    assert set(repositories) == {"org/there", "org/teacher"}
    assert all(set(repository.commits) == {COMMIT} for repository in repositories.values())


@pytest.mark.parametrize("offline", [False, True])
def test_a_hub_out_of_reach_is_one_line(file, tmp_path, offline):
    case = (WRITER, ["push", file, "org/new", "--no-library-copy"])
    ((status, _, err),) = commands(case, cache=tmp_path, offline=offline)
    assert status == 2
    assert err.count("\n") == 1, err
    assert ("offline mode" if offline else "cannot be reached") in err


def test_the_card_says_no_more_than_the_file(tmp_path, tokenizer):
    from staticemb_distiller.interop.card import repository_card

    path = save(
        tmp_path / "m.staticemb", tokenizer, provenance={"teacher": "model", "license": "A B"}
    )
    card = repository_card("org/m", read(path))
    assert head(card) == {
        "library_name": "staticemb",
        "license": "other",
        "license_name": "A B",
        "tags": ["static-embeddings", "embeddings", "staticemb", "sentence-similarity"],
    }
    assert "Recipe" not in card
    assert "Evaluation" not in card
