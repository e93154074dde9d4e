"""The modules after the transformer: pooling, dense layers, normalization.

Class names of sentence-transformers are recognized by their last part, so both old names
(`sentence_transformers.models.Dense`) and new names
(`sentence_transformers.base.modules.dense.Dense`) work.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import TeacherError
from .layout import LIBRARY_PREFIX, Entry, read_object
from .pooling import MODES, pool
from .unsupported import UnsupportedModuleError

# Files with a pickle's suffix that no library loads as weights; OpenVINO's files are not pickles.
_NOT_WEIGHTS = (
    "openvino_",
    "optimizer",
    "random_states",
    "rng_state",
    "scheduler",
    "training_args",
)
_PICKLES = {".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth"}
_TOKENS, _SENTENCE = "token_embeddings", "sentence_embedding"
# In the order in which sentence-transformers concatenates the pooled vectors.
_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


class Module(nn.Module):
    """A step after the transformer, which changes the features in place."""

    def forward(self, features: dict[str, Tensor], lengths: Tensor, skip: int) -> None:
        """Read and write `token_embeddings` (B, T, H) and `sentence_embedding` (B, D)."""
        raise NotImplementedError


class PoolingModule(Module):
    """Pooling of token vectors to sentence vectors."""

    def __init__(self, modes: tuple[str, ...] = ("mean",), *, include_prompt: bool = True) -> None:
        super().__init__()
        self.modes = modes
        self.include_prompt = include_prompt

    @classmethod
    def read(cls, folder: Path) -> "PoolingModule":
        """Read config.json, in the old form (one flag per mode) or the new form."""
        path = folder / "config.json"
        config = read_object(path)
        modes = config.get("pooling_mode")
        if modes is None:
            modes = [mode for flag, mode in _POOLING_FLAGS.items() if config.get(flag)] or ["mean"]
        modes = modes if isinstance(modes, list) and modes else [modes]
        if unknown := [m for m in modes if not isinstance(m, str) or m not in MODES]:
            raise UnsupportedModuleError(f"{path}: unknown pooling mode {unknown[0]!r}")
        return cls(tuple(modes), include_prompt=bool(config.get("include_prompt", True)))

    def forward(self, features: dict[str, Tensor], lengths: Tensor, skip: int) -> None:
        """Write `sentence_embedding`."""
        skip = 0 if self.include_prompt else skip
        features[_SENTENCE] = pool(features[_TOKENS], lengths, self.modes, skip=skip)


class Dense(Module):
    """A linear layer and its activation, with or without a residual connection."""

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        super().__init__()
        weights = _read_weights(folder)
        self.linear = _linear(weights, "linear", folder)
        self.residual: nn.Module | None = None
        if config.get("use_residual"):
            self.residual = nn.Identity()
            if "residual.weight" in weights:
                self.residual = _linear(weights, "residual", folder)
        name = config.get("activation_function", "torch.nn.modules.activation.Tanh")
        self.activation = _activation(name, folder)
        self.source, self.target = _names(config, folder)

    @classmethod
    def read(cls, folder: Path) -> "Dense":
        """Read config.json and model.safetensors."""
        return cls(read_object(folder / "config.json"), folder)

    def forward(self, features: dict[str, Tensor], lengths: Tensor, skip: int) -> None:
        """Apply the layer to the configured feature."""
        x = features[self.source].float()
        y = self.activation(self.linear(x))
        features[self.target] = y if self.residual is None else y + self.residual(x)


class LayerNorm(Module):
    """Layer normalization of the sentence vectors."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        weights = _read_weights(folder)
        weight = _tensor(weights, "norm.weight", folder)
        self.norm = nn.LayerNorm(list(weight.shape))
        self.norm.weight = nn.Parameter(weight)
        self.norm.bias = nn.Parameter(_tensor(weights, "norm.bias", folder))

    @classmethod
    def read(cls, folder: Path) -> "LayerNorm":
        """Read model.safetensors."""
        return cls(folder)

    def forward(self, features: dict[str, Tensor], lengths: Tensor, skip: int) -> None:
        """Normalize `sentence_embedding`."""
        features[_SENTENCE] = self.norm(features[_SENTENCE].float())


class Normalize(Module):
    """Scaling of vectors to unit length; a zero vector stays zero."""

    def __init__(self, source: str = _SENTENCE, target: str = _SENTENCE) -> None:
        super().__init__()
        self.source, self.target = source, target

    @classmethod
    def read(cls, folder: Path) -> "Normalize":
        """Read config.json; older teachers do not have it."""
        return cls(*_names(read_object(folder / "config.json"), folder))

    def forward(self, features: dict[str, Tensor], lengths: Tensor, skip: int) -> None:
        """Normalize the configured feature."""
        features[self.target] = nn.functional.normalize(features[self.source].float(), dim=-1)


