"""Open a model for evaluation: the kind of the file or folder decides which package opens it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from staticemb_runtime.loading import find_installed, not_installed

from ..errors import EvaluationError, MissingPackageError, TeacherError
from ..path_checks import exists, is_file, is_folder
from ..teacher.open_teacher import is_server, open_teacher
from ..teacher.server_spec import ServerSpec
from . import baselines
from .models import FunctionModel, LexicalModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..teacher.text_encoder import TextKind


def load_model(spec: str | Path, name: str | None = None) -> FunctionModel | LexicalModel:
    """Open a model for evaluation.

    Args:
        spec: A `.staticemb` file; a folder of model2vec or sentence-transformers; a text file of
            word vectors (`.txt`, `.vec`, `.glove`, optionally with `.gz`); one of the names
            `tfidf`, `tfidf-characters`, `bm25` and `wordllama`; `openai:URL#MODEL` for a server
            (`ServerSpec`); the name of an installed model; or the Hub id of a Sentence
            Transformer. Local files and installed models take precedence over the Hub. Pickled
            weights and code that comes with a model are not loaded.
        name: Its name in the report; None: the name of the file.

    Returns:
        An `Embedder` or a `LexicalModel`, whose `source` is `spec`.

    Raises:
        EvaluationError: there is no such model, or it cannot be opened.
        MissingPackageError: the package that opens this kind of model is not installed.
    """
    model = _opened(spec, name)
    model.source = str(spec)
    return model


def _opened(spec: str | Path, name: str | None) -> FunctionModel | LexicalModel:
    text = str(spec)
    if text in baselines.NAMES:
        return baselines.load(text, name)
    if is_server(text):
        return _server(text, name)
    path = Path(spec)
    if not exists(path) and isinstance(spec, str) and (file := find_installed(text)) is not None:
        return _staticemb(Path(file), name or text)
    name = name or path.name.removesuffix(".staticemb")
    if is_file(path):
        if path.suffix.lower() == ".staticemb":
            return _staticemb(path, name)
        if any(path.name.lower().endswith(end) for end in baselines.WORD_VECTOR_ENDINGS):
            return baselines.WordVectors(path, name)
        raise EvaluationError(
            f"{path}: expected a .staticemb file or word vectors "
            f"({', '.join(baselines.WORD_VECTOR_ENDINGS)}), found {path.suffix or 'no ending'}"
        )
    if is_folder(path):
        return _folder(path, name)
    # `-v1.5`, as Hub ids have it, is no ending of a file.
    ending = path.suffix[1:2].isalpha()
    if path.is_absolute() or text.startswith(".") or text.count("/") > 1 or ending:
        raise EvaluationError(f"{path}: expected a model, found no such file or folder")
    return _from_hub(text, name)


def _from_hub(spec: str, name: str) -> FunctionModel:
    """Open a Sentence Transformer by its Hub id; a bare name is of `sentence-transformers/`."""
    from ..teacher.source import find

    try:
        source = find(spec if "/" in spec else f"sentence-transformers/{spec}")
    except TeacherError as error:
        tried = ", ".join(["no such file or folder", not_installed(spec), "no baseline"])
        raise EvaluationError(f"{spec}: {tried}; as a Sentence Transformer: {error}") from None
    return _sentence_transformer(source.folder, name)


def _server(spec: str, name: str | None) -> FunctionModel:
    """Open a model on a server; all texts but queries are sent as documents, as in `distill`."""
    try:
        parsed = ServerSpec.parse(spec)
        server = open_teacher(spec)
    except TeacherError as error:
        raise EvaluationError(str(error)) from None

    def encode(texts: list[str], kind: TextKind) -> NDArray[np.float32]:
        try:
            return server.encode(texts, kind=kind)
        except TeacherError as error:
            raise EvaluationError(f"{server.name}: {error}") from None

    return FunctionModel(
        name or parsed.model,
        partial(encode, kind="document"),
        query=partial(encode, kind="query"),
        prefixes=(server.dim,),
        facts={"kind": "server", "dimension": server.dim, "address": server.name},
    )


def _staticemb(path: Path, name: str) -> FunctionModel:
    from staticemb_runtime import StaticEmbError, StaticModel
    from staticemb_runtime.format import read

    try:
        file = read(path)
        model = StaticModel.load(path)
    except StaticEmbError as error:
        raise EvaluationError(str(error)) from None
    metadata = file.metadata
    return FunctionModel(
        name,
        partial(model.encode, on_empty="zero"),  # the other libraries do not warn either
        query=partial(model.encode_query, on_empty="zero"),
        # A file that is made for queries is measured with documents by its own table, too.
        document=partial(model.encode_document, on_empty="zero", as_query=True),
        prefixes=metadata.prefixes,
        bytes=path.stat().st_size,
        facts={
            "kind": "staticemb",
            "dimension": metadata.dim,
            "max_tokens": metadata.max_tokens,
            "precision": str(file.embeddings.dtype),
            "pooling": metadata.pooling,
            "digest": metadata.digest,
            "teacher": metadata.extra.get("teacher"),
        },
    )


def _size(folder: Path) -> int:
    """Return the bytes of weights and tokenizer, without other files of the folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    weights = [path for path in files if path.suffix == ".safetensors"] or [
        path for path in files if path.suffix == ".bin"
    ]
    vocabulary = [path for path in files if path.name == "tokenizer.json"]
    return sum(path.stat().st_size for path in weights + vocabulary)


