"""Small tokenizers of four kinds, and the texts of the cases."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from generator.files import tokenizer_bytes

CORPUS = """the quick brown fox jumps over the lazy dog and the other dogs look on
static embeddings are tables one vector for each token of a tokenizer
search finds documents about cats and dogs in many languages quickly
naïve café résumé façade coöperate straße größe señor são ça où
быстрая коричневая лиса прыгает через ленивую собаку
η γρήγορη καφέ αλεπού πηδάει πάνω από το σκυλί
快速的棕色狐狸跳过了懒狗 日本語の文章です 한국어 문장입니다
numbers 0 1 2 3 4 5 6 7 8 9 2024 3.14 and punctuation . , ! ? ' " - ( ) : ;"""

TEXTS = {
    "empty": "",
    "space": " ",
    "blanks": " \t\n\r  \u3000\u00a0\u2003",
    "one_word": "dog",
    "sentence": "The quick brown fox jumps over the lazy dog.",
    "repetition": "dogs dogs dogs dogs, and a dog",
    "inner_blanks": "  quick \t brown\n\nfox  ",
    "unknown_words": "zyzzyva qwrtpsd",
    "latin_accents": "Naïve café, résumé; façade! São straße",
    "latin_decomposed": "Nai\u0308ve cafe\u0301 re\u0301sume\u0301",
    "turkish": "İstanbul'da ılık DİYARBAKIR",
    "cyrillic": "Быстрая коричневая лиса прыгает",
    "greek": "Η γρήγορη ΚΑΦΈ αλεπού ΣΚΥΛΊΣ",
    "chinese": "快速的棕色狐狸，跳过了懒狗。",
    "chinese_mixed": "the狐狸dog jumps懒",
    "japanese": "日本語の文章です。カタカナ ｶﾀｶﾅ",
    "korean": "한국어 문장입니다",
    "korean_jamo": "\u1112\u1161\u11ab국어",
    "arabic": "السلام عليكم ٢٠٢٤",
    "hebrew": "שָׁלוֹם עולם",
    "devanagari": "नमस्ते दुनिया",
    "thai": "สวัสดีชาวโลก",
    "emoji": "cats 🐈 and 🐕‍🦺 👩‍👩‍👧 🇩🇪 ❤️",
    "combining": "a\u0301\u0323\u0308o\u0335 \u0301 x\u20dd",
    "control": "do\u0000g\u0001 quick\u007fly \u0085fox\u200b\u200d\ufeff",
    "separators": "one\u000btwo\u000cthree\u001cfour\u2028five\u2029six",
    "private_and_special": "\ue000 \ufffd \ufffe \U0010ffff",
    "compatibility": "ﬁnds ① ² ½ Ⅷ ㎏ ＡＢＣ",
    "case": "STATIC Embeddings ΑΛΕΠΟΎ ẞ ǅ",
    "numbers": "3.14 2024 1,000,000 0x1F",
    "punctuation": 'don\'t -- (dogs): "cats" …‽ a_b c/d',
    "tokens_in_text": "[CLS] dog [SEP] [UNK] <unk> </s> ##s ▁the",
    "long_word": "a" * 150 + " dog",
    "long_text": "the quick brown fox " * 60,
}


def wordpiece(**members: object) -> bytes:
    """Create a WordPiece tokenizer as BERT's.

    It lowers the case, strips accents and separates Chinese characters. Some words are unknown.
    """
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    plain = CORPUS.lower().translate(str.maketrans("ïéçöüñãùíώήάέό", "iecounauiωηαεο"))
    counts = Counter(plain.split())
    characters = sorted(set(plain) - set(" \n"))
    words = [word for word, _ in sorted(counts.items()) if len(word) in (2, 3, 4)]
    pieces = [f"##{end}" for end in ("s", "ing", "ly", "er", "ed", "ick", "ate", "tic")]
    pieces += [f"##{c}" for c in characters if f"##{c}" not in pieces]
    vocabulary = {token: i for i, token in enumerate([*special, *characters, *pieces])}
    for word in words:
        vocabulary.setdefault(word, len(vocabulary))
    model = {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": vocabulary,
    }
    normalizer = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    }
    return tokenizer_bytes(
        model,
        **{
            "added_tokens": [added(i, token) for i, token in enumerate(special)],
            "normalizer": normalizer,
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            **members,
        },
    )


