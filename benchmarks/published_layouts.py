"""Folders in the layouts of large published models, with random rows and made-up vocabularies.

The shapes, settings and tokenizer components are those of the models. A made-up vocabulary has the
mix of scripts and the lengths of the real one. Speed and memory do not depend on the values.

- `static-retrieval-mrl-en-v1`: sentence-transformers, the vocabulary of bert-base-uncased;
- `static-similarity-mrl-multilingual-v1`: sentence-transformers, that of bert-base-multilingual-
  uncased;
- `potion-multilingual-128M`: model2vec, the pieces of bge-m3 and words; here with a `mapping` and
  `weights`, as model2vec stores a table whose rows are shared.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from string import punctuation
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers


class Layout(NamedTuple):
    """A published model's number of token ids, dimension, and library."""

    tokens: int
    dim: int
    library: str


LAYOUTS = {
    "static-retrieval-mrl-en-v1": Layout(30_522, 1_024, "sentence-transformers"),
    "static-similarity-mrl-multilingual-v1": Layout(105_879, 1_024, "sentence-transformers"),
    "potion-multilingual-128M": Layout(500_353, 256, "model2vec"),
}
# First and last letters of scripts, and the share of words in each: Latin, Latin with accents,
# Cyrillic, Greek, Arabic, Devanagari, Hangul, Thai, Hiragana and Katakana.
_SCRIPTS = {
    "az": 45,
    "àö": 10,
    "ая": 15,
    "αω": 3,
    "ءي": 6,
    "कह": 5,
    "가힣": 6,
    "กฮ": 3,
    "ぁヺ": 7,
}
_IDEOGRAPHS = ("一", "鿿")
_LETTERS = 200  # of a script at most
_FEWEST = 3_000


def make(name: str, folder: Path, *, share: float = 1.0, rows: int | None = None) -> Path:
    """Write the folder of a layout, and return it.

    Args:
        name: one of `LAYOUTS`.
        folder: where to put it.
        share: the share of the rows and dimensions.
        rows: the rows of the table, with all dimensions; only for a layout with a `mapping`, which
            allows more or fewer rows than tokens. None: a row for each token.
    """
    layout = LAYOUTS[name]
    tokens, dim = max(_FEWEST, round(layout.tokens * share)), max(8, round(layout.dim * share))
    if rows is not None:
        dim = layout.dim
    path = folder / name
    path.mkdir()
    if layout.library == "model2vec":
        _model2vec(path, _unigram(tokens), tokens, (rows or tokens, dim))
    else:
        assert rows is None, "a layout without a mapping"
        _sentence_transformers(path, _wordpiece(tokens), tokens, dim)
    return path


def texts(path: Path, count: int) -> list[str]:
    """Make texts of words of a folder's vocabulary, of new words, blanks and punctuation."""
    words = [
        token.removeprefix("##").strip("▁")
        for token in _vocabulary(path)
        if not token.startswith("[")
    ]
    rng = random.Random(1)
    new = _words(rng)
    made = []
    for _ in range(count):
        length = rng.randint(1, 20)
        chosen = [next(new) if rng.random() < 0.1 else rng.choice(words) for _ in range(length)]
        made.append("".join(word + rng.choice((" ", " ", " ", ", ", "  ", "-")) for word in chosen))
    return made


def _vocabulary(path: Path) -> list[str]:
    (file,) = path.rglob("tokenizer.json")
    vocabulary = json.loads(file.read_text(encoding="utf-8"))["model"]["vocab"]
    if isinstance(vocabulary, dict):
        return list(vocabulary)
    return [piece for piece, _ in vocabulary]


def _rows(count: int, dim: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, dim), dtype=np.float32)


def _sentence_transformers(path: Path, tokenizer: Tokenizer, tokens: int, dim: int) -> None:
    below = path / "0_StaticEmbedding"
    below.mkdir()
    kind = "sentence_transformers.models.StaticEmbedding"
    _json(path / "modules.json", [{"idx": 0, "name": "0", "path": below.name, "type": kind}])
    _json(
        path / "config_sentence_transformers.json",
        {"prompts": {}, "default_prompt_name": None, "similarity_fn_name": "cosine"},
    )
    save_file({"embedding.weight": _rows(tokens, dim)}, below / "model.safetensors")
    tokenizer.save(str(below / "tokenizer.json"), pretty=True)


