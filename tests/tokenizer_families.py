"""Small tokenizers of every family, with the normalizers and pre-tokenizers of the real models.

Each is trained on a few sentences, so that its vocabulary is small and its pipeline the real one.
`families()` maps a name to a `tokenizers.Tokenizer`; the definitions are those of the model named.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from math import log
from string import punctuation
from typing import Any

import pytest
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

SENTENCES = [
    "The quick brown fox jumps over the lazy dog, and the dog doesn't mind.",
    "London's house prices rose by 3.5% in 2024 (up from 1,200 to 1,242), they've said.",
    "She said: \"I'll be there at 10:30!\" – but we'd waited; e-mail @ home.example/path?x=1&y=2",
    "Der Fluß fließt durch die schöne Stadt München; Äpfel kosten 2 €.",
    "L'été dernier, nous avons mangé des crêpes à Besançon « très bien » !",
    "Быстрая лиса прыгает через ленивую собаку. Ёлка стоит в лесу.",
    "Η γρήγορη αλεπού πηδάει πάνω από το σκυλί. ΟΔΥΣΣΕΥΣ οδυσσεύς",
    "素早い茶色の狐がのろまな犬を飛び越える。カタカナとﾊﾝｶｸ",
    "敏捷的棕色狐狸跳过了懒狗。北京是中国的首都。",
    "다람쥐 헌 쳇바퀴에 타고파. 한국어는 재미있습니다.",
    "الثعلب البني السريع يقفز فوق الكلب الكسول. ١٢٣",
    "השועל החום המהיר קופץ מעל הכלב העצלן.",
    "तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है।",
    "สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ น้ำ",
    "Con cáo nâu nhanh nhẹn nhảy qua con chó lười biếng. İstanbul ıssız ﬁn ½ ² ™ Å",
    "def f(x):\n    return [x**2 for x in range(10)]  # a comment\n\tindented",
    "👨‍👩‍👧 👍🏽 🇩🇪 ❤️ emoji and text :-) ...",
    # Runs of white space often enough that BPE merges them.
    "a\n\nb\n\n\nc  d   e    f\t\tg\r\n\r\nh \n i\n j.\n\nk" * 8,
]

_QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3 = _QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def _special(*contents: str, normalized: bool = False) -> list[AddedToken]:
    return [AddedToken(content, special=True, normalized=normalized) for content in contents]


def _substrings(words: list[str]) -> dict[str, int]:
    """Characters and repeated substrings of words, with their counts, in order.

    The trainers of WordPiece and Unigram find other vocabularies in each process.
    """
    counts: Counter[str] = Counter()
    for word in words:
        for begin in range(len(word)):
            for end in range(begin + 1, min(begin + 6, len(word)) + 1):
                counts[word[begin:end]] += 1
    return {piece: n for piece, n in sorted(counts.items()) if n > 1 or len(piece) == 1}


def _bert(*, lowercase: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [
        piece
        for sentence in SENTENCES
        for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(
            tokenizer.normalizer.normalize_str(sentence)
        )
    ]
    pieces = [f"{prefix}{piece}" for prefix in ("", "##") for piece in _substrings(words)]
    tokenizer.model = models.WordPiece(
        {piece: index for index, piece in enumerate(specials + pieces)},
        unk_token="[UNK]",
        max_input_chars_per_word=20,
    )
    tokenizer.add_special_tokens(_special(*specials))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    return tokenizer


def _bert_added() -> Tokenizer:
    tokenizer = _bert(lowercase=True)
    tokenizer.add_tokens(
        [
            AddedToken("Covid-19", normalized=True),
            AddedToken("fox", normalized=True, single_word=True),
            AddedToken("QUICK", normalized=False, lstrip=True, rstrip=True),
            AddedToken("br", normalized=False, single_word=True),
        ]
    )
    return tokenizer


def _byte_level(
    pre_tokenizer: pre_tokenizers.PreTokenizer,
    added: list[AddedToken],
    normalizer: normalizers.Normalizer | None = None,
    *,
    ignore_merges: bool = False,
) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    for token in added:
        if token.special:
            tokenizer.add_special_tokens([token])
        else:
            tokenizer.add_tokens([token])
    return tokenizer


def _gpt2() -> Tokenizer:
    return _byte_level(
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        _special("<|endoftext|>", normalized=True),
    )


def _roberta(*, prefix: bool) -> Tokenizer:
    return _byte_level(
        pre_tokenizers.ByteLevel(add_prefix_space=prefix),
        [
            *_special("<s>", "<pad>", "</s>", "<unk>", normalized=True),
            AddedToken("<mask>", special=True, lstrip=True, normalized=False),
        ],
    )


def _modernbert() -> Tokenizer:
    return _byte_level(
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        [
            AddedToken("|||IP_ADDRESS|||", normalized=True),
            *[AddedToken(" " * n, normalized=True) for n in (24, 8, 4, 3, 2)],
            *_special("[UNK]", "[CLS]", "[SEP]", "[PAD]"),
            AddedToken("[MASK]", special=True, lstrip=True, normalized=False),
            AddedToken("[unused0]", normalized=True),
        ],
        normalizers.NFC(),
    )


def _split(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _qwen() -> Tokenizer:
    return _byte_level(
        _split(_QWEN),
        [
            *_special("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
            AddedToken("<tool_call>", normalized=False),
        ],
        normalizers.NFC(),
    )


def _llama3() -> Tokenizer:
    return _byte_level(
        _split(_LLAMA3), _special("<|begin_of_text|>", "<|eot_id|>"), ignore_merges=True
    )


@cache
def nmt_nfkc() -> bytes:
    """SentencePiece's default normalization rule, compiled: that of XLM-R, T5 and their kin."""
    sentencepiece = pytest.importorskip("sentencepiece")
    return _compiled_map(sentencepiece.SentencePieceNormalizer(rule_name="nmt_nfkc"))


