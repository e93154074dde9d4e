"""Teachers give the vectors that sentence-transformers gives, one kind and one module at a time."""

import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as some
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules as st
from tokenizers import Tokenizer

from staticemb_distiller.adaptation.streams import cut_for
from staticemb_distiller.errors import TeacherError
from staticemb_distiller.teacher import Teacher, native
from staticemb_distiller.teacher.batches import run_batches
from staticemb_distiller.teacher.pooling import MODES, pool

from . import teachers
from .teachers import TEXTS

TOLERANCE = 1e-5
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def load(folder: Path, **settings: Any) -> Teacher:
    return Teacher.load(str(folder), device="cpu", **settings)


def peer(folder: Path, **settings: Any) -> SentenceTransformer:
    model_kwargs = {"dtype": "float32"} | settings.pop("model_kwargs", {})
    return SentenceTransformer(str(folder), device="cpu", model_kwargs=model_kwargs, **settings)


def assert_equal(
    folder: Path, texts: Sequence[str] = TEXTS, *, prompt: str | None = None
) -> np.ndarray:
    """The folder's vectors are those of sentence-transformers, and tell texts apart."""
    ours = load(folder).encode(texts, prompt=prompt)
    theirs = peer(folder).encode(list(texts), prompt=prompt)
    assert ours.dtype == np.float32
    assert len(np.unique(ours.round(3), axis=0)) > len(texts) // 2
    scale = max(1.0, float(np.abs(theirs).max()))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE * scale)
    return ours