def _model2vec(path: Path, tokenizer: Tokenizer, tokens: int, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    count, dim = shape
    tensors = {
        "embeddings": _rows(count, dim),
        "mapping": rng.permutation(tokens) if count == tokens else rng.integers(0, count, tokens),
        "weights": rng.random(tokens),
    }
    save_file(tensors, path / "model.safetensors")
    settings = {"model_type": "model2vec", "normalize": True, "seq_length": 1_000_000}
    _json(path / "config.json", settings | {"hidden_dim": dim, "vocabulary_quantization": count})
    tokenizer.save(str(path / "tokenizer.json"), pretty=False)


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def _wordpiece(count: int) -> Tokenizer:
    specials = ["[PAD]", *(f"[unused{at}]" for at in range(1, 100)), "[UNK]", "[CLS]", "[SEP]"]
    specials.append("[MASK]")
    rng = random.Random(0)
    vocabulary = dict.fromkeys(specials)
    normalizer = normalizers.BertNormalizer(lowercase=True)
    normalize = normalizer.normalize_str
    characters = [*punctuation, *"0123456789", *_letters(), *_range(*_IDEOGRAPHS)[: count // 10]]
    for character in normalize("".join(characters)):
        vocabulary |= {character: None, f"##{character}": None}
    words = map(normalize, _words(rng))
    while len(vocabulary) < count:
        word = next(words)
        vocabulary[f"##{word[:5]}" if rng.random() < 0.35 else word] = None
    pieces = {token: at for at, token in enumerate(list(vocabulary)[:count])}
    tokenizer = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    named = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in named])
    return tokenizer


def _unigram(count: int) -> Tokenizer:
    rng = random.Random(0)
    pieces = {"[PAD]": 0.0, "[UNK]": 0.0, "▁": -2.0}
    pieces |= dict.fromkeys(punctuation + "0123456789", -8.0)
    pieces |= dict.fromkeys([*_letters(), *_range(*_IDEOGRAPHS)[: count // 20]], -12.0)
    words = _words(rng)
    while len(pieces) < count:
        word = next(words)
        starts = "" if rng.random() < 0.3 else "▁"
        more = f"▁{next(words)}" if starts and rng.random() < 0.02 else ""
        pieces.setdefault(starts + word + more, -rng.uniform(7, 15))
    vocabulary = list(pieces.items())[:count]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=1))
    # Those that model2vec gave its tokenizers when it published the model: punctuation stands
    # apart, and a piece may span blanks.
    apart = [normalizers.Replace(character, f" {character} ") for character in punctuation]
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(_character_map()),
            *apart,
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    tokenizer.add_special_tokens(["[PAD]", "[UNK]"])
    return tokenizer


def _character_map() -> bytes:
    """Return the compiled rules that XLM-R and bge-m3 normalize text by."""
    import sentencepiece

    normalizer = sentencepiece.SentencePieceNormalizer(rule_name="nmt_nfkc")
    specification: bytes = normalizer.serialized_normalizer_spec()
    # A protocol buffer: field 1 is the name, field 2 the map; a length is a number of 7-bit digits.
    at = 2 + specification[1]
    assert specification[at] == 0x12
    length = shift = 0
    while True:
        at += 1
        length |= (specification[at] & 127) << shift
        shift += 7
        if specification[at] < 128:
            return specification[at + 1 : at + 1 + length]


def _letters() -> Iterator[str]:
    for script in _SCRIPTS:
        yield from _range(*script)[:_LETTERS]


def _range(first: str, last: str) -> list[str]:
    return [chr(code) for code in range(ord(first), ord(last) + 1)]


def _words(rng: random.Random) -> Iterator[str]:
    """Yield words without end: 2 to 12 letters of one script."""
    alphabets = [_range(*script)[:_LETTERS] for script in _SCRIPTS]
    weights = list(_SCRIPTS.values())
    while True:
        (alphabet,) = rng.choices(alphabets, weights)
        yield "".join(rng.choices(alphabet, k=min(12, 2 + int(rng.expovariate(0.25)))))