def wordpiece_with_settings() -> bytes:
    """Create `wordpiece` with a post-processor, truncation and padding, which have no effect."""
    sequence = {"id": "A", "type_id": 0}
    parts = [{"SpecialToken": {"id": t, "type_id": 0}} for t in ("[CLS]", "[SEP]")]
    single = [parts[0], {"Sequence": sequence}, parts[1]]
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}, parts[1]]
    special = {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in (("[CLS]", 2), ("[SEP]", 3))}
    return wordpiece(
        truncation={
            "direction": "Right",
            "max_length": 4,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        padding={
            "strategy": {"Fixed": 8},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
        post_processor={
            "type": "TemplateProcessing",
            "single": single,
            "pair": pair,
            "special_tokens": special,
        },
    )


def byte_bpe() -> bytes:
    """Create a byte-level BPE tokenizer as GPT-2's.

    A space belongs to the next word. No word is unknown, since each byte has a token.
    """
    letters = _byte_letters()
    words: Counter[tuple[str, ...]] = Counter()
    for line in CORPUS.split("\n"):
        for i, word in enumerate(line.split(" ")):
            blank = " " if i else ""
            words[tuple(letters[b] for b in (blank + word).encode())] += 1
    vocabulary = {letters[b]: b for b in range(256)}
    merges: list[str] = []
    while len(merges) < 120:
        pairs: Counter[tuple[str, str]] = Counter()
        for spelled, count in words.items():
            for pair in pairwise(spelled):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(" ".join(best))
        vocabulary.setdefault("".join(best), len(vocabulary))
        words = Counter({_merged(old, best): count for old, count in words.items()})
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "vocab": vocabulary,
        "merges": merges,
    }
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    end = len(vocabulary)
    return tokenizer_bytes(
        model,
        added_tokens=[added(end, "</s>")],
        pre_tokenizer=byte_level,
        decoder=byte_level,
    )


def unigram() -> bytes:
    """Create a Unigram tokenizer as SentencePiece's.

    It normalizes to NFKC, puts a marker before each word, and takes the most probable split.
    """
    counts = Counter("▁" + word for word in CORPUS.split())
    pieces = {word: -2.0 - 0.25 * i for i, (word, _) in enumerate(sorted(counts.items())[::2])}
    for i, c in enumerate(sorted(set("".join(counts)))):
        pieces.setdefault(c, -30.0 - 0.125 * i)
    for i, end in enumerate(("ing", "ly", "s", "er", "▁d", "og", "am", "のが", "입니다")):
        pieces.setdefault(end, -8.0 - 0.5 * i)
    vocabulary: list[list[Any]] = [["<unk>", 0.0], *([p, score] for p, score in pieces.items())]
    metaspace = {
        "type": "Metaspace",
        "replacement": "▁",
        "prepend_scheme": "always",
        "split": True,
    }
    return tokenizer_bytes(
        {"type": "Unigram", "unk_id": 0, "vocab": vocabulary, "byte_fallback": False},
        added_tokens=[added(0, "<unk>")],
        normalizer={"type": "NFKC"},
        pre_tokenizer=metaspace,
        decoder=metaspace,
    )


def word_level() -> bytes:
    """Create a WordLevel tokenizer of lower-case words, which separates punctuation."""
    words = dict.fromkeys(["<unk>", *CORPUS.lower().split()])
    return tokenizer_bytes(
        {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(words)}, "unk_token": "<unk>"},
        normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]},
        pre_tokenizer={
            "type": "Sequence",
            "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Punctuation", "behavior": "Isolated"},
            ],
        },
    )


TOKENIZERS = {
    "wordpiece": wordpiece,
    "wordpiece_with_settings": wordpiece_with_settings,
    "byte_bpe": byte_bpe,
    "unigram": unigram,
    "word_level": word_level,
}


def added(token_id: int, content: str) -> dict[str, Any]:
    """Return the entry of a special token in `tokenizer.json`."""
    return {
        "id": token_id,
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


def _byte_letters() -> dict[int, str]:
    """Return the visible letter that byte-level BPE writes for each byte."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in visible]
    return {b: chr(b) for b in visible} | {b: chr(256 + i) for i, b in enumerate(hidden)}


def _merged(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """Merge each occurrence of a pair, from left to right."""
    out: list[str] = []
    for letter in word:
        if out and (out[-1], letter) == pair:
            out[-1] += letter
        else:
            out.append(letter)
    return tuple(out)