def _folder(path: Path, name: str) -> FunctionModel:
    config, modules = path / "config.json", path / "modules.json"
    if config.is_file():
        try:
            keys = json.loads(config.read_text("utf-8"))
            static = keys.get("model_type") == "model2vec" or "embedding_dtype" in keys
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise EvaluationError(f"{config}: expected a JSON object, found none") from None
        if static:
            # First, because a folder of model2vec has a modules.json as well.
            return _model2vec(path, name)
    elif not modules.is_file():
        raise EvaluationError(
            f"{path}: expected a model's folder, with modules.json or config.json, found neither"
        )
    return _sentence_transformer(path, name)


def _model2vec(path: Path, name: str) -> FunctionModel:
    try:
        from model2vec import StaticModel
    except ImportError:
        raise MissingPackageError(
            f"{path}: a model2vec folder needs `pip install model2vec`"
        ) from None
    try:
        model = StaticModel.from_pretrained(str(path))
    except Exception as error:  # a damaged file can raise anything
        raise EvaluationError(f"{path}: model2vec cannot open it: {_first_line(error)}") from error
    return FunctionModel(
        name,
        model.encode,
        prefixes=(model.dim,),
        bytes=_size(path),
        facts={
            "kind": "model2vec",
            "dimension": model.dim,
            "max_tokens": model.max_length,
            "precision": str(model.embedding.dtype),
            "pooling": "mean",
        },
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _sentence_transformer(path: Path, name: str) -> FunctionModel:
    try:
        import sentence_transformers  # noqa: F401
    except ImportError:
        raise MissingPackageError(
            f"{path}: a Sentence Transformer needs `pip install sentence-transformers`"
        ) from None
    from ..teacher.sentence_transformers_backend import open_sentence_transformer

    try:
        model = open_sentence_transformer(path)
        dim = int(model.encode(["a"], show_progress_bar=False).shape[1])
    except TeacherError as error:
        raise EvaluationError(str(error)) from None
    except Exception as error:  # a damaged file can raise anything
        raise EvaluationError(
            f"{path}: sentence-transformers cannot open it: {_first_line(error)}"
        ) from error
    return FunctionModel(
        name,
        lambda texts: model.encode(texts, show_progress_bar=False),
        query=lambda texts: model.encode_query(texts, show_progress_bar=False),
        document=lambda texts: model.encode_document(texts, show_progress_bar=False),
        prefixes=(dim,),
        bytes=_size(path),
        facts={
            "kind": "sentence-transformers",
            "dimension": dim,
            "max_tokens": model.max_seq_length,
            "precision": str(next(model.parameters()).dtype).removeprefix("torch."),
        },
    )
