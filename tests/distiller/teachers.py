"""Small randomly initialized teachers of every kind, saved by the real sentence-transformers.

Each has a tokenizer of its family, made here of a few sentences, and weights large enough for
different texts to get different vectors. Both are the same in every process.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules as st
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

KINDS = ("bert", "roberta", "xlm-roberta", "mpnet", "modernbert", "t5", "qwen3", "gemma3", "xlnet")
SENTENCES = [
    "The cat sat on the mat, and the dog looked on.",
    "A static embedding is a table with one vector for each token.",
    "Berlin ist die Hauptstadt von Deutschland; Paris die von Frankreich.",
    "El perro duerme en la casa azul mientras llueve.",
    "Numbers such as 3.14159, 42 and 1,000,000 are tokens, too!",
    "Матрёшка содержит меньшую матрёшку.",
    "世界は広い。你好，世界。",
    "Coffee ☕ and tea 🍵: both are fine 😀.",
    "to be or not to be, that is the question",
]
TEXTS = [
    *SENTENCES,
    "",
    " ",
    "cat",
    "the the the",
    "unseen wörds & sýmbols — ∑∫ 🦄",
    "word " * 90,
    "\tline one\nline two\r\n",
]
MAX_LENGTH = 40
_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}


def _pieces(made: Tokenizer, continued: str) -> Counter[str]:
    """The sentences' words, their halves and characters; those inside words after `continued`.

    The trainers of WordPiece and Unigram would break ties as their hash maps happen to lie.
    """
    pieces: Counter[str] = Counter()
    for sentence in SENTENCES:
        text = made.normalizer.normalize_str(sentence)
        for word, _ in made.pre_tokenizer.pre_tokenize_str(text):
            half = (len(word) + 1) // 2
            pieces.update([word, word[:half], *word])
            pieces.update(continued + end for end in [word[half:], *word] if end)
    return pieces


def tokenizer(kind: str) -> Any:
    """Make the fast tokenizer of a family."""
    if kind in ("bert", "mpnet"):
        special = (
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
            if kind == "bert"
            else ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
        )
        unk, first, last = "[UNK]", *(("[CLS]", "[SEP]") if kind == "bert" else ("<s>", "</s>"))
        made = Tokenizer(models.WordPiece())
        made.normalizer = normalizers.BertNormalizer(lowercase=True)
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
        tokens = [*special, *_pieces(made, "##")]
        ids = {token: place for place, token in enumerate(tokens)}
        made.model = models.WordPiece(ids, unk_token=unk)
    elif kind in ("xlm-roberta", "t5", "xlnet"):
        special = (
            ["<pad>", "</s>", "<unk>"]
            if kind == "t5"
            else ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        )
        unk, first, last = "<unk>", "<s>" if kind == "xlm-roberta" else None, "</s>"
        made = Tokenizer(models.Unigram())
        made.normalizer = normalizers.NFKC()
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        pieces = _pieces(made, "")
        scores = {token: math.log(n / pieces.total()) for token, n in pieces.items()}
        vocabulary = dict.fromkeys(special, 0.0) | scores
        made.model = models.Unigram(list(vocabulary.items()), unk_id=special.index(unk))
    else:
        special, unk, first, last = {
            "roberta": (["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "<unk>", "<s>", "</s>"),
            "modernbert": (
                ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"],
                "[UNK]",
                "[CLS]",
                "[SEP]",
            ),
            "qwen3": (["<|im_start|>", "<|endoftext|>"], None, None, "<|endoftext|>"),
            "gemma3": (["<pad>", "<eos>", "<bos>", "<unk>"], "<unk>", "<bos>", "<eos>"),
        }[kind]
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            show_progress=False,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
        made.train_from_iterator(SENTENCES * 3, trainer)
    made.add_special_tokens(special)
    made.post_processor = processors.TemplateProcessing(
        single=" ".join(filter(None, [first, "$A", last])),
        special_tokens=[(t, made.token_to_id(t)) for t in (first, last) if t],
    )
    if kind == "xlnet":  # the class token comes last, with a type of its own
        made.post_processor = processors.TemplateProcessing(
            single="$A:0 </s>:0 <s>:2", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    pad = next((t for t in special if "pad" in t.lower()), last)
    types = ["token_type_ids"] if kind in ("bert", "xlnet") else []
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token=unk,
        pad_token=pad,
        cls_token=first,
        sep_token=last,
        eos_token=last,
        padding_side="left" if kind in ("qwen3", "xlnet") else "right",
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", *types, "attention_mask"],
    )


def config(kind: str, fast: Any) -> Any:
    """The configuration of a tiny model of a kind, for a tokenizer."""
    common = dict(
        vocab_size=len(fast), pad_token_id=fast.pad_token_id, initializer_range=0.3, **_SIZES
    )
    if kind == "bert":
        return transformers.BertConfig(**common, max_position_embeddings=64)
    if kind in ("roberta", "xlm-roberta"):
        cls = transformers.RobertaConfig if kind == "roberta" else transformers.XLMRobertaConfig
        # Positions start at the padding id + 1.
        return cls(**common, max_position_embeddings=MAX_LENGTH + 2, type_vocab_size=1)
    if kind == "mpnet":
        return transformers.MPNetConfig(**common, max_position_embeddings=MAX_LENGTH + 2)
    if kind == "modernbert":
        return transformers.ModernBertConfig(
            **common,
            local_attention=8,
            global_attn_every_n_layers=2,
            cls_token_id=fast.cls_token_id,
            sep_token_id=fast.sep_token_id,
            bos_token_id=fast.cls_token_id,
            eos_token_id=fast.sep_token_id,
        )
    if kind == "t5":
        return transformers.T5Config(
            vocab_size=len(fast),
            pad_token_id=fast.pad_token_id,
            eos_token_id=fast.eos_token_id,
            d_model=32,
            d_kv=8,
            d_ff=48,
            num_layers=2,
            num_heads=4,
            initializer_factor=5.0,
        )
    if kind == "xlnet":
        return transformers.XLNetConfig(
            vocab_size=len(fast),
            pad_token_id=fast.pad_token_id,
            d_model=32,
            n_layer=2,
            n_head=4,
            d_inner=48,
            initializer_range=0.3,
        )
    if kind == "gemma3":
        return transformers.Gemma3TextConfig(
            **common,
            num_key_value_heads=2,
            head_dim=8,
            max_position_embeddings=128,
            sliding_window=8,
            use_bidirectional_attention=True,
        )
    return transformers.Qwen3Config(
        **common, num_key_value_heads=2, head_dim=8, max_position_embeddings=128
    )


def plain(
    kind: str, folder: Path, *, dtype: str = "float32", head: str = "", **settings: Any
) -> Path:
    """Save a plain transformers checkpoint, without modules.json.

    Args:
        kind: One of `KINDS`.
        folder: Where to.
        dtype: Number type of the weights.
        head: "ForMaskedLM" or "ForCausalLM" to save the model with that head.
        **settings: Overrides of the configuration.
    """
    torch.manual_seed(len(kind))
    fast = tokenizer(kind)
    made = config(kind, fast)
    for name, value in settings.items():
        setattr(made, name, value)
    if kind == "t5":
        model: Any = transformers.T5Model(made)
    elif head:
        auto = {
            "ForMaskedLM": transformers.AutoModelForMaskedLM,
            "ForCausalLM": transformers.AutoModelForCausalLM,
        }
        model = auto[head].from_config(made)
    else:
        model = transformers.AutoModel.from_config(made)
    with torch.no_grad():  # as in real checkpoints, padding has a vector that must not leak
        model.get_input_embeddings().weight[fast.pad_token_id].normal_(std=0.3)
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def save(
    folder: Path,
    base: Path,
    *,
    pooling: str | Sequence[str] = "mean",
    extra: Sequence[Any] = (),
    **settings: Any,
) -> Path:
    """Save a Sentence Transformer over a plain checkpoint.

    Args:
        folder: Where to.
        base: A checkpoint made by `plain`.
        pooling: One mode, or several to concatenate.
        extra: Modules after the pooling.
        **settings: `include_prompt` of the pooling; `max_seq_length`; the rest goes to
            SentenceTransformer (`prompts`, `default_prompt_name`).
    """
    limit = settings.pop("max_seq_length", None)
    transformer = st.Transformer(
        str(base),
        model_kwargs={"dtype": "auto"},
        **({} if limit is None else {"max_seq_length": limit}),
    )
    mode = pooling if isinstance(pooling, str) else tuple(pooling)
    pooler = st.Pooling(32, mode, include_prompt=settings.pop("include_prompt", True))
    model = SentenceTransformer(modules=[transformer, pooler, *extra], device="cpu", **settings)
    model.save(str(folder), create_model_card=False)
    return folder


def build(kind: str, folder: Path, **settings: Any) -> Path:
    """Save a Sentence Transformer of a kind; `settings` as for `save`."""
    dtype = settings.pop("dtype", "float32")
    return save(folder / "teacher", plain(kind, folder / "plain", dtype=dtype), **settings)


def dense(width_in: int, width_out: int, **settings: Any) -> Any:
    """A dense module with seeded weights."""
    torch.manual_seed(width_out)
    return st.Dense(width_in, width_out, **settings)


def layer_norm(width: int) -> Any:
    """A layer norm that changes something."""
    torch.manual_seed(width)
    module = st.LayerNorm(width)
    torch.nn.init.normal_(module.norm.weight)
    torch.nn.init.normal_(module.norm.bias)
    return module


def rename_modules_as_before(folder: Path) -> None:
    """Rewrite modules.json and the pooling's config.json as sentence-transformers 2 wrote them."""
    path = folder / "modules.json"
    entries = json.loads(path.read_text())
    for entry in entries:
        name = entry["type"].rpartition(".")[2]
        entry["type"] = f"sentence_transformers.models.{name}"
        if name == "Pooling":
            file = folder / entry["path"] / "config.json"
            config = json.loads(file.read_text())
            modes = config["pooling_mode"]
            modes = [modes] if isinstance(modes, str) else modes
            flags = {
                f"pooling_mode_{flag}": mode in modes
                for flag, mode in {
                    "cls_token": "cls",
                    "mean_tokens": "mean",
                    "max_tokens": "max",
                    "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
                    "weightedmean_tokens": "weightedmean",
                    "lasttoken": "lasttoken",
                }.items()
            }
            old = {"word_embedding_dimension": config["embedding_dimension"], **flags}
            file.write_text(json.dumps(old | {"include_prompt": config["include_prompt"]}))
    path.write_text(json.dumps(entries))
