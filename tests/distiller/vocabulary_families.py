"""Small tokenizers of every family, trained on the spot, and random ones nobody would train."""

import json
from itertools import product

from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

CORPUS = [
    "The quick brown fox jumps over the lazy dog, again and again.",
    "New York is a city; New Yorkers say it's the city. Newspapers agree: news is new!",
    "Straße, naïve café, über Ångström — «здравствуй, мир» и мирный город.",
    "東京は日本の首都です。北京是中国的首都。",
    "covid-19, 2019-2024: 1,234.56 units; e-mail: someone@example.org (or http://example.org/a_b).",
    "tokenization tokenizer tokenized tokens token retokenize untokenized",
    "walking walked walker walks talk talking talked talker singing singer sings sang",
    "internationalization international nation national nationality rational rationality",
] * 3

QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def plain(tokenizer):
    """The tokenizer without truncation and padding."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 5), ("[CLS]", 4))
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.enable_truncation(6)
    tokenizer.enable_padding(pad_token="[PAD]", length=6)
    # As in BERT, the unused tokens are in the vocabulary and not among the special ones.
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = [
        token for token in document["added_tokens"] if "unused" not in token["content"]
    ]
    return Tokenizer.from_str(json.dumps(document))


def _byte_level(pre_tokenizer, size=420, special=("<s>", "<pad>", "</s>", "<unk>", "<mask>")):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def roberta():
    tokenizer = _byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


def qwen():
    split = pre_tokenizers.Split(Regex(QWEN_SPLIT), "isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer = _byte_level(pre_tokenizers.Sequence([split, level]), special=())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>"])
    tokenizer.add_tokens(["<think>", "   "])
    return tokenizer


def gemma():
    """Whole texts, a mark for the blank, bytes for unknown letters, several ways to one piece."""
    base = Tokenizer(models.BPE(unk_token="<unk>"))
    base.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<pad>", "<unk>"], show_progress=False
    )
    base.train_from_iterator(CORPUS[:2] + CORPUS[5:8], trainer)
    pieces = sorted(base.get_vocab(), key=base.get_vocab().get)
    pieces += [f"<0x{byte:02X}>" for byte in range(256)]
    known = {piece: index for index, piece in enumerate(pieces)}
    merges = [
        (piece[:at], piece[at:])
        for piece in pieces[2:-256]
        for at in range(1, len(piece))
        if piece[:at] in known and piece[at:] in known
    ]
    model = models.BPE(known, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.add_special_tokens(["<pad>", "<unk>"])
    return tokenizer


def clip():
    tokenizer = Tokenizer(
        models.BPE(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>")
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<unk>"],
        continuing_subword_prefix="##",
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip(left=False)])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=260, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens(["<mask>"])
    tokenizer.add_tokens([AddedToken("▁kept by its user", normalized=True)])
    return tokenizer


def word_level():
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(special_tokens=["<pad>", "<unk>"], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


FAMILIES = {
    make.__name__: make() for make in (wordpiece, roberta, qwen, gemma, clip, unigram, word_level)
}

TEXTS = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            sorted({word for line in CORPUS for word in line.split()} | {"", "\n", "zzz"})
        ),
        max_size=8,
    ).map(" ".join),
    st.text(alphabet="aeinstvwy ABN-19.東京ß", max_size=30),
)

LETTERS = "abc"
STRINGS = ["".join(chars) for size in range(1, 6) for chars in product(LETTERS + "z", repeat=size)]
"""Every string of up to five letters, one of them unknown to every random tokenizer."""


@st.composite
def random_bpe(draw):
    """Merges in any order, several of them for one piece, some that can never be reached."""
    pieces = list(LETTERS)
    for _ in range(draw(st.integers(1, 10))):
        piece = draw(st.sampled_from(pieces)) + draw(st.sampled_from(pieces))
        if piece not in pieces and len(piece) <= 4:
            pieces.append(piece)
    splits = [(piece[:at], piece[at:]) for piece in pieces for at in range(1, len(piece))]
    merges = [pair for pair in splits if pair[0] in pieces and pair[1] in pieces]
    merges = draw(st.permutations(merges))[: draw(st.integers(1, 20))]
    unknown = draw(st.sampled_from([None, "<unk>"]))
    known = [*pieces, *([unknown] if unknown else [])]
    return Tokenizer(
        models.BPE(
            {piece: index for index, piece in enumerate(known)},
            merges,
            unk_token=unknown,
            fuse_unk=draw(st.booleans()),
            ignore_merges=draw(st.booleans()),
        )
    )


_PIECES = ["".join(chars) for size in range(1, 4) for chars in product(LETTERS, repeat=size)]


@st.composite
def random_unigram(draw):
    """Scores with ties, characters that no piece spells, a very low score."""
    pieces = draw(st.lists(st.sampled_from(_PIECES), min_size=2, max_size=14, unique=True))
    scores = draw(
        st.lists(
            st.sampled_from([-1.0, -2.0, -2.5, -4.0, -7.0, -20.0]),
            min_size=len(pieces),
            max_size=len(pieces),
        )
    )
    vocabulary = [("<unk>", 0.0), *zip(pieces, scores, strict=True)]
    return Tokenizer(models.Unigram(vocabulary, unk_id=0))


@st.composite
def random_wordpiece(draw):
    some = st.sets(st.sampled_from(_PIECES), max_size=8).map(lambda pieces: pieces | set("ab"))
    begins, goes_on = sorted(draw(some)), sorted(draw(some))
    pieces = ["[UNK]", *begins, *("##" + piece for piece in goes_on)]
    known = {piece: index for index, piece in enumerate(pieces)}
    return Tokenizer(models.WordPiece(known, unk_token="[UNK]"))
