"""The settings files in folders of model2vec and sentence-transformers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final, NamedTuple

from ..errors import InvalidConfigError, ModelNotFoundError, NotAModelError, UnsupportedModelError

CONFIG: Final = "config.json"
CONFIG_ST: Final = "config_sentence_transformers.json"
MODULES: Final = "modules.json"
SETTINGS: Final = (MODULES, CONFIG, CONFIG_ST)
TABLE_FILES: Final = ("tokenizer.json", "model.safetensors")
HEAD_FILE: Final = "head.safetensors"
MAX_CONFIG_BYTES: Final = 1 << 20

# The folders that may hold the table if no modules.json names its folder.
_PLACES: Final = ("", "0_StaticEmbedding")
_DEFAULT_MAX_LENGTH: Final = 512
_VECTOR: Final = "sentence_embedding"


class Module(NamedTuple):
    """One step of a sentence-transformers model.

    Attributes:
        kind: the last part of its class's name.
        path: its folder, relative to the model's.
    """

    kind: str
    path: str


@dataclass(frozen=True)
class FolderSettings:
    """The settings of a folder.

    Attributes:
        normalize: whether vectors are normalized.
        max_length: the number of tokens that model2vec reads; None for all.
        truncate_dim: the length to which vectors are cut; None for whole vectors.
        prompts: texts by name, for `StaticModel.encode`.
    """

    normalize: bool
    max_length: int | None = None
    truncate_dim: int | None = None
    prompts: dict[str, str] = field(default_factory=dict)

    def dim(self, whole: int) -> int | None:
        """Return the default length of vectors if it is less than the whole, else None."""
        short = self.truncate_dim
        return None if short is None or short >= whole else short


def read_modules(folder: Path) -> list[Module] | None:
    """Read the modules of a sentence-transformers model; None if the folder does not list them.

    Raises:
        ModelNotFoundError: the folder does not exist.
        InvalidConfigError: `modules.json` is malformed, or names a folder outside the model's.
        UnsupportedModelError: the first module is not a table.
    """
    if not folder.is_dir():
        raise ModelNotFoundError(f"{folder}: no such folder")
    file = folder / MODULES
    if not file.is_file():
        return None
    listed = _read_json(file)
    if not isinstance(listed, list) or not listed:
        raise InvalidConfigError(f"{file}: expected an array of modules, found {listed!r:.60}")
    modules = [_module(entry, file) for entry in listed]
    if modules[0].kind != "StaticEmbedding":
        raise UnsupportedModelError(
            f"{file}: expected a model that begins with StaticEmbedding, found "
            f"{modules[0].kind}: only a static model can be opened (other models can be distilled)"
        )
    return modules


def find_place(exists: Callable[[str], bool], modules: list[Module] | None, source: str) -> str:
    """Find the folder of `model.safetensors` and `tokenizer.json`, relative to the model's.

    Args:
        exists: tells whether the model has a file, named relative to the model's folder.
        modules: the modules in `modules.json`.
        source: the model's name in error messages.

    Raises:
        NotAModelError: one of the files is missing.
        UnsupportedModelError: the weights are pickled.
    """
    places = [modules[0].path] if modules else _PLACES
    for place in places:
        if exists(join(place, "model.safetensors")):
            if not exists(join(place, "tokenizer.json")):
                raise NotAModelError(
                    f"{source}: expected {join(place, 'tokenizer.json')}, found none"
                )
            return place
    if any(exists(join(place, "pytorch_model.bin")) for place in places):
        raise UnsupportedModelError(
            f"{source}: expected weights in model.safetensors, found pytorch_model.bin, a pickle, "
            "which can run code when it is read. Save the model again with safetensors"
        )
    raise NotAModelError(f"{source}: expected model.safetensors, found none")


def join(place: str, name: str) -> str:
    """Join a file's name relative to the model's folder, as `modules.json` and the Hub spell it.

    Example:
        >>> join(".", "config.json"), join("1_Normalize", "config.json")
        ('config.json', '1_Normalize/config.json')
    """
    return str(PurePosixPath(place) / name)


def model2vec_settings(folder: Path, *, root: bool) -> FolderSettings:
    """Read the settings by model2vec's rules.

    Args:
        folder: the model's folder.
        root: whether the table lies in that folder, not in a folder below.

    Raises:
        NotAModelError: no settings file exists.
        InvalidConfigError: the settings file is malformed.
    """
    file = folder / CONFIG
    if not (root and file.is_file()):
        file = folder / CONFIG_ST
    if not file.is_file():
        raise NotAModelError(f"{folder}: expected {CONFIG} or {CONFIG_ST}, found neither")
    config = _read_object(file)
    normalize = config.get("normalize")
    if not (normalize is None or isinstance(normalize, bool)):
        raise InvalidConfigError(
            f"{file}: normalize: expected a boolean or null, found {normalize!r:.60}"
        )
    max_length = _count(config.get("max_length", _DEFAULT_MAX_LENGTH), "max_length", file)
    return FolderSettings(bool(normalize), max_length)


def head_config(folder: Path) -> dict[str, Any]:
    """Return the settings of a folder's classifier or regressor; empty if it has none.

    Raises:
        InvalidConfigError: the settings file is malformed.
    """
    file = folder / CONFIG
    config = _read_object(file).get("head_config") if file.is_file() else None
    return config if isinstance(config, dict) and config.get("n_layers") else {}


def sentence_transformers_settings(folder: Path, modules: list[Module]) -> FolderSettings:
    """Read the settings by sentence-transformers' rules.

    Raises:
        InvalidConfigError: a settings file is malformed.
        UnsupportedModelError: a module does more than normalize, or the model puts a prompt before
            every text by default.
    """
    for module in modules[1:]:
        if module.kind != "Normalize":
            raise UnsupportedModelError(
                f"{folder}: expected StaticEmbedding and Normalize, found {module.kind}"
            )
        file = folder / module.path / CONFIG
        config = _read_object(file) if file.is_file() else {}
        for key in ("module_input_name", "module_output_name"):
            if config.get(key) not in (None, _VECTOR):
                raise UnsupportedModelError(
                    f"{file}: {key}: expected {_VECTOR!r}, found {config[key]!r:.60}"
                )
    file = folder / CONFIG_ST
    config = _read_object(file) if file.is_file() else {}
    prompts, default = _prompts(config, file), config.get("default_prompt_name")
    if default is not None and prompts.get(str(default)):
        raise UnsupportedModelError(
            f"{file}: expected no default prompt, found {prompts[str(default)]!r:.60}; "
            "remove default_prompt_name and pass prompt= to encode"
        )
    short = _count(config.get("truncate_dim"), "truncate_dim", file)
    return FolderSettings(normalize=len(modules) > 1, truncate_dim=short, prompts=prompts)


def _prompts(config: dict[str, Any], file: Path) -> dict[str, str]:
    """Return the prompts by name, without null, which sentence-transformers writes if unset.

    Raises:
        InvalidConfigError: the prompts are malformed.
    """
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(
        isinstance(text, str) for text in prompts.values() if text is not None
    ):
        raise InvalidConfigError(f"{file}: prompts: expected texts by name, found {prompts!r:.60}")
    return {name: text for name, text in prompts.items() if text is not None}


def _module(entry: object, file: Path) -> Module:
    kind = entry.get("type") if isinstance(entry, dict) else None
    path = entry.get("path", "") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or not isinstance(path, str):
        raise InvalidConfigError(
            f"{file}: expected modules with a type and a path, found {entry!r:.60}"
        )
    windows, posix = PureWindowsPath(path), PurePosixPath(path)
    if windows.anchor or posix.is_absolute() or ".." in windows.parts or "\0" in path:
        raise InvalidConfigError(
            f"{file}: expected a path inside the model's folder, found {path!r:.60}"
        )
    package, _, name = kind.rpartition(".")
    known = package.partition(".")[0] == "sentence_transformers" and "sparse" not in package
    return Module(name if known else kind, path)


def _count(value: object, key: str, file: Path) -> int | None:
    """Check that a value is a positive integer or null."""
    # type() and not isinstance(): True is an int in Python.
    if value is None or (type(value) is int and 1 <= value < 2**31):
        return value
    raise InvalidConfigError(f"{file}: {key}: expected 1 to 2^31 - 1 or null, found {value!r:.60}")


def _read_object(file: Path) -> dict[str, Any]:
    value = _read_json(file)
    if not isinstance(value, dict):
        raise InvalidConfigError(f"{file}: expected a JSON object, found {type(value).__name__}")
    return value


def _read_json(file: Path) -> object:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_CONFIG_BYTES + 1)
        if len(content) > MAX_CONFIG_BYTES:
            raise InvalidConfigError(
                f"{file}: expected at most {MAX_CONFIG_BYTES} bytes, found more"
            )
        return json.loads(content)
    except OSError as error:
        raise NotAModelError(f"{file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidConfigError(f"{file}: expected JSON, found an error: {error}") from None