@cache
def clusters() -> bytes:
    """Rules of no real model, for grapheme clusters that a blank is a part of."""
    sentencepiece = pytest.importorskip("sentencepiece")
    rules = [(" \u0301", "x"), (" \u0600", "q"), ("\u0600 ", "y"), ("\u06dd", " "), ("\t", " ")]
    rules += [("\u070f \u0302", "z")]  # neither neighbor shows it alone
    return _compiled_map(sentencepiece.SentencePieceNormalizer(norm_map=rules))


def _compiled_map(normalizer: Any) -> bytes:
    spec: bytes = normalizer.serialized_normalizer_spec()
    # A protocol buffer; field 2 holds the compiled map: tag 0x12, the length, the bytes.
    at = 0
    while at < len(spec):
        tag, length, shift = spec[at], 0, 0
        assert tag & 7 == 2, "only length-delimited fields stand before the map"
        at += 1
        while True:
            byte = spec[at]
            at += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if tag >> 3 == 2:
            return spec[at : at + length]
        at += length
    raise AssertionError("no compiled map in the specification")


def _unigram(
    normalizer: normalizers.Normalizer,
    pre_tokenizer: pre_tokenizers.PreTokenizer | None,
    specials: list[AddedToken],
) -> Tokenizer:
    counts = _substrings([f"▁{word}" for word in " ".join(SENTENCES[:12]).split()])
    total = sum(counts.values())
    pieces = [(special, 0.0) for special in ("<s>", "<pad>", "</s>", "<unk>")]
    pieces += [(piece, log(count / total)) for piece, count in counts.items()]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.add_special_tokens(_special("<s>", "<pad>", "</s>", "<unk>"))
    tokenizer.add_special_tokens(specials)
    return tokenizer


_MASK = AddedToken("<mask>", special=True, lstrip=True, normalized=False)


def _xlmr() -> Tokenizer:
    return _unigram(
        normalizers.Precompiled(nmt_nfkc()),
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
        [_MASK],
    )


def _bge_m3() -> Tokenizer:
    return _unigram(
        normalizers.Sequence(
            [
                normalizers.Precompiled(nmt_nfkc()),
                normalizers.Strip(left=False, right=True),
                normalizers.Replace(Regex(" {2,}"), "▁"),
            ]
        ),
        pre_tokenizers.Metaspace(),
        [_MASK],
    )


def _model2vec() -> Tokenizer:
    """model2vec's own design, that of potion-multilingual-128M: a piece may span blanks."""
    tokenizer = _unigram(
        normalizers.Sequence(
            [
                normalizers.Precompiled(nmt_nfkc()),
                *(normalizers.Replace(mark, f" {mark} ") for mark in punctuation),
                normalizers.Replace(Regex(r"\s+"), " "),
                normalizers.Strip(),
            ]
        ),
        pre_tokenizers.Metaspace(prepend_scheme="always", split=False),
        [],
    )
    definition = json.loads(tokenizer.to_str())
    spanning = [["▁quick▁brown▁fox", -3.0], ["▁don▁'▁t", -4.0], ["g▁d", -5.0]]
    definition["model"]["vocab"] += spanning
    return Tokenizer.from_str(json.dumps(definition))


def _t5() -> Tokenizer:
    return _unigram(
        normalizers.Precompiled(nmt_nfkc()),
        pre_tokenizers.Metaspace(),
        _special("<extra_id_0>", "<extra_id_1>"),
    )


def _t5_first() -> Tokenizer:
    """T5 as transformers converts it with `legacy=False`."""
    return _unigram(
        normalizers.Precompiled(nmt_nfkc()),
        pre_tokenizers.Metaspace(prepend_scheme="first"),
        _special("<extra_id_0>"),
    )


