"""The transformer of a teacher: weights, tokenizer and limits, read by `transformers`."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from safetensors import SafetensorError
from tokenizers import Tokenizer, normalizers
from torch import Tensor, nn

from ..errors import TeacherError, UntrustedCodeError
from .layout import TRUST, read_object
from .modules import no_safetensors
from .settings import TeacherSettings
from .unsupported import UnsupportedModuleError

# For these encoder-decoders only the encoder is loaded.
_ENCODER_CLASSES = {
    "t5": "T5EncoderModel",
    "mt5": "MT5EncoderModel",
    "umt5": "UMT5EncoderModel",
    "longt5": "LongT5EncoderModel",
    "switch_transformers": "SwitchTransformersEncoderModel",
}
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# `torch_dtype` became `dtype` in transformers 5.
DTYPE_ARGUMENT = "torch_dtype" if transformers.__version__.startswith("4.") else "dtype"
"""The name of the number type among the arguments of `from_pretrained`."""
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""The package index of torch without CUDA for Linux; torch on PyPI includes CUDA."""
_HUGE = 10**9  # tokenizers without a limit state 1e30


@dataclass(frozen=True)
class Encoder:
    """A transformer ready to run.

    Attributes:
        model: The model, in evaluation mode, on its device.
        tokenizer: The fast backend: it adds special tokens, and does not truncate or pad.
        max_length: The most tokens of a text, special tokens included; None: no limit.
        truncation_side: The end at which a longer text is cut: "right" or "left".
        positions: The number of the model's positions; None: no limit.
        pad_id: The id of padding.
        special_ids: The ids of the special tokens.
        token_types: Whether the model takes token types.
        pooler: Whether there is a pooler with trained weights.
    """

    model: Any
    tokenizer: Tokenizer
    max_length: int | None
    truncation_side: Literal["left", "right"]
    positions: int | None
    pad_id: int
    special_ids: frozenset[int]
    token_types: bool
    pooler: bool

    def __call__(self, ids: Tensor, mask: Tensor, types: Tensor) -> tuple[Tensor, Tensor | None]:
        """Run (B, T) ids; return the last hidden state (B, T, H) and the pooler output (B, H)."""
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self.token_types:
            inputs["token_type_ids"] = types
        output = self.model(**inputs, return_dict=True)
        return output.last_hidden_state, output.get("pooler_output") if self.pooler else None


