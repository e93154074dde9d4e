"""The settings in a Transformer module's configuration file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import TeacherError
from .layout import read_object
from .unsupported import UnsupportedModuleError

_CONFIG_FILES = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_TEXT_ONLY = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
# This package decides these loading arguments; a teacher's files must not.
_OURS = {
    "trust_remote_code",
    "code_revision",
    "token",
    "use_auth_token",
    "cache_dir",
    "revision",
    "subfolder",
    "local_files_only",
    "force_download",
    "use_fast",
}
# Model arguments that change speed or memory, not vectors; this package chooses them.
_HARMLESS = {"dtype", "torch_dtype", "attn_implementation", "add_pooling_layer"}


@dataclass(frozen=True)
class TeacherSettings:
    """The settings of a Transformer module.

    Attributes:
        max_length: The most tokens of a text; None: the tokenizer and the model decide.
        lowercase: Whether texts are lowercased before the tokenizer's own normalization.
        tokenizer: Arguments for loading the tokenizer.
        config: Overrides of the model's configuration.
    """

    max_length: int | None
    lowercase: bool
    tokenizer: dict[str, Any]
    config: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "TeacherSettings":
        """Read sentence_bert_config.json, or the file under one of its older names.

        Raises:
            TeacherError: The file is invalid.
            UnsupportedModuleError: The input is not plain text, the output is not the last hidden
                state, or a setting is unsupported.
        """
        path = next((folder / f for f in _CONFIG_FILES if (folder / f).is_file()), None)
        raw = read_object(path) if path else {}
        if (folder / "adapter_config.json").is_file():
            raise UnsupportedModuleError(f"{folder}: the weights are a PEFT adapter")
        if raw.get("transformer_task", "feature-extraction") != "feature-extraction":
            raise UnsupportedModuleError(f"{path}: task {raw['transformer_task']!r}")
        if raw.get("modality_config", _TEXT_ONLY) != _TEXT_ONLY:
            raise UnsupportedModuleError(f"{path}: inputs other than plain text")
        if raw.get("processing_kwargs"):
            raise UnsupportedModuleError(f"{path}: processing_kwargs")
        model = _kwargs(raw, "model_args", "model_kwargs")
        if unknown := sorted(set(model) - _HARMLESS):
            raise UnsupportedModuleError(f"{path}: model argument {unknown[0]!r}")
        limit = raw.get("max_seq_length")
        if limit is not None and not (isinstance(limit, int) and limit > 0):
            raise TeacherError(
                f"{path}: max_seq_length: expected a positive integer, found {limit!r}"
            )
        return cls(
            max_length=limit,
            lowercase=bool(raw.get("do_lower_case")),
            tokenizer=_kwargs(raw, "tokenizer_args", "processor_kwargs"),
            config=_kwargs(raw, "config_args", "config_kwargs"),
        )


def _kwargs(raw: dict[str, Any], *names: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name in names:
        value = raw.get(name)
        merged.update(value if isinstance(value, dict) else {})
    return {key: value for key, value in merged.items() if key not in _OURS}
