"""Parameters of sentence-transformers and model2vec that this package does not have.

A value that has no effect on the result is accepted. Any other value raises an error that names a
replacement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypedDict

from ..errors import InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..format.metadata import Metadata

ON_CPU: Final = "this package computes on the CPU alone: leave it out"
HUB: Final = "StaticModel.from_pretrained(...) takes it"
POOL: Final = "encode(texts, workers=N) uses N threads"
TORCH: Final = "this model is not a torch module; `staticemb-distiller train` trains a model"
TO_HUB: Final = "`staticemb-distiller push` uploads a file"
EXPORT: Final = "copy the file, or write another format with `staticemb-distiller export`"
CONVERT: Final = "`staticemb-distiller` (`distill`, `convert`) writes a file with another table"
LIMIT: Final = "cut the texts, or make a file with another max_tokens"
PROMPT: Final = "pass prompt= to encode"


# Each parameter's accepted values, None for all values, and the replacement for other values.
ParameterRules = dict[str, tuple[tuple[object, ...] | None, str]]
CONSTRUCTOR: Final[ParameterRules] = {
    "backend": ((None, "torch"), "there is one backend: leave it out"),
    "cache_folder": ((None,), HUB),
    "config_kwargs": ((None, {}), "leave it out"),
    "default_prompt_name": ((None,), PROMPT),
    "device": (None, ""),  # see check_device
    "local_files_only": (None, ""),  # the constructor touches no network
    "model_card_data": ((None,), "leave it out"),
    "model_kwargs": ((None, {}), "leave it out"),
    "modules": ((None,), "pass a file or a folder"),
    "processor_kwargs": ((None, {}), "leave it out"),
    "prompts": ((None, {}), PROMPT),
    "revision": ((None,), HUB),
    "similarity_fn_name": (
        (None, "cosine"),
        "similarity() gives cosines; a @ b.T gives dot products",
    ),
    "token": ((None,), HUB),
    "tokenizer_kwargs": ((None, {}), "leave it out"),
    "trust_remote_code": (None, ""),  # this package never runs code of a model
    "use_auth_token": ((None,), HUB),
}
FROM_PRETRAINED: Final[ParameterRules] = {
    "dimensionality": (None, ""),  # the same as truncate_dim
    "force_download": (None, ""),  # cached files are compared with the Hub anyway
    "max_length": (None, ""),  # see check_max_length
    "normalize": ((None,), "pass normalize_embeddings= to encode"),
    "quantize_to": ((None,), CONVERT),
    "subfolder": ((None, ""), "download the repository and load the folder"),
    "vocabulary_quantization": ((None,), "quantize with model2vec, and load what it saves"),
}
ENCODE: Final[ParameterRules] = {
    "as_query": ((False,), "encode_document takes it"),
    "inputs": (None, ""),  # the same as sentences
    "normalize": (None, ""),  # the same as normalize_embeddings
    "max_length": (None, ""),  # see check_max_length
    "chunk_size": ((None,), "batch_size sets how many texts a thread gets at a time"),
    "multiprocessing_threshold": (None, ""),
    "pool": ((None,), POOL),
    "use_multiprocessing": (None, ""),  # it does not change the result
}


class ConstructorPeers(TypedDict, total=False):
    """Parameters that only `SentenceTransformer(...)` has."""

    model_name_or_path: str
    backend: str
    cache_folder: str | None
    config_kwargs: dict[str, Any] | None
    default_prompt_name: str | None
    device: object
    local_files_only: bool
    model_card_data: object
    model_kwargs: dict[str, Any] | None
    modules: object
    processor_kwargs: dict[str, Any] | None
    prompts: dict[str, str] | None
    revision: str | None
    similarity_fn_name: str | None
    token: str | bool | None
    tokenizer_kwargs: dict[str, Any] | None
    trust_remote_code: bool
    use_auth_token: str | bool | None


class PretrainedPeers(TypedDict, total=False):
    """Parameters that only model2vec's `from_pretrained` has."""

    dimensionality: int | None
    force_download: bool
    max_length: int | None
    normalize: bool | None
    quantize_to: str | None
    subfolder: str | None
    vocabulary_quantization: int | None


class EncodePeers(TypedDict, total=False):
    """Parameters that only `encode` of sentence-transformers or model2vec has."""

    as_query: bool  # of encode_document
    chunk_size: int | None
    inputs: str | Iterable[str]
    max_length: int | None
    multiprocessing_threshold: int
    normalize: bool | None
    pool: object
    use_multiprocessing: bool


def check_peers(function: str, rules: ParameterRules, peers: Mapping[str, Any]) -> None:
    """Check parameters that only sentence-transformers or model2vec has.

    Args:
        function: the name of the called function, for messages.
        rules: the accepted values.
        peers: the parameters by name.

    Raises:
        TypeError: a parameter is in no rule.
        InvalidOptionError: a value is not accepted; the message names a replacement.
    """
    for name, value in peers.items():
        if name not in rules:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
        accepted, instead = rules[name]
        if name == "device":
            check_device(value)
        elif accepted is not None and not any(value is v or value == v for v in accepted):
            found = "another value" if "token" in name else f"{value!r:.40}"  # a token is secret
            raise InvalidOptionError(f"{name}: expected {accepted[-1]!r}, found {found}; {instead}")


def check_prompt_name(prompt_name: object) -> None:
    """Refuse a prompt name that is not a string, such as a batch size passed by position.

    Old versions of sentence-transformers took the batch size as second argument.

    Raises:
        InvalidOptionError: `prompt_name` is neither a string nor None.
    """
    if prompt_name is not None and not isinstance(prompt_name, str):
        raise InvalidOptionError(
            f"prompt_name: expected a string, found {prompt_name!r:.40}; it is the second argument "
            "of encode: pass batch_size= and other parameters by name"
        )


def check_device(device: object) -> None:
    """Refuse a device that is not the CPU.

    Raises:
        InvalidOptionError: the device is not the CPU.
    """
    if isinstance(device, (list, tuple)):
        raise InvalidOptionError(f"device: expected 'cpu' or None, found {device!r:.40}; {POOL}")
    # torch's device objects become their names.
    if device is not None and str(device).partition(":")[0] != "cpu":
        found = f"{str(device)!r:.40}"
        raise InvalidOptionError(f"device: expected 'cpu' or None, found {found}; {ON_CPU}")


def check_max_length(peers: Mapping[str, Any], metadata: Metadata) -> None:
    """Refuse a `max_length` that differs from the model's `max_tokens`.

    Raises:
        InvalidOptionError: `max_length` differs.
    """
    if "max_length" in peers and peers["max_length"] != metadata.max_tokens:
        raise InvalidOptionError(
            f"max_length: expected {metadata.max_tokens}, the file's max_tokens, "
            f"found {peers['max_length']!r:.40}; {LIMIT}"
        )


def one_of_two(sentences: Any, peers: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any texts
    """Return the texts of a call, which sentence-transformers 6 names `inputs`.

    Raises:
        TypeError: both names are used.
    """
    if "inputs" not in peers:
        return sentences
    if sentences is not None:
        raise TypeError("encode() got its texts twice: as 'sentences' and as 'inputs'")
    return peers["inputs"]
