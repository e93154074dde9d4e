"""The part `pieces`: models that start from it, parts that are refused, hostile arrays."""

import base64
import contextlib
import gzip
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, normalizers

from bert_definitions import SAME_TABLES
from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import (
    FormatError,
    InvalidTextError,
    StaticEmbError,
    TokenizerInvalidError,
)
from staticemb_runtime.format import read
from staticemb_runtime.tokenization import charsmap, unigram
from staticemb_runtime.tokenization.unigram_encoder import open_unigram
from staticemb_runtime.tokenization.word_tokenizer import WordTokenizer
from tokenizer_families import NAMES, SENTENCES, family_json
from unigram_designs import definition, library_ids, opened, pieces_tensors, proven_ids
from word_tokenizers import found

FAMILIES = ["xlmr", "bge_m3", "model2vec", "t5", "cluster_split", "cluster_metaspace"]
TEXTS = [
    *SENTENCES,
    "",
    " ",
    "  a  b ",
    "ﬁnd ① e\u0301 İ",
    "\r\n x\ty",
    "北京 สวัสดีชาวโลก",
    "x" * 3000,
]
UNPROVEN = "a <mask> b"


def saved(folder: Path, tokenizer: bytes, *, part: bool = True, **changes: object) -> Path:
    """A file, with the part and its changed tensors or without it."""
    members = json.loads(tokenizer)
    count = len(members["model"]["vocab"]) + len(members["added_tokens"])
    table = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    tensors = {**pieces_tensors(tokenizer, least=1), **changes} if part else {}
    path = folder / f"{'with' if part else 'without'}.staticemb"
    write(path, Parts(table, tokenizer, optional=tensors), Settings(unknown_token_id=3))
    return path


@pytest.fixture(params=FAMILIES)
def tokenizer(request: pytest.FixtureRequest) -> bytes:
    return family_json(request.param)


def loaded(path: Path) -> StaticModel:
    return StaticModel.load(path)


# --- the same vectors ---------------------------------------------------------------------------


def test_vectors_are_those_of_a_file_without_the_part(tmp_path, tokenizer):
    ours, plain = loaded(saved(tmp_path, tokenizer)), loaded(saved(tmp_path, tokenizer, part=False))
    for texts in (TEXTS, TEXTS[::-1], [*TEXTS, UNPROVEN], TEXTS):
        np.testing.assert_array_equal(ours.encode(texts), plain.encode(texts))


def test_limits_hold(tmp_path):
    tokenizer = family_json("xlmr")
    path = saved(tmp_path, tokenizer)
    file = read(path)
    limited = file._replace(metadata=file.metadata._replace(max_tokens=2))
    plain = limited._replace(optional={})
    expected = StaticModel.from_parts(plain).encode(TEXTS)
    np.testing.assert_array_equal(StaticModel.from_parts(limited).encode(TEXTS), expected)


@pytest.mark.parametrize("name", FAMILIES)
def test_ids_of_many_languages(name):
    tokenizer = family_json(name)
    path = Path(__file__).parents[1] / "data" / "multilingual.txt.gz"
    texts = gzip.decompress(path.read_bytes()).decode().split("\n")[::5]
    encoder = opened(tokenizer)
    right = library_ids(tokenizer, texts)
    ours = proven_ids(encoder, texts)
    assert [ids for ids in ours if ids is not None] == [
        ids for ids, mine in zip(right, ours, strict=True) if mine is not None
    ]
    assert found(WordTokenizer(encoder), texts) == right
    refused = ours.count(None)
    # The clusters of no real model begin with blanks and marks of Arabic: more is refused.
    assert refused <= (0.05 if name.startswith("cluster") else 0.002) * len(texts)


def test_every_character_is_normalized_as_the_library_does(monkeypatch):
    monkeypatch.setattr(charsmap, "_MAX_KNOWN", 1 << 21)
    tokenizer = family_json("xlmr")
    normalize = opened(tokenizer)._components.normalize
    normalizer = Tokenizer.from_buffer(tokenizer).normalizer
    # Planes 3 to 13 have almost no characters.
    codes = [*range(0xD800), *range(0xE000, 0x30000), *range(0xE0000, 0xE0200)]
    for begin in range(0, len(codes), 64):
        characters = list(map(chr, codes[begin : begin + 64]))
        for text in ("x".join(characters), *characters, *[f"e{each}o" for each in characters]):
            found = normalize(text)
            if found is not None:
                assert found == normalizer.normalize_str(text)
                if len(text) > 3:
                    break
            elif len(text) == 1:
                raise AssertionError(f"U+{ord(text):04X} alone is refused")


