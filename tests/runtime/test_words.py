"""The word cache beside the ids: bounds, threads, bad input, the real tokenizer."""

import json
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from staticemb_runtime.errors import InvalidTextError, InvalidTokenizerError, StaticEmbError
from staticemb_runtime.tokenization import word_tokenizer as words
from tokenizer_families import NAMES, SENTENCES, family_json
from word_tokenizers import found, open_tokenizer, split


def expected(definition: bytes, texts: list[str]) -> list[list[int]]:
    tokenizer = Tokenizer.from_buffer(definition)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]


@pytest.fixture(scope="module")
def minilm_json(minilm: Path) -> bytes:
    return (minilm / "tokenizer.json").read_bytes()


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks so small that the texts of these tests do not fit into one."""
    monkeypatch.setattr(words, "_BLOCK", 64)


def test_the_real_tokenizer(minilm_json: bytes) -> None:
    tokenizer = open_tokenizer(minilm_json)
    assert found(tokenizer, SENTENCES) == expected(minilm_json, SENTENCES)
    assert tokenizer.tokens("Unaffable, [MASK]") == ["una", "##ffa", "##ble", ",", "[MASK]"]
    assert tokenizer.vocab_size == 30522


def test_the_real_tokenizer_on_many_languages(minilm_json: bytes, multilingual: list[str]) -> None:
    texts = multilingual
    assert found(open_tokenizer(minilm_json), texts) == expected(minilm_json, texts)


@pytest.mark.parametrize("name", NAMES)
def test_many_languages(name: str, multilingual: list[str]) -> None:
    texts = multilingual[::3]
    # Whole paragraphs, line feeds and double blanks included, beside the lines.
    texts += ["\n".join(texts[i : i + 4]) for i in range(0, 400, 4)]
    texts += ["  ".join(texts[i : i + 3]) for i in range(0, 300, 3)]
    tokenizer = open_tokenizer(family_json(name))
    right = expected(family_json(name), texts)
    assert found(tokenizer, texts) == right
    assert found(tokenizer, texts) == right, "with every word known"


@pytest.mark.parametrize("name", NAMES)
def test_long_texts_in_small_blocks(name: str, small_blocks: None) -> None:
    text = " ".join(SENTENCES * 2)
    texts = [
        text,
        "",
        SENTENCES[0],
        "x" * 500,
        text.replace(" ", "\n"),
        text.replace(" ", "  "),
        *SENTENCES,
    ]
    definition = family_json(name)
    right = expected(definition, texts)
    tokenizer = open_tokenizer(definition, cache_words=50)
    assert found(tokenizer, texts) == right
    assert found(tokenizer, texts) == right, "after the cache was emptied"
    limited = open_tokenizer(definition, max_tokens=7)
    assert found(limited, texts) == [ids[:7] for ids in right]


@pytest.mark.parametrize("cache_words", [0, 1, 40])
def test_the_cache_is_bounded(cache_words: int, small_blocks: None) -> None:
    definition = family_json("bert_uncased")
    tokenizer = open_tokenizer(definition, cache_words=cache_words)
    for begin in range(0, 3000, 30):
        texts = [f"word{begin + i} the" for i in range(30)]
        assert found(tokenizer, texts) == expected(definition, texts)
        assert len(tokenizer._cache) <= cache_words * 1.3


# Each was cut wrongly once, or is what a rule of some family is there for.
HARD = [
    "The \r\nThe", "The \nThe", " The  quick\nThe", "The\n\nfox", "The\r\n\r\nfox",
    "The.\n\n fox",
    "a  b", " a", "a ", "  a  ", "\ta", "a\t b", "a \tb", "a\x1cb", "a\x0bb", "a\x85b",
    "0\x85", "a\u3000b",
    "a\xa0 b", "a \u0301b", "a\u0600 b", "a\u0600 \u0301b", "a\u070f \u0302b", "a \u200d b",
    "a \u200bb", "a \ufdfa b",
    "a ▁ b", "a▁ b", "a ▁b", "▁", "a \xa8b", "a \xad b", "[MASK]b", "a [MASK] b", "fox foxes a-fox",
    "Covid-19, COVID-19", "<mask> a", "a  <mask>  b", "<|endoftext|>a",
    "don't DON'T John's'", "(a,b.c)d",
    "x" * 25, "A\u030a a", "가 가", "北京 市", "",
    "a\0b", " ".join(f"{letter}\0ox" for letter in "abcdefghijklmnopqrstuvwxyz"),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_hard_texts(name: str) -> None:
    definition = family_json(name)
    tokenizer = open_tokenizer(definition)
    right = expected(definition, HARD)
    for text, ids in zip(HARD, right, strict=True):
        assert found(tokenizer, [text]) == [ids], repr(text)
    assert found(tokenizer, HARD) == right, "with every word known"


@pytest.mark.parametrize("name", ["bert_uncased", "bert_cased"])
@pytest.mark.parametrize("word", ["a!", "b_", "北京", "[MASK]x", "a[", "é\u0301-"])
def test_long_words_are_encoded_by_parts(name: str, word: str, monkeypatch) -> None:
    """Texts without a blank are cut too, so that a long one takes little memory."""
    monkeypatch.setattr(words, "_BLOCK", 32)
    monkeypatch.setattr(words, "_FEW_CHARACTERS", 0)
    definition = family_json(name)
    texts = [word * 40, f"x{word}" * 30, word * 3 + "[SEP]" + word * 25]
    assert split(open_tokenizer(definition), texts) == expected(definition, texts)


@pytest.mark.slow
def test_a_long_text_without_blanks_takes_little_memory(minilm_json: bytes) -> None:
    tokenizer = open_tokenizer(minilm_json, max_tokens=None)
    text = "a!" * 1_000_000
    tokenizer.encode(["a !" * 2000])
    tracemalloc.start()
    _, lengths = tokenizer.encode([text])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lengths.tolist() == [2_000_000]
    assert peak < 8_000_000 * 3 + 30_000_000  # the ids and their copies, and a block


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bert_uncased", "gpt2", "t5"])
def test_ten_million_characters_without_a_blank(name: str) -> None:
    text = "ab" * 5_000_000 + " fox"
    tokenizer = open_tokenizer(family_json(name), max_tokens=4)
    ids, lengths = tokenizer.encode([text])
    assert lengths.sum() == len(ids) <= 4


def test_truncation_and_padding_of_the_definition_are_ignored() -> None:
    definition = family_json("bert_uncased")
    assert json.loads(definition)["truncation"]["max_length"] == 8
    ids, lengths = open_tokenizer(definition).encode(["the dog " * 20, "the"])
    assert lengths.tolist() == [40, 1]
    assert len(ids) == 41


def test_no_texts() -> None:
    ids, lengths = open_tokenizer(family_json("bert_uncased")).encode([])
    assert ids.shape == lengths.shape == (0,)


@pytest.mark.parametrize("name", ["bert_uncased", "qwen", "xlmr", "gemma"])
def test_threads_see_whole_answers(name: str, small_blocks: None) -> None:
    definition = family_json(name)
    tokenizer = open_tokenizer(definition, cache_words=30)
    right = expected(definition, SENTENCES)

    def work(shift: int) -> bool:
        turned = SENTENCES[shift:] + SENTENCES[:shift]
        return all(found(tokenizer, turned) == right[shift:] + right[:shift] for _ in range(15))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


@pytest.mark.parametrize("name", ["bert_uncased", "gpt2", "t5", "crossing_bpe"])
@pytest.mark.parametrize("texts", [["fine", "a \ud800b"], ["a fine b", "\udc00", "a\ud83d"]])
def test_a_lone_surrogate_is_named(name: str, texts: list[str]) -> None:
    tokenizer = open_tokenizer(family_json(name))
    with pytest.raises(InvalidTextError, match=r"text 1: .* lone surrogate U\+D[8C]00 at position"):
        tokenizer.encode(texts)
    assert issubclass(InvalidTextError, StaticEmbError)
    assert issubclass(InvalidTextError, ValueError)
    assert found(tokenizer, ["a b"]) == expected(family_json(name), ["a b"])


@pytest.mark.parametrize("definition", [b"", b"{}", b"\xff\xfe", b'{"model": 3}'])
def test_a_definition_that_is_none(definition: bytes) -> None:
    with pytest.raises(InvalidTokenizerError, match=r"tokenizer\.json"):
        open_tokenizer(definition)


def test_importing_the_module_does_not_import_tokenizers() -> None:
    module = "staticemb_runtime.tokenization.word_tokenizer"
    code = f"import sys, {module}; sys.exit('tokenizers' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"pre_tokenizer": {"type": "UnicodeScripts"}}, "a pre-tokenizer that is not known"),
        ({"normalizer": {"type": "Prepend", "prepend": "x"}}, "only the first word gets it"),
        (
            {"normalizer": {"type": "Replace", "pattern": {"Regex": "a b"}, "content": "c"}},
            "a rule that looks across white space",
        ),
        (
            {"normalizer": {"type": "Replace", "pattern": {"String": "x y"}, "content": "z"}},
            "a rule that looks across white space",
        ),
        (
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True},
            ]}},
            "the first word differs",
        ),
        (
            {"post_processor": {"type": "TemplateProcessing", "single": [
                {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
            ], "pair": [
                {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}},
            ],
               "special_tokens": {}}},
            "the text twice",
        ),
        (
            {"added_tokens": [{"id": 2, "content": "the fox", "single_word": False, "lstrip": False,
              "rstrip": False, "normalized": False, "special": False}]},
            "an added token of two words",
        ),
    ],
)  # fmt: skip
def test_designs_that_cannot_be_cut_are_still_exact(change: dict[str, object], why: str) -> None:
    definition = {**json.loads(family_json("word_level")), **change}
    raw = json.dumps(definition).encode()
    texts = [*SENTENCES, "the fox the fox", "x y a b x ya b", "  the  fox\n"]
    tokenizer = open_tokenizer(raw)
    assert found(tokenizer, texts) == expected(raw, texts), why
    assert found(tokenizer, texts) == expected(raw, texts), why