@pytest.fixture(scope="module", autouse=True)
def padded():
    """Pad batches as on a GPU: without padding there would be less to get wrong."""
    before, native._UNPADDED = native._UNPADDED, set()
    yield
    native._UNPADDED = before


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Models this small only lose by more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Built teachers by kind, each built once."""
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in made:
            made[kind] = teachers.build(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return get


@pytest.fixture(scope="module")
def bert(folder) -> Teacher:
    return load(folder("bert"))


# The real teacher


def test_real_teacher_equals_peer(minilm):
    digest = hashlib.sha256((minilm / "model.safetensors").read_bytes()).hexdigest()
    assert digest == MINILM_SHA256
    texts = [*TEXTS, "lorem ipsum dolor " * 400, "👩‍👩‍👧‍👦" * 20, "é" * 300]
    vectors = assert_equal(minilm, texts)
    assert vectors.shape == (len(texts), 384)


def test_real_teacher_describes_itself(minilm):
    teacher = load(minilm)
    assert (teacher.dim, teacher.max_length) == (384, 256)
    assert (teacher.license, teacher.languages) == ("apache-2.0", "en")
    assert teacher.revision.startswith("sha256:")
    assert teacher.input_embeddings().shape == (30522, 384)
    # The teacher's own tokenizer.json truncates to 128 tokens and pads; the copy does neither.
    assert len(teacher.tokenizer.encode("word " * 1000).ids) == 1002


# Kinds


@pytest.mark.parametrize("kind", teachers.KINDS)
def test_every_kind_equals_peer(folder, kind):
    assert_equal(folder(kind))


@pytest.mark.parametrize("kind", teachers.KINDS)
def test_a_vector_does_not_depend_on_its_batch(folder, kind):
    teacher = load(folder(kind))
    together = teacher.encode(TEXTS)
    alone = np.concatenate([teacher.encode([text], batch_tokens=1) for text in TEXTS])
    backwards = teacher.encode(TEXTS[::-1], batch_tokens=50)[::-1]
    scale = max(1.0, float(np.abs(alone).max()))
    np.testing.assert_allclose(together, alone, rtol=0, atol=TOLERANCE * scale)
    np.testing.assert_allclose(backwards, alone, rtol=0, atol=TOLERANCE * scale)


@pytest.mark.parametrize("side", ["left", "right"])
def test_either_padding_side_equals_peer(tmp_path, side):
    base = teachers.build("qwen3", tmp_path, pooling="lasttoken")
    config = base / "tokenizer_config.json"
    assert '"padding_side": "left"' in config.read_text()
    config.write_text(config.read_text().replace('"left"', f'"{side}"'))
    assert_equal(base)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("kind", ["bert", "qwen3"])
def test_half_precision_checkpoints_are_computed_in_float32(tmp_path, kind, dtype):
    made = teachers.build(kind, tmp_path, dtype=dtype)
    assert_equal(made)
    assert load(made).input_embeddings().dtype == np.float32


def test_bfloat16_on_request(folder):
    ours = load(folder("bert"), dtype="bfloat16").encode(TEXTS)
    exact = load(folder("bert")).encode(TEXTS)
    assert ours.dtype == np.float32
    assert 0 < np.abs(ours - exact).max() < 0.1 * np.abs(exact).max()


# Modules


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["bert", "qwen3"])
def test_every_pooling_mode_equals_peer(tmp_path, folder, kind, mode):
    base = folder(kind).parent / "plain"
    assert_equal(teachers.save(tmp_path, base, pooling=mode))


@pytest.mark.parametrize("old_names", [False, True])
def test_concatenated_pooling_equals_peer(tmp_path, folder, old_names):
    base = folder("bert").parent / "plain"
    made = teachers.save(tmp_path, base, pooling=["cls", "max", "mean", "lasttoken"])
    if old_names:
        teachers.rename_modules_as_before(made)
    assert assert_equal(made).shape == (len(TEXTS), 4 * 32)


@pytest.mark.parametrize("old_names", [False, True])
def test_module_stack_equals_peer(tmp_path, folder, old_names):
    extra = [
        teachers.dense(32, 48),
        teachers.dense(48, 48, activation_function=torch.nn.GELU(), use_residual=True),
        teachers.dense(48, 20, activation_function=None, bias=False, use_residual=True),
        teachers.layer_norm(20),
        st.Dropout(0.5),
        st.Normalize(),
    ]
    made = teachers.save(tmp_path, folder("bert").parent / "plain", extra=extra)
    if old_names:
        teachers.rename_modules_as_before(made)
    ours = assert_equal(made)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)


def test_token_level_dense_equals_peer(tmp_path, folder):
    """A dense layer between transformer and pooling works on every token."""
    base = folder("bert").parent / "plain"
    modules = [
        st.Transformer(str(base)),
        teachers.dense(32, 24, module_input_name="token_embeddings"),
        st.Pooling(24, "max"),
    ]
    SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path))
    assert_equal(tmp_path)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["bert", "qwen3"])
def test_prompts_left_out_of_pooling_equal_peer(tmp_path, folder, kind, mode):
    base = folder(kind).parent / "plain"
    made = teachers.save(tmp_path, base, pooling=mode, include_prompt=False)
    texts = [text for text in TEXTS if text.strip()]
    assert_equal(made, texts, prompt="the question: ")


def test_default_prompt_equals_peer(tmp_path, folder):
    base = folder("bert").parent / "plain"
    prompts = {"query": "question: ", "document": "answer: "}
    made = teachers.save(tmp_path, base, prompts=prompts, default_prompt_name="query")
    teacher = load(made)
    default = assert_equal(made)
    np.testing.assert_array_equal(default, teacher.encode(TEXTS, prompt=teacher.prompts["query"]))
    assert np.abs(default - assert_equal(made, prompt="")).max() > 0.01
    assert np.abs(default - assert_equal(made, prompt=prompts["document"])).max() > 0.01


def test_lowercasing_setting_equals_peer(tmp_path, folder):
    made = teachers.save(tmp_path, folder("roberta").parent / "plain")
    config = made / "sentence_bert_config.json"
    before = load(made).encode(["Berlin THE CAT"])
    config.write_text(config.read_text().replace("{", '{"do_lower_case": true,', 1))
    after = load(made).encode(["Berlin THE CAT", "berlin the cat"])
    np.testing.assert_array_equal(after[0], after[1])
    assert np.abs(after - before).max() > 0.01
    assert_equal(made)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_seq_length": 6, "tokenizer_args": {"truncation_side": "left"}},
        {"max_seq_length": 6, "processor_kwargs": {"truncation_side": "left"}},
        {"config_args": {"hidden_act": "relu"}},
        {"config_kwargs": {"hidden_act": "relu"}, "model_kwargs": {"dtype": "float16"}},
    ],
)
def test_loading_settings_equal_peer(tmp_path, folder, settings):
    made = teachers.save(tmp_path, folder("bert").parent / "plain")
    config = made / "sentence_bert_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | settings))
    changed = assert_equal(made)
    assert np.abs(changed - load(folder("bert")).encode(TEXTS)).max() > 0.01


def test_transformer_in_a_folder_of_its_own(tmp_path, folder):
    made = teachers.save(tmp_path / "new", folder("bert").parent / "plain", pooling="cls")
    expected = load(made).encode(TEXTS)
    own = made / "0_Transformer"
    own.mkdir()
    for file in [path for path in made.iterdir() if path.is_file()]:
        if file.name not in ("modules.json", "config_sentence_transformers.json"):
            file.rename(own / file.name)
    modules = json.loads((made / "modules.json").read_text())
    modules[0]["path"] = own.name
    (made / "modules.json").write_text(json.dumps(modules))
    np.testing.assert_array_equal(assert_equal(made), expected)


# Plain checkpoints


@pytest.mark.parametrize(
    ("kind", "head"),
    [("bert", ""), ("bert", "ForMaskedLM"), ("t5", ""), ("qwen3", ""), ("qwen3", "ForCausalLM")],
)
def test_checkpoints_without_modules_equal_peer(tmp_path, kind, head):
    """Mean pooling, or the last token of a model trained to predict the next."""
    assert_equal(teachers.plain(kind, tmp_path, head=head))


# Length


@pytest.mark.parametrize("limit", [5, 12])
def test_texts_are_cut_where_the_peer_cuts(tmp_path, folder, limit):
    made = teachers.save(tmp_path, folder("bert").parent / "plain", max_seq_length=limit)
    assert load(made).max_length == limit
    assert_equal(made)


def test_limit_of_the_positions_holds_where_no_other_does(tmp_path):
    """RoBERTa numbers positions from 2: 42 of them are 40 tokens; the peer overruns its table."""
    made = teachers.plain("roberta", tmp_path)
    config = made / "tokenizer_config.json"
    config.write_text(config.read_text().replace('"model_max_length": 40', '"unused": 0'))
    teacher = load(made)
    assert teacher.max_length == 40
    assert np.isfinite(teacher.encode(["word " * 500])).all()


def test_no_limit_at_all(tmp_path):
    made = teachers.plain("t5", tmp_path)
    config = made / "tokenizer_config.json"
    config.write_text(config.read_text().replace('"model_max_length": 40', '"unused": 0'))
    teacher = load(made)
    assert teacher.max_length is None
    short, long = teacher.encode(["cat " * 100, "cat " * 100 + "dog"])
    assert np.abs(short - long).max() > 1e-4


def test_truncation_side_equals_peer(tmp_path, folder):
    made = teachers.save(tmp_path, folder("bert").parent / "plain", max_seq_length=6)
    config = made / "tokenizer_config.json"
    config.write_text(config.read_text().replace("{", '{"truncation_side": "left",', 1))
    assert_equal(made)


@pytest.mark.parametrize("side", ["left", "right"])
def test_texts_are_cut_on_the_side_where_the_teacher_cuts(tmp_path, folder, side):
    made = teachers.save(tmp_path, folder("bert").parent / "plain", max_seq_length=6)
    config = made / "tokenizer_config.json"
    config.write_text(config.read_text().replace("{", f'{{"truncation_side": "{side}",', 1))
    teacher = load(made)
    text = "the cat sat on a mat in Berlin and the dog sat there"
    short = cut_for(teacher)(text)
    assert len(short) < len(text)
    np.testing.assert_array_equal(*teacher.encode([text, short]))


# Encoding


def test_windows_do_not_show(bert, monkeypatch):
    whole = bert.encode(TEXTS)
    monkeypatch.setattr(native, "_WINDOW", 3)
    monkeypatch.setattr(native, "_CHUNK_TEXTS", 2)
    np.testing.assert_allclose(bert.encode(TEXTS), whole, atol=TOLERANCE)


@given(some.lists(some.integers(0, 9), max_size=40), some.integers(1, 30))
def test_without_padding_every_batch_has_one_length(lengths, budget):
    lengths = np.array(lengths, np.int64)
    out = np.full((len(lengths), 1), -1, np.float32)
    batches = []

    def forward(rows):
        batches.append(rows)
        return torch.from_numpy(rows[:, None].astype(np.float32))

    run_batches(lengths, budget, forward, out, lambda done: None, padded=False)
    assert out[:, 0].tolist() == list(range(len(lengths)))
    for rows in batches:
        assert len(set(lengths[rows])) == 1
        assert len(rows) == 1 or lengths[rows].sum() <= budget


@settings(max_examples=25)
@given(
    texts=some.lists(some.text(some.characters(exclude_categories=["Cs"])), max_size=8),
    batch_tokens=some.integers(1, 200),
)
def test_any_texts_in_any_batches(bert, texts, batch_tokens):
    vectors = bert.encode(texts, batch_tokens=batch_tokens)
    assert vectors.shape == (len(texts), bert.dim)
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(vector, bert.encode([text])[0], atol=TOLERANCE)


def test_a_text_without_tokens_is_zero(tmp_path, monkeypatch):
    made = teachers.build("qwen3", tmp_path)
    file = made / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.post_processor = None
    tokenizer.save(str(file))
    teacher = load(made)
    model = teacher._backend._encoder.model
    forward = model.forward

    def attentive(**inputs):
        # With nothing to attend to, some attention kernels give NaN.
        assert inputs["attention_mask"].any(dim=1).all()
        return forward(**inputs)

    monkeypatch.setattr(model, "forward", attentive)
    vectors = teacher.encode(["", "cat", ""])
    assert not vectors[[0, 2]].any()
    assert vectors[1].any()
    assert not teacher.encode([""]).any()


def test_texts_that_are_none_are_named(bert):
    with pytest.raises(TeacherError, match="cannot be encoded"):
        bert.encode(["fine", "half a pair: \ud83d"])
    with pytest.raises(TeacherError, match="NoneType"):
        bert.encode(["fine", None])
    with pytest.raises(TeacherError, match="a single text"):
        bert.encode("fine")


def test_overflow_is_not_passed_on(tmp_path):
    made = teachers.build("bert", tmp_path, extra=[teachers.dense(32, 8, activation_function=None)])
    teacher = load(made)
    linear = teacher._backend._modules[1].linear
    linear.bias.data.fill_(float("inf"))  # as 16 bits give it where a sum is too large
    with pytest.raises(TeacherError, match="2 of 2"):
        teacher.encode(["the cat", "the dog"])


# Memory


@pytest.mark.parametrize(
    "failure",
    [
        torch.cuda.OutOfMemoryError("no"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    ],
)
def test_batches_are_halved_until_they_fit(folder, monkeypatch, failure):
    teacher = load(folder("bert"))
    expected = teacher.encode(TEXTS)
    model = teacher._backend._encoder.model
    forward, shapes = model.forward, []

    def small_only(**inputs):
        shapes.append(tuple(inputs["input_ids"].shape))
        if inputs["input_ids"].numel() > 100:
            raise failure
        return forward(**inputs)

    monkeypatch.setattr(model, "forward", small_only)
    np.testing.assert_allclose(teacher.encode(TEXTS), expected, atol=TOLERANCE)
    failed = [rows * width for rows, width in shapes if rows * width > 100]
    assert len(failed) >= 2
    # What did not fit is halved, and never tried again at that size.
    assert all(after <= before / 2 for before, after in itertools.pairwise(failed))


def test_one_text_too_large_for_memory(folder, monkeypatch):
    teacher = load(folder("bert"))

    def never(**inputs):
        raise torch.cuda.OutOfMemoryError("no")

    monkeypatch.setattr(teacher._backend._encoder.model, "forward", never)
    with pytest.raises(TeacherError, match="a single text of 7 tokens"):
        teacher.encode_ids([[2, 5, 6, 7, 8, 9, 3], [2, 3]])


def test_other_failures_are_not_taken_for_memory(folder, monkeypatch):
    teacher = load(folder("bert"))

    def broken(**inputs):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(teacher._backend._encoder.model, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        teacher.encode(["cat"])


# Token ids


@pytest.mark.parametrize("kind", teachers.KINDS)
def test_ids_of_a_text_give_its_vector(folder, kind):
    teacher = load(folder(kind))
    texts = [text for text in TEXTS if len(teacher.tokenizer.encode(text).ids) <= 40]
    ids = [teacher.tokenizer.encode(text).ids for text in texts]
    expected = teacher.encode(texts)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(teacher.encode_ids(ids), expected, atol=TOLERANCE * scale)


@pytest.mark.parametrize("pooling", ["mean", "first", "last", "pooler"])
def test_id_pooling_is_that_of_the_last_hidden_state(folder, pooling):
    base = folder("bert").parent / "plain"
    sequences = [[2, 3], [2, 70, 3], [2, 70, 80, 90, 3], [2, 45, 3]]
    model = transformers.AutoModel.from_pretrained(base).eval()
    expected = []
    for sequence in sequences:
        with torch.inference_mode():
            output = model(torch.tensor([sequence]))
        hidden = output.last_hidden_state[0]
        expected.append(
            {
                "mean": hidden.mean(dim=0),
                "first": hidden[0],
                "last": hidden[-1],
                "pooler": output.pooler_output[0],
            }[pooling].numpy()
        )
    ours = load(folder("bert")).encode_ids(sequences, pooling=pooling, batch_tokens=11)
    np.testing.assert_allclose(ours, np.stack(expected), atol=TOLERANCE)


def test_input_embeddings_are_the_checkpoint_s(folder):
    model = transformers.AutoModel.from_pretrained(folder("modernbert").parent / "plain")
    expected = model.get_input_embeddings().weight.detach().numpy()
    np.testing.assert_array_equal(load(folder("modernbert")).input_embeddings(), expected)


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([[2, 3], []], "sequence 1: expected ids"),
        ([[2, -1, 3]], "ids from -1 to 3"),
        ([[2, 10**6, 3]], "ids from 2 to 1000000"),
        ([[2] * 65], "expected at most 64 tokens, found 65"),
    ],
)
def test_impossible_ids(bert, sequences, message):
    with pytest.raises(TeacherError, match=message):
        bert.encode_ids(sequences)


def test_no_pooler(folder):
    with pytest.raises(TeacherError):
        load(folder("modernbert")).encode_ids([[1, 2]], pooling="pooler")


def test_an_untrained_pooler_is_none(tmp_path):
    """A checkpoint saved with a language-model head has no pooler weights."""
    teacher = load(teachers.plain("bert", tmp_path, head="ForMaskedLM"))
    with pytest.raises(TeacherError):
        teacher.encode_ids([[2, 3]], pooling="pooler")


def test_unknown_choices(bert):
    with pytest.raises(ValueError, match="pooling 'median'"):
        bert.encode_ids([[2, 3]], pooling="median")
    with pytest.raises(ValueError, match="at least 1"):
        bert.encode(["cat"], batch_tokens=0)


def test_progress_is_shown_on_request(bert, capsys):
    bert.encode(TEXTS, show_progress_bar=True)
    assert f"{len(TEXTS)}/{len(TEXTS)}" in capsys.readouterr().err
    bert.encode(TEXTS)
    assert not capsys.readouterr().err


# Pooling as arithmetic


@given(
    lengths=some.lists(some.integers(0, 6), min_size=1, max_size=5),
    skip=some.integers(0, 7),
    seed=some.integers(0, 99),
)
def test_padding_never_leaks(lengths, skip, seed):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(len(lengths), 6, 3, generator=generator)
    counts = torch.tensor(lengths)
    dirty = tokens.clone()
    for row, length in zip(dirty, lengths, strict=True):
        row[length:] = 1e9
    pooled = pool(dirty, counts, MODES, skip=skip)
    assert torch.isfinite(pooled).all()
    for row, length in enumerate(lengths):
        alone = pool(
            tokens[row : row + 1, : max(length, 1)], counts[row : row + 1], MODES, skip=skip
        )
        torch.testing.assert_close(pooled[row : row + 1], alone)


@pytest.mark.parametrize(
    "prompts",
    [
        {"query": "query: ", "passage": "passage: "},
        {"query": "query: ", "document": "title: ", "passage": "passage: "},
        {"default": "default: ", "query": "query: "},
        {"default": "default: ", "corpus": ""},
    ],
)
def test_kinds_of_text_have_the_teachers_own_prompts(tmp_path, folder, prompts):
    default = "default" if "default" in prompts else None
    base = folder("bert").parent / "plain"
    made = teachers.save(tmp_path, base, prompts=prompts, default_prompt_name=default)
    teacher, peer = load(made), SentenceTransformer(str(made), device="cpu")
    for kind, encode in (("query", peer.encode_query), ("document", peer.encode_document)):
        found = teacher.encode(TEXTS, kind=kind)
        np.testing.assert_allclose(found, encode(TEXTS), atol=1e-5)
        used = teacher.about(kind)["prompt"]
        np.testing.assert_array_equal(found, teacher.encode(TEXTS, prompt=used))