@pytest.mark.skipif(not SAME_TABLES, reason="the library's version has another Unicode")
def test_lower_case_is_the_librarys():
    tokenizer = definition([("<unk>", 0.0), ("a", -1.0)], normalizer={"type": "Lowercase"})
    normalize = opened(tokenizer)._components.normalize
    library = normalizers.Lowercase()
    codes = [*range(0xD800), *range(0xE000, 0x110000)]
    for begin in range(0, len(codes), 1024):
        # A sigma at the end of a word stays the one of its middle.
        text = "Σ ".join(map(chr, codes[begin : begin + 1024]))
        assert normalize(text) == library.normalize_str(text)


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(FAMILIES)))
def test_other_designs_are_refused_or_exact(name):
    tokenizer = family_json(name)
    encoder = opened(tokenizer)
    if encoder is not None:
        assert found(WordTokenizer(encoder), TEXTS) == library_ids(tokenizer, TEXTS)


def test_blocks_do_not_matter(monkeypatch, tokenizer):
    right = library_ids(tokenizer, TEXTS)
    monkeypatch.setattr(unigram, "_BLOCK", 7)
    monkeypatch.setattr(unigram, "_LOOK_UPS", 5)
    assert proven_ids(opened(tokenizer), TEXTS) == right


def test_threads_share_a_tokenizer(tokenizer):
    right = library_ids(tokenizer, TEXTS)
    words = WordTokenizer(opened(tokenizer), cache_words=16)
    with ThreadPoolExecutor(8) as pool:
        for ids, counts in pool.map(words.encode, [TEXTS] * 32):
            assert [part.tolist() for part in np.split(ids, counts.cumsum())[:-1]] == right


# --- without the library ------------------------------------------------------------------------