def _albert() -> Tokenizer:
    return _unigram(
        normalizers.Sequence(
            [
                normalizers.Replace("``", '"'),
                normalizers.Replace("''", '"'),
                normalizers.NFKD(),
                normalizers.StripAccents(),
                normalizers.Lowercase(),
                normalizers.Precompiled(nmt_nfkc()),
            ]
        ),
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
        [_MASK],
    )


def _cluster_split() -> Tokenizer:
    return _unigram(
        normalizers.Precompiled(clusters()),
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
        [_MASK],
    )


def _cluster_metaspace() -> Tokenizer:
    return _unigram(normalizers.Precompiled(clusters()), pre_tokenizers.Metaspace(), [_MASK])


def _metaspace_replacing() -> Tokenizer:
    """No real model: rules that turn a visible word into a blank, or into nothing."""
    return _unigram(
        normalizers.Sequence([normalizers.Replace("fox", " "), normalizers.Replace("The", "")]),
        pre_tokenizers.Metaspace(),
        [_MASK],
    )


def _metaspace_never() -> Tokenizer:
    return _unigram(normalizers.NFKC(), pre_tokenizers.Metaspace(prepend_scheme="never"), [_MASK])


def _unigram_whole() -> Tokenizer:
    return _unigram(
        normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" ", "▁")]), None, [_MASK]
    )


def _spm_bpe(added: list[AddedToken]) -> Tokenizer:
    """A BPE model over marked words, as SentencePiece trains it, without a pre-tokenizer."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<unk>", "<s>", "</s>", *[f"<0x{b:02X}>" for b in range(0x20, 0xE0)]],
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES[:12], trainer)
    tokenizer.pre_tokenizer = None
    definition = json.loads(tokenizer.to_str())
    # Runs of blanks are tokens in these models.
    model = definition["model"]
    for n in (1, 2):
        model["vocab"]["▁" * 2 * n] = len(model["vocab"])
        model["merges"].append(["▁" * n, "▁" * n])
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    tokenizer.add_tokens(added)
    return tokenizer


def _llama2() -> Tokenizer:
    tokenizer = _spm_bpe(_special("<s>", "</s>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    return tokenizer


def _llama2_normalized() -> Tokenizer:
    tokenizer = _llama2()
    tokenizer.add_tokens([AddedToken("<mark>", normalized=True)])
    return tokenizer


def _mistral() -> Tokenizer:
    tokenizer = _spm_bpe(_special("<s>", "</s>", "[INST]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return tokenizer


def _gemma() -> Tokenizer:
    tokenizer = _spm_bpe(
        [
            *_special("<bos>", "<mask>"),
            *[AddedToken("\n" * n, normalized=False) for n in (2, 3)],
            *[AddedToken("▁" * n, normalized=False) for n in (2, 3)],
            AddedToken("<h1>", normalized=False),
        ]
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    return tokenizer


def _crossing_bpe() -> Tokenizer:
    """BPE whose merges join words: it cannot be cut."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>"], show_progress=False)
    tokenizer.train_from_iterator(SENTENCES * 2, trainer)
    return tokenizer


def _word_level() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(special_tokens=["[UNK]", "[PAD]"], show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


_BUILD: dict[str, Callable[[], Tokenizer]] = {
    "bert_uncased": lambda: _bert(lowercase=True),
    "bert_cased": lambda: _bert(lowercase=False),
    "bert_added": _bert_added,
    "gpt2": _gpt2,
    "roberta": lambda: _roberta(prefix=False),
    "roberta_prefix": lambda: _roberta(prefix=True),
    "modernbert": _modernbert,
    "qwen": _qwen,
    "llama3": _llama3,
    "xlmr": _xlmr,
    "bge_m3": _bge_m3,
    "model2vec": _model2vec,
    "t5": _t5,
    "t5_first": _t5_first,
    "albert": _albert,
    "cluster_split": _cluster_split,
    "cluster_metaspace": _cluster_metaspace,
    "metaspace_never": _metaspace_never,
    "metaspace_replacing": _metaspace_replacing,
    "llama2": _llama2,
    "llama2_normalized": _llama2_normalized,
    "mistral": _mistral,
    "gemma": _gemma,
    "word_level": _word_level,
    "unigram_whole": _unigram_whole,
    "crossing_bpe": _crossing_bpe,
}

NAMES = tuple(_BUILD)
# Those that cannot be cut at white space.
WHOLE = ("model2vec", "unigram_whole", "crossing_bpe")


@cache
def family(name: str) -> Tokenizer:
    """The tokenizer of one family; shared, so not to be changed: `family_json` gives copies."""
    return _BUILD[name]()


@cache
def family_json(name: str) -> bytes:
    """The tokenizer.json of one family."""
    return family(name).to_str().encode()


def families() -> dict[str, Tokenizer]:
    """Every family by its name."""
    return {name: family(name) for name in NAMES}
