"""Where teachers come from, what is refused, and what is left to sentence-transformers."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
import transformers
from huggingface_hub import errors as hub
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules as st

from staticemb_distiller import errors
from staticemb_distiller.teacher import Teacher, sentence_transformers_backend, source

from . import teachers

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def load(folder: Path, **settings: Any) -> Teacher:
    return Teacher.load(str(folder), device="cpu", **settings)


@pytest.fixture
def folder(tmp_path):
    """A teacher that the test may damage."""
    return teachers.build("bert", tmp_path, extra=[teachers.dense(32, 16), st.Normalize()])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty Hub cache."""
    path = tmp_path / "cache"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(path))
    return path


def edit(path: Path, **values: Any) -> None:
    """Change values of a JSON object in a file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def retype(folder: Path, number: int, name: str) -> None:
    """Give a module of modules.json another class."""
    path = folder / "modules.json"
    entries = json.loads(path.read_text())
    entries[number]["type"] = name
    path.write_text(json.dumps(entries))


# Local folders


def test_digest_pins_a_folder(folder):
    teacher = load(folder)
    assert teacher.name == folder.name
    assert load(folder, revision=teacher.revision).revision == teacher.revision
    (folder / "README.md").write_text("a model card changes no vector")
    assert load(folder).revision == teacher.revision
    edit(folder / "2_Dense" / "config.json", activation_function="torch.nn.modules.linear.Identity")
    assert load(folder).revision != teacher.revision
    with pytest.raises(errors.TeacherNotFoundError, match="not the same as before"):
        load(folder, revision=teacher.revision)


def test_digest_is_what_sha256sum_prints(folder):
    """Anyone can check it with standard tools."""
    script = (
        "find . -name '*.safetensors' -o -name '*.json' -o -name '*.txt' -o -name '*.model' "
        "| sed 's:^\\./::' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    )
    shell = subprocess.run(script, cwd=folder, shell=True, capture_output=True, text=True)
    if shell.returncode:
        pytest.skip("no sha256sum here")
    assert shell.stdout.split()[0] == source.content_digest(folder)


@pytest.mark.parametrize(
    ("front", "license_", "languages"),
    [
        ("license: mit\nlanguage: en", "mit", "en"),
        ("language:\n- de\n- no\n- fr", "", "de,no,fr"),
        ("license: other\nlicense_name: gemma\nlanguage: no", "gemma", "no"),
        ("license: other", "other", ""),
        ("license: 3\nlanguage: {a: b}", "", ""),
        ("license: [unclosed", "", ""),
        ("- not\n- a mapping", "", ""),
    ],
)
def test_model_card(folder, front, license_, languages):
    (folder / "README.md").write_text(f"---\n{front}\n---\n# A model\n")
    teacher = load(folder)
    assert (teacher.license, teacher.languages) == (license_, languages)


def test_no_model_card(folder):
    teacher = load(folder)
    assert (teacher.license, teacher.languages) == ("", "")


def test_what_is_no_teacher(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for name, message in {
        "./no/such/folder": "no such folder",
        str(tmp_path / "missing"): "no such folder",
        "a/b/c": "no such folder",
        "": "found an empty name",
        str(file): "a file",
        str(tmp_path): "neither modules.json nor config.json",
    }.items():
        with pytest.raises(errors.TeacherNotFoundError, match=message):
            Teacher.load(name)


# The Hub


def test_a_cached_snapshot_works_offline(folder, cache):
    """Its revision is the commit, whatever name led there."""
    repo = cache / "models--someone--tiny"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT)
    (repo / "snapshots").mkdir()
    folder.rename(repo / "snapshots" / COMMIT)
    for revision in (None, "main", COMMIT):
        teacher = Teacher.load("someone/tiny", revision=revision, device="cpu")
        assert (teacher.name, teacher.revision) == ("someone/tiny", COMMIT)
    with pytest.raises(errors.HubUnavailableError, match="at revision v9"):
        Teacher.load("someone/tiny", revision="v9")


def test_offline_and_not_cached(cache):
    with pytest.raises(errors.HubUnavailableError, match="someone/else: no such folder, not in"):
        Teacher.load("someone/else")


def answer(error: type[Exception]) -> Exception:
    request = SimpleNamespace(url="https://example.org", method="GET")
    response: Any = SimpleNamespace(headers={}, request=request, status_code=404)
    if issubclass(error, hub.HfHubHTTPError):
        return error("first line\nsecond line", response=response)
    return error("first line\nsecond line")


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (hub.GatedRepoError, errors.TeacherNotFoundError, "accept its conditions at https://"),
        (hub.RepositoryNotFoundError, errors.TeacherNotFoundError, "Hub knows no such model"),
        (hub.HFValidationError, errors.TeacherNotFoundError, "no such model"),
        (hub.RevisionNotFoundError, errors.TeacherNotFoundError, "someone/tiny at revision v1"),
        (hub.LocalEntryNotFoundError, errors.HubUnavailableError, "cannot be reached"),
        (hub.HfHubHTTPError, errors.HubUnavailableError, "failed: first line"),
        (ConnectionError, errors.HubUnavailableError, "failed: first line"),
    ],
)
def test_what_the_hub_answers(monkeypatch, raised, expected, message):
    def download(*args, **settings):
        raise answer(raised)

    monkeypatch.setattr(source, "snapshot_download", download)
    with pytest.raises(expected, match=message) as caught:
        Teacher.load("someone/tiny", revision="v1")
    assert "\n" not in str(caught.value)


def test_a_bare_name_gets_a_hint(monkeypatch):
    def download(*args, **settings):
        raise answer(hub.RepositoryNotFoundError)

    monkeypatch.setattr(source, "snapshot_download", download)
    with pytest.raises(errors.TeacherNotFoundError, match="sentence-transformers/all-MiniLM-L6-v2"):
        Teacher.load("all-MiniLM-L6-v2")


# Files that are wrong


def drop_tensor(folder: Path) -> None:
    file = folder / "model.safetensors"
    tensors = load_file(file)
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, file, {"format": "pt"})


def pickle_instead(folder: Path) -> None:
    file = folder / "model.safetensors"
    torch.save(load_file(file), folder / "pytorch_model.bin")
    file.unlink()


DAMAGE: dict[str, tuple[Any, type[Exception], str]] = {
    "modules not JSON": (
        lambda f: (f / "modules.json").write_text("["),
        errors.TeacherError,
        "modules.json: expected JSON",
    ),
    "modules empty": (
        lambda f: (f / "modules.json").write_text("[]"),
        errors.TeacherError,
        "expected a list of modules",
    ),
    "module without a path": (
        lambda f: (f / "modules.json").write_text('[{"type": "a.B"}]'),
        errors.TeacherError,
        "expected `type` and `path`",
    ),
    "module outside the folder": (
        lambda f: (f / "modules.json").write_text(
            '[{"type": "sentence_transformers.models.Transformer", "path": "../.."}]'
        ),
        errors.TeacherError,
        "leaves the folder",
    ),
    "pooling not an object": (
        lambda f: (f / "1_Pooling" / "config.json").write_text("[1]"),
        errors.TeacherError,
        "expected a JSON object, found list",
    ),
    "config not JSON": (
        lambda f: (f / "config.json").write_text("{"),
        errors.TeacherError,
        "config.json",
    ),
    "weights truncated": (
        lambda f: (f / "model.safetensors").write_bytes(
            (f / "model.safetensors").read_bytes()[:-9]
        ),
        errors.TeacherError,
        "damaged weights|cannot be loaded",
    ),
    "weights missing": (
        lambda f: (f / "model.safetensors").unlink(),
        errors.TeacherError,
        "no weights: expected model.safetensors",
    ),
    "weights pickled": (pickle_instead, errors.TeacherError, "pytorch_model.bin"),
    "weights incomplete": (drop_tensor, errors.TeacherError, "lack 1 tensors"),
    "dense weights missing": (
        lambda f: (f / "2_Dense" / "model.safetensors").unlink(),
        errors.TeacherError,
        "2_Dense",
    ),
    "dense weights of another name": (
        lambda f: save_file({"w": torch.zeros(2)}, f / "2_Dense" / "model.safetensors"),
        errors.TeacherError,
        "expected tensor 'linear.weight'",
    ),
    "dense weights not safetensors": (
        lambda f: (f / "2_Dense" / "model.safetensors").write_text("no"),
        errors.TeacherError,
        "not a safetensors file",
    ),
    "limit not a number": (
        lambda f: edit(f / "sentence_bert_config.json", max_seq_length="long"),
        errors.TeacherError,
        "max_seq_length: expected a positive integer, found 'long'",
    ),
    "prompts not an object": (
        lambda f: edit(f / "config_sentence_transformers.json", prompts=["query: "]),
        errors.TeacherError,
        "prompts: expected an object",
    ),
    "modules nested too deeply": (
        lambda f: (f / "modules.json").write_text("[" * 100_000),
        errors.TeacherError,
        "modules.json: expected JSON",
    ),
    "default prompt not a name": (
        lambda f: edit(f / "config_sentence_transformers.json", default_prompt_name=["query"]),
        errors.TeacherError,
        r"default prompt \['query'\]",
    ),
    "name of a feature not a name": (
        lambda f: edit(f / "2_Dense" / "config.json", module_input_name=["token_embeddings"]),
        errors.TeacherError,
        "expected the name of a feature",
    ),
    "module path that is no path": (
        lambda f: (f / "modules.json").write_text(
            '[{"type": "sentence_transformers.models.Transformer", "path": "\\u0000"}]'
        ),
        errors.TeacherError,
        "leaves the folder",
    ),
    "most tokens not a number": (
        lambda f: edit(f / "tokenizer_config.json", model_max_length=[]),
        errors.TeacherError,
        "model_max_length: expected a number above 0",
    ),
    "padding outside the vocabulary": (
        lambda f: edit(f / "tokenizer_config.json", pad_token="nowhere"),
        errors.TeacherError,
        "the teacher cannot run: ",
    ),
    "settings of the architecture of another type": (
        lambda f: edit(f / "config.json", hidden_size=[], num_hidden_layers={}),
        errors.TeacherError,
        "cannot be loaded",
    ),
    "setting that only attention reads": (
        lambda f: edit(f / "config.json", is_causal="x"),
        errors.TeacherError,
        "the teacher cannot run: .*is_causal.* must be bool",
    ),
    "default prompt missing": (
        lambda f: edit(f / "config_sentence_transformers.json", default_prompt_name="passage"),
        errors.TeacherError,
        "default prompt 'passage'",
    ),
    "dense of another width": (
        lambda f: save_file(
            {"linear.weight": torch.zeros(4, 7), "linear.bias": torch.zeros(4)},
            f / "2_Dense" / "model.safetensors",
        ),
        errors.TeacherError,
        "the teacher cannot run: ",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_files_are_named(folder, damage):
    action, expected, message = DAMAGE[damage]
    action(folder)
    with pytest.raises(expected, match=message) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_pickles_are_never_opened(folder, tmp_path):
    """A pickle beside missing safetensors weights does not get to run its code."""
    for place in (folder, folder / "2_Dense"):
        (place / "model.safetensors").unlink()
        target = str(tmp_path / "ran").encode()
        (place / "pytorch_model.bin").write_bytes(
            b"cbuiltins\nopen\n(S'" + target + b"'\nS'w'\ntR."
        )
    with pytest.raises(errors.TeacherError):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_unknown_architecture(folder):
    edit(folder / "config.json", model_type="hyperbert")
    with pytest.raises(errors.TeacherError, match="'hyperbert'"):
        load(folder)


def test_a_teacher_larger_than_the_device(folder, monkeypatch):
    def full(*args, **settings):
        raise torch.cuda.OutOfMemoryError("no")

    monkeypatch.setattr(transformers.BertModel, "to", full)
    with pytest.raises(errors.TeacherError, match="does not fit on cpu"):
        load(folder)


def test_unknown_device_or_number_type(folder):
    with pytest.raises(errors.TeacherError, match="'abacus'"):
        Teacher.load(str(folder), device="abacus")
    if not torch.cuda.is_available():
        with pytest.raises(errors.TeacherError, match="'cuda'"):
            Teacher.load(str(folder), device="cuda")
    with pytest.raises(errors.TeacherError, match="'int4'"):
        load(folder, dtype="int4")


# Code of the teacher's own


def test_code_in_the_folder_needs_permission(folder, tmp_path):
    edit(
        folder / "config.json",
        model_type="mine",
        auto_map={"AutoConfig": "mine.Config", "AutoModel": "mine.Model"},
    )
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(errors.UntrustedCodeError, match="--trust-remote-code"):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_modules_of_other_packages_need_permission(folder, monkeypatch, tmp_path):
    (tmp_path / "elsewhere.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    retype(folder, 1, "elsewhere.Pooling")
    with pytest.raises(errors.UntrustedCodeError, match=r"elsewhere\.Pooling"):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_permitted_code_runs_in_the_peer(folder, monkeypatch, tmp_path):
    expected = load(folder).encode(teachers.TEXTS)
    (folder / "elsewhere_teacher.py").write_text(
        "from sentence_transformers.sentence_transformer.modules import Pooling as Base\n"
        "class Pooling(Base):\n"
        "    def forward(self, features, **settings):\n"
        "        features = super().forward(features, **settings)\n"
        "        features['sentence_embedding'] = -features['sentence_embedding']\n"
        "        return features\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    retype(folder, 1, "elsewhere_teacher.Pooling")
    retype(folder, 2, "sentence_transformers.models.Dense")
    ours = load(folder, trust_remote_code=True).encode(teachers.TEXTS)
    theirs = SentenceTransformer(str(folder), device="cpu", trust_remote_code=True)
    np.testing.assert_allclose(ours, theirs.encode(teachers.TEXTS), atol=1e-5)
    assert np.abs(ours - expected).max() > 0.01


def test_native_code_from_the_hub_needs_permission(folder):
    edit(folder / "config.json", attn_implementation="someone/kernel")
    with pytest.raises(errors.UntrustedCodeError, match="'someone/kernel'"):
        load(folder)


# Modules left to sentence-transformers


@pytest.fixture
def unusual(tmp_path):
    """A teacher with a convolution between transformer and pooling."""
    base = teachers.plain("bert", tmp_path / "plain")
    torch.manual_seed(0)
    modules = [st.Transformer(str(base)), st.CNN(32, 8), st.Pooling(24)]
    model = SentenceTransformer(modules=modules, device="cpu")
    model.save(str(tmp_path / "teacher"))
    return tmp_path / "teacher"


def test_unknown_modules_are_run_by_the_peer(unusual):
    teacher = load(unusual)
    theirs = SentenceTransformer(str(unusual), device="cpu").encode(teachers.TEXTS)
    assert teacher.dim == 24
    np.testing.assert_allclose(teacher.encode(teachers.TEXTS), theirs, atol=1e-5)
    assert (
        teacher.tokenizer.encode("the cat").ids
        == load(unusual.parent / "plain").tokenizer.encode("the cat").ids
    )
    assert teacher.input_embeddings().shape[1] == 32
    with pytest.raises(errors.TeacherError, match="cannot encode bare token ids"):
        teacher.encode_ids([[2, 3]])


def test_unknown_modules_without_the_peer(unusual, monkeypatch):
    monkeypatch.setattr(sentence_transformers_backend, "find_spec", lambda name: None)
    with pytest.raises(errors.TeacherError, match=r"CNN.*pip install sentence-trans"):
        load(unusual)


def test_modules_unknown_to_the_peer_too(folder):
    retype(folder, 1, "sentence_transformers.models.Telepathy")
    with pytest.raises(errors.TeacherError, match=r"Telepathy.*cannot load it either"):
        load(folder)


def test_chat_template_is_left_to_the_peer(tmp_path):
    """A teacher saved as a chat model takes its texts as messages."""
    base = teachers.plain("qwen3", tmp_path / "plain")
    template = "{% for m in messages %}<|im_start|>{{ m['content'] }}{% endfor %}<|endoftext|>"
    (base / "chat_template.jinja").write_text(template)
    made = teachers.save(tmp_path / "teacher", base, pooling="lasttoken")
    assert "message" in (made / "sentence_bert_config.json").read_text()
    theirs = SentenceTransformer(str(made), device="cpu").encode(teachers.SENTENCES)
    np.testing.assert_allclose(load(made).encode(teachers.SENTENCES), theirs, atol=1e-5)


def test_static_teacher(tmp_path):
    """A teacher that is itself a table of vectors."""
    fast = teachers.tokenizer("bert").backend_tokenizer
    torch.manual_seed(0)
    static = st.StaticEmbedding(fast, embedding_dim=12)
    SentenceTransformer(modules=[static], device="cpu").save(str(tmp_path))
    teacher = load(tmp_path)
    theirs = SentenceTransformer(str(tmp_path), device="cpu").encode(teachers.SENTENCES)
    np.testing.assert_allclose(teacher.encode(teachers.SENTENCES), theirs, atol=1e-5)
    assert teacher.input_embeddings().shape == (fast.get_vocab_size(), 12)


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("1_Pooling/config.json", {"pooling_mode": "telepathy"}),
        ("1_Pooling/config.json", {"pooling_mode": 5}),
        ("1_Pooling/config.json", {"pooling_mode": []}),
        ("2_Dense/config.json", {"activation_function": "os.system"}),
        ("2_Dense/config.json", {"activation_function": "torch.nn.modules.linear.Linear"}),
        ("sentence_bert_config.json", {"transformer_task": "fill-mask"}),
        ("sentence_bert_config.json", {"modality_config": {"image": {}}}),
        ("sentence_bert_config.json", {"model_args": {"quantization_config": {}}}),
    ],
)
def test_settings_that_only_the_peer_may_know(folder, monkeypatch, file, values):
    edit(folder / file, **values)
    monkeypatch.setattr(sentence_transformers_backend, "find_spec", lambda name: None)
    with pytest.raises(errors.TeacherError, match=r"pip install sentence-transformers"):
        load(folder)


def test_runs_without_the_peer(folder):
    """sentence-transformers is never imported for a teacher that needs nothing of it."""
    script = (
        "import sys\n"
        "sys.modules['sentence_transformers'] = None\n"
        "from staticemb_distiller.teacher import Teacher\n"
        f"print(Teacher.load({str(folder)!r}, device='cpu').encode(['a cat']).shape)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "(1, 16)\n"), run.stderr
    assert "Loading" not in run.stderr