def pick_device(device: str) -> torch.device:
    """Return a torch device; "auto" is the first available of CUDA, MPS and the CPU.

    Raises:
        TeacherError: The device is not available.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise TeacherError(f"device {device!r} is not available here: {error}") from error
    return chosen


def unused_cuda() -> str | None:
    """Return a hint on a smaller torch if torch includes CUDA but the machine has no CUDA."""
    if torch.version.cuda is None or torch.cuda.is_available():
        return None
    return (
        "The installed torch includes CUDA's libraries (several GB), but this machine has no CUDA: "
        f"pip install --force-reinstall torch --index-url {CPU_INDEX} replaces it by a smaller one"
    )


def load_encoder(
    folder: Path,
    settings: TeacherSettings,
    *,
    device: torch.device,
    dtype: str = "auto",
    trust_remote_code: bool = False,
) -> Encoder:
    """Load a transformer and its tokenizer from a folder.

    Args:
        folder: The folder of config.json, safetensors weights and tokenizer files.
        settings: The module's configuration.
        device: The device to run on.
        dtype: "float32", "bfloat16", "float16", or "auto": float32 on the CPU, elsewhere the
            checkpoint's type.
        trust_remote_code: Whether Python code in the folder may run.

    Raises:
        TeacherError: The number type is unknown, a file is invalid, weights are absent, incomplete
            or pickled, there is no fast tokenizer, the model does not fit on the device, or
            `transformers` does not know the architecture.
        UnsupportedModuleError: Only sentence-transformers can run the model.
        UntrustedCodeError: The architecture is Python code in the folder.
    """
    if dtype not in ("auto", *_DTYPES):
        raise TeacherError(f"number type {dtype!r}: expected auto, {', '.join(_DTYPES)}")
    if dtype == "auto" and device.type == "cpu":
        dtype = "float32"
    with quiet(), _explained(folder, trust_remote_code=trust_remote_code):
        config = transformers.AutoConfig.from_pretrained(
            folder, trust_remote_code=trust_remote_code, **settings.config
        )
        model, pooler = _load_model(folder, config, dtype, trust_remote_code=trust_remote_code)
        limit = {} if settings.max_length is None else {"model_max_length": settings.max_length}
        fast_tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
            folder, trust_remote_code=trust_remote_code, **(settings.tokenizer | limit)
        )
    if not getattr(fast_tokenizer, "is_fast", False):
        raise TeacherError(
            f"{folder}: tokenizer {type(fast_tokenizer).__name__} has no fast form; "
            "expected tokenizer.json or a tokenizer that transformers can convert"
        )
    try:
        model = model.eval().requires_grad_(requires_grad=False).to(device)
    except torch.cuda.OutOfMemoryError as error:
        raise TeacherError(f"{folder}: the teacher does not fit on {device}") from error
    positions = _positions(model)
    longest = fast_tokenizer.model_max_length
    if not isinstance(longest, int | float) or not longest > 0:
        raise TeacherError(
            f"{folder}: model_max_length: expected a number above 0, found {longest!r}"
        )
    max_length = int(min(longest, _HUGE))
    if settings.max_length is None and "model_max_length" not in settings.tokenizer:
        positions_in_config = getattr(config, "max_position_embeddings", -1)  # XLNet: -1, no limit
        max_length = min(
            max_length,
            positions_in_config
            if isinstance(positions_in_config, int) and positions_in_config > 0
            else _HUGE,
        )
    max_length = min(max_length, _HUGE if positions is None else positions)
    pads = (
        fast_tokenizer.pad_token_id,
        getattr(config, "pad_token_id", None),
        fast_tokenizer.eos_token_id,
        0,
    )
    return Encoder(
        model=model,
        tokenizer=_backend(fast_tokenizer, lowercase=settings.lowercase),
        max_length=max_length if max_length < _HUGE else None,
        truncation_side=fast_tokenizer.truncation_side,
        positions=positions,
        pad_id=next(pad for pad in pads if pad is not None),
        special_ids=frozenset(fast_tokenizer.all_special_ids),
        token_types="token_type_ids" in fast_tokenizer.model_input_names
        and "token_type_ids" in inspect.signature(model.forward).parameters,
        pooler=pooler,
    )


def _load_model(
    folder: Path,
    config: Any,  # noqa: ANN401 - transformers' classes are untyped
    dtype: str,
    *,
    trust_remote_code: bool,
) -> tuple[Any, bool]:
    """Load the model; also return whether it has a pooler with trained weights."""
    if not any(folder.glob("*.safetensors")):
        raise TeacherError(no_safetensors(folder))
    name = _ENCODER_CLASSES.get(config.model_type)
    if name is None and getattr(config, "is_encoder_decoder", False):
        raise UnsupportedModuleError(f"{folder}: encoder-decoder {config.model_type!r}")
    kernel = str(getattr(config, "_attn_implementation", None))
    if "/" in kernel and not trust_remote_code:
        raise UntrustedCodeError(
            f"{folder}: config.json requires native code from the Hub, {kernel!r}; {TRUST}"
        )
    if hasattr(config, "use_cache"):
        config.use_cache = False
    model, info = getattr(transformers, name or "AutoModel").from_pretrained(
        folder,
        config=config,
        use_safetensors=True,
        trust_remote_code=trust_remote_code,
        output_loading_info=True,
        **{DTYPE_ARGUMENT: _DTYPES.get(dtype, "auto")},
    )
    missing = sorted(info["missing_keys"])
    pooler = [key for key in missing if key.split(".")[0] == "pooler"]
    if absent := [key for key in missing if key not in pooler]:
        raise TeacherError(
            f"{folder}: weights lack {len(absent)} tensors of the architecture "
            f"{type(model).__name__}, for example {absent[0]!r}"
        )
    return model, getattr(model, "pooler", None) is not None and not pooler


def _positions(model: nn.Module) -> int | None:
    """Count learned positions; RoBERTa and similar models start at the padding id + 1."""
    for module in model.modules():
        table = getattr(module, "position_embeddings", None)
        if isinstance(table, nn.Embedding):
            return table.num_embeddings - (
                0 if table.padding_idx is None else table.padding_idx + 1
            )
    return None


def _backend(fast: Any, *, lowercase: bool) -> Tokenizer:  # noqa: ANN401 - untyped
    """Copy the fast tokenizer without truncation and padding."""
    tokenizer: Tokenizer = Tokenizer.from_str(fast.backend_tokenizer.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if lowercase:
        present = tokenizer.normalizer
        steps = [normalizers.Lowercase(), *([] if present is None else [present])]
        tokenizer.normalizer = normalizers.Sequence(steps)
    return tokenizer


@contextmanager
def _explained(folder: Path, *, trust_remote_code: bool) -> Iterator[None]:
    """Turn errors of transformers into one-line errors of this package."""
    try:
        yield
    except SafetensorError as error:
        raise TeacherError(f"{folder}: damaged weights: {error}") from error
    except TeacherError:
        raise
    except Exception as error:  # a damaged config.json can raise anything
        text = " ".join(str(error).split())
        if not trust_remote_code and "trust_remote_code" in text:
            raise UntrustedCodeError(
                f"{folder}: the architecture is the teacher's own code; {TRUST}"
            ) from error
        if "does not recognize this architecture" in text:
            kind = read_object(folder / "config.json").get("model_type")
            raise TeacherError(
                f"{folder}: transformers {transformers.__version__} does not know the "
                f"architecture {kind!r}; a newer version may: pip install -U transformers"
            ) from error
        raise TeacherError(f"{folder}: cannot be loaded: {text}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' progress bars and load reports; problems are raised as errors."""
    log: Any = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