class Dropout(Module):
    """Dropout, which does nothing outside training."""

    @classmethod
    def read(cls, folder: Path) -> "Dropout":
        """Return the module; it has no settings."""
        return cls()

    def forward(self, features: dict[str, Tensor], lengths: Tensor, skip: int) -> None:
        """Change nothing."""


_KINDS: dict[str, type[PoolingModule | Dense | LayerNorm | Normalize | Dropout]] = {
    "Pooling": PoolingModule,
    "Dense": Dense,
    "LayerNorm": LayerNorm,
    "Normalize": Normalize,
    "Dropout": Dropout,
}


def read_module(entry: Entry) -> Module:
    """Build the module of an entry of modules.json.

    Raises:
        UnsupportedModuleError: The module is unknown.
        TeacherError: The module's files are invalid, or it has no safetensors weights.
    """
    if not entry.type.startswith(LIBRARY_PREFIX) or entry.kind not in _KINDS:
        raise UnsupportedModuleError(f"{entry.folder}: unknown module {entry.type!r}")
    return _KINDS[entry.kind].read(entry.folder)


def _names(config: dict[str, Any], folder: Path) -> tuple[str, str]:
    source = config.get("module_input_name") or _SENTENCE
    target = config.get("module_output_name") or source
    for name in (source, target):
        if not isinstance(name, str):
            path = folder / "config.json"
            raise TeacherError(f"{path}: expected the name of a feature, found {name!r}")
    return source, target


def _read_weights(folder: Path) -> dict[str, Tensor]:
    path = folder / "model.safetensors"
    if not path.is_file():
        raise TeacherError(no_safetensors(folder))
    try:
        return {name: tensor.float() for name, tensor in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise TeacherError(f"{path}: not a safetensors file: {error}") from error


def check_not_pickled(folder: Path) -> None:
    """Refuse a model's folder with weights that are stored only as a pickle.

    A library that opens the folder would read them, and a pickle can run code. A pickle is not read
    if there are safetensors in the same folder.

    Raises:
        TeacherError: The folder or a subfolder has pickled weights and no safetensors.
    """
    for file in sorted(folder.rglob("*")):
        if file.suffix not in _PICKLES or file.name.startswith(_NOT_WEIGHTS):
            continue
        if not any(file.parent.glob("*.safetensors")):
            raise TeacherError(_pickled(file.parent, file.name))


def _pickled(folder: Path, name: str) -> str:
    return (
        f"{folder}: weights are stored only as a pickle ({name}), which can run code when it is "
        "read; if you trust the model, load it with sentence-transformers or transformers, and "
        "save it again as safetensors"
    )


def no_safetensors(folder: Path) -> str:
    """Return the error message for a folder without safetensors weights."""
    if any(folder.glob("pytorch_model*.bin")):
        return _pickled(folder, "pytorch_model.bin")
    return f"{folder}: no weights: expected model.safetensors (a pickle is never read)"


def _tensor(weights: dict[str, Tensor], name: str, folder: Path) -> Tensor:
    if name not in weights:
        raise TeacherError(
            f"{folder / 'model.safetensors'}: expected tensor {name!r}, found {sorted(weights)}"
        )
    return weights[name]


def _linear(weights: dict[str, Tensor], name: str, folder: Path) -> nn.Linear:
    weight = _tensor(weights, f"{name}.weight", folder)
    if weight.ndim != 2:
        raise TeacherError(
            f"{folder / 'model.safetensors'}: expected a matrix {name}.weight, "
            f"found shape {tuple(weight.shape)}"
        )
    bias = weights.get(f"{name}.bias")
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight)
    if bias is not None:
        layer.bias = nn.Parameter(bias)
    return layer


def _activation(name: object, folder: Path) -> nn.Module:
    """Make a torch activation by its dotted name, without importing the name."""
    last = str(name).rpartition(".")[2]
    if str(name).startswith("torch.nn.") and last in (
        *torch.nn.modules.activation.__all__,
        "Identity",
    ):
        try:
            activation = getattr(torch.nn, last)()
        except TypeError:  # needs arguments that a config cannot give
            activation = None
        if isinstance(activation, nn.Module):
            return activation
    raise UnsupportedModuleError(f"{folder / 'config.json'}: unknown activation function {name!r}")