def test_texts_need_no_tokenizers_library(tmp_path):
    path = saved(tmp_path, family_json("xlmr"))
    code = (
        "import sys\nfrom staticemb_runtime import StaticModel\n"
        f"model = StaticModel.load({str(path)!r})\n"
        "model.encode(['The quick fox', 'สวัสดี 北京 e\u0301'])\n"
        "assert 'tokenizers' not in sys.modules\n"
        "model.encode('a <mask> b')\nassert 'tokenizers' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_surrogate_is_refused_as_without_the_part(tmp_path):
    model = loaded(saved(tmp_path, family_json("xlmr")))
    with pytest.raises(InvalidTextError, match=r"text 1: .*surrogate"):
        model.encode(["a", "\ud800"])


# --- parts that are refused ---------------------------------------------------------------------


def test_a_part_that_differs_is_named_and_not_used(tmp_path):
    tokenizer = family_json("xlmr")
    scores = pieces_tensors(tokenizer, least=1)["pieces.scores"]
    path = saved(tmp_path, tokenizer, **{"pieces.scores": scores[::-1].copy()})
    plain = loaded(saved(tmp_path, tokenizer, part=False)).encode(TEXTS)
    verified = StaticModel.load(path, verify=True)
    np.testing.assert_array_equal(verified.encode(TEXTS), plain)
    assert read(path, verify=True).refused == ("pieces",)
    assert read(path).refused == ()
    done = subprocess.run(
        [sys.executable, "-m", "staticemb_runtime", "info", str(path), "--verify", "--json"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert json.loads(done.stdout)["refused_parts"] == ["pieces"]


def test_a_part_of_more_pieces_than_rows_is_not_used(tmp_path):
    vocabulary = [("<unk>", 0.0), ("▁", -5.0), ("a", -5.0), ("b", -5.0)]
    tokenizer = definition(vocabulary)
    larger = pieces_tensors(definition([*vocabulary, ("▁b", -1.0)]), least=1)
    path = saved(tmp_path, tokenizer, **larger)
    view = np.frombuffer(tokenizer, np.uint8)
    assert open_unigram(read(path).optional, view, 5) is not None
    assert open_unigram(read(path).optional, view, 4) is None
    plain = loaded(saved(tmp_path, tokenizer, part=False))
    np.testing.assert_array_equal(loaded(path).encode("a b"), plain.encode("a b"))


@pytest.mark.parametrize(
    "pre_tokenizer",
    [
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True},
        {"type": "Metaspace", "replacement": "_", "prepend_scheme": "always", "split": True},
        {"type": "Metaspace", "replacement": "▁", "add_prefix_space": False},
        {"type": "Metaspace", "replacement": "▁", "split": 1},
        {"type": "Whitespace"},
        {"type": "Sequence", "pretokenizers": []},
        {"type": "Sequence"},
        {},
        [],
        0,
        "x",
        None,
    ],
)
def test_other_pre_tokenizers_are_refused(pre_tokenizer):
    assert opened(definition([("<unk>", 0.0)], pre_tokenizer=pre_tokenizer)) is None


@pytest.mark.parametrize(
    "normalizer",
    [
        {"type": "Lowercase", "locale": "tr"},
        {"type": "StripAccents"},
        {"type": "NFKC", "more": 1},
        {"type": "Strip", "strip_left": 1, "strip_right": True},
        {"type": "Replace", "pattern": {"Regex": "a+"}, "content": ""},
        {"type": "Replace", "pattern": {"String": ""}, "content": ""},
        {"type": "Replace", "pattern": {"String": "a"}, "content": 1},
        {"type": "Replace", "pattern": "a", "content": "b"},
        {"type": "Precompiled", "precompiled_charsmap": "é"},
        {"type": "Precompiled", "precompiled_charsmap": "AA=="},
        {"type": "Precompiled", "precompiled_charsmap": "/////w=="},
        {"type": "Precompiled", "precompiled_charsmap": 1},
        {"type": "Sequence", "normalizers": [[]]},
        {"type": ["Sequence"]},
        {},
    ],
)
def test_other_normalizers_are_refused(normalizer):
    assert opened(definition([("<unk>", 0.0)], normalizer=normalizer)) is None


@pytest.mark.parametrize("content", ["a", "b", "x", " "])
def test_a_short_added_token_leaves_the_model_usable(tmp_path, content):
    vocabulary = [("<unk>", 0.0), ("▁", -5.0), ("a", -5.0), ("b", -5.0), ("▁a", -2.0)]
    tokenizer = definition(vocabulary, added=((content, False),))
    texts = ["a b", "b  a", "x", "", "ab ba", "\ta\nb "]
    assert found(WordTokenizer(opened(tokenizer)), texts) == library_ids(tokenizer, texts)


# --- hostile arrays -----------------------------------------------------------------------------


def nested(depth: int) -> str:
    return '{"a":' * depth + "0" + "}" * depth


@pytest.mark.parametrize("depth", [100, 600])
def test_a_definition_that_nests_deep_is_an_error_of_this_package(tmp_path, depth):
    vocabulary = [("<unk>", 0.0), ("▁", -5.0), ("a", -5.0)]
    tensors = pieces_tensors(definition(vocabulary), least=1)
    deep = definition(vocabulary).replace(b'"decoder"', f'"x": {nested(depth)}, "decoder"'.encode())
    short = json.loads(tensors["pieces.definition"].tobytes())
    spelled = json.dumps(short)[:-1] + f', "x": {nested(depth)}}}'
    tensors["pieces.definition"] = np.frombuffer(spelled.encode(), np.uint8)
    path = saved_as(tmp_path, deep, tensors)
    with contextlib.suppress(StaticEmbError):
        read(path, verify=True)
    with pytest.raises(FormatError):
        StaticModel.load(path, verify=True)
    with pytest.raises(FormatError):
        StaticModel.load(path).encode("a")


@pytest.mark.parametrize("depth", [100, 400, 1500])
def test_a_normalizer_that_nests_deep_is_not_used(tmp_path, depth):
    vocabulary = [("<unk>", 0.0), ("▁", -5.0), ("a", -5.0)]
    tokenizer = definition(vocabulary)
    tensors = pieces_tensors(tokenizer, least=1)
    step = '{"type": "Sequence", "normalizers": [' * depth + "]}" * depth
    spelled = tensors["pieces.definition"].tobytes().decode()
    changed = spelled.replace('"normalizer":null', f'"normalizer":{step}')
    assert changed != spelled
    tensors["pieces.definition"] = np.frombuffer(changed.encode(), np.uint8)
    vectors = StaticModel.load(saved_as(tmp_path, tokenizer, tensors)).encode("a a")
    plain = StaticModel.load(saved_as(tmp_path, tokenizer, {})).encode("a a")
    np.testing.assert_array_equal(vectors, plain)


@pytest.mark.parametrize(
    "item", [1, "ab", None, {}, [], ["b"], ["b", None], ["b", "-1"], ["b", True], [1, -1.0],
             ["b", -1.0, 0], "\ud800b", ["\ud800", -1.0]]
)  # fmt: skip
def test_a_vocabulary_of_other_items_is_refused(tmp_path, item):
    vocabulary = [("<unk>", 0.0), ("▁", -5.0), ("a", -5.0)]
    members = json.loads(definition(vocabulary))
    members["model"]["vocab"].append(item)
    spoiled = json.dumps(members).encode()
    for tensors in (pieces_tensors(definition(vocabulary), least=1), {}):
        path = saved_as(tmp_path, spoiled, tensors)
        with pytest.raises(TokenizerInvalidError):
            StaticModel.load(path, verify=True)


def saved_as(folder: Path, tokenizer: bytes, tensors: dict[str, object]) -> Path:
    """A file of 4 rows with any tokenizer and any optional tensors."""
    path = folder / f"{len(tensors)}.staticemb"
    table = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    write(path, Parts(table, tokenizer, optional=tensors), Settings())
    return path


@pytest.mark.parametrize("seed", range(30))
def test_spoiled_arrays_do_no_harm(seed):
    """Random bytes in the arrays give None or ids below P, and no exception."""
    random = np.random.default_rng(seed)
    tensors = pieces_tensors(family_json("xlmr"), least=1)
    count = len(tensors["pieces.ends"])
    for name in ("pieces.slots", "pieces.text", "pieces.scores", "pieces.ends"):
        raw = np.frombuffer(tensors[name].tobytes(), np.uint8).copy()
        share = random.choice([0.001, 0.05, 1.0])
        spoiled = random.random(len(raw)) < share
        raw[spoiled] = random.integers(0, 256, int(spoiled.sum()))
        changed = tensors | {name: raw.view(tensors[name].dtype)}
        encoder = open_unigram(changed, np.empty(0, np.uint8), count)
        if encoder is None:
            continue
        ids, counts = encoder.texts(TEXTS)
        assert counts.sum() == len(ids)
        assert ids.min() >= 0
        assert ids.max() < count


@pytest.mark.parametrize("entry", [2**64 - 1, 2**24 - 1, 1, 2**63])
def test_a_table_without_an_empty_slot_is_searched_in_bounded_time(entry):
    tensors = pieces_tensors(family_json("xlmr"), least=1)
    full = np.full_like(tensors["pieces.slots"], entry)
    ids, _ = opened(family_json("xlmr"), **{"pieces.slots": full}).texts(TEXTS)
    assert set(ids.tolist()) <= {3}


@pytest.mark.parametrize("seed", range(20))
def test_a_spoiled_character_map_is_refused_or_like_the_library(seed):
    random = np.random.default_rng(seed)
    members = json.loads(family_json("xlmr"))
    data = bytearray(base64.b64decode(members["normalizer"]["precompiled_charsmap"]))
    for at in random.integers(4, len(data), 3000):
        data[at] = random.integers(0, 128)
    members["normalizer"]["precompiled_charsmap"] = base64.b64encode(data).decode()
    tokenizer = json.dumps(members).encode()
    encoder = opened(tokenizer)
    if encoder is None:
        return
    ours, right = proven_ids(encoder, TEXTS), library_ids(tokenizer, TEXTS)
    assert all(mine in (None, ids) for mine, ids in zip(ours, right, strict=True))
