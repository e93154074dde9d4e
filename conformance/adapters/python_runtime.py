"""The adapter of staticemb-runtime: all classes."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from staticemb_runtime import StaticModel
from staticemb_runtime.encoding import EmbeddingTable, pool
from staticemb_runtime.encoding.vectors import check_dim, normalize
from staticemb_runtime.errors import FormatError, InvalidTokenIdError, RequestError
from staticemb_runtime.format import ModelParts, head_names
from staticemb_runtime.format.tensors import DTYPES
from staticemb_runtime.heads.file_heads import Heads
from staticemb_runtime.heads.labels import labels_of
from staticemb_runtime.loading import open_parts

SPELLED = {dtype: name for name, dtype in DTYPES.items()}


def parts(file: ModelParts) -> dict[str, Any]:
    """Return the parts of a file as the protocol requires them."""
    metadata = file.metadata
    damped = metadata.pooling == "damped_mean"
    tensors = {
        "embeddings": file.embeddings,
        "scale": file.scale,
        "weights": file.weights,
        "rows": file.rows,
        "tokenizer": file.tokenizer_view,
    }
    known = "pieces.definition" in file.optional or "space" in metadata.extra
    known = known or bool(head_names(metadata))
    return {
        "format_version": metadata.format_version,
        "features": metadata.features,
        "dim": metadata.dim,
        "prefixes": metadata.prefixes,
        "normalize": metadata.normalize,
        "pooling": metadata.pooling,
        "damping_beta": metadata.damping_beta if damped else None,
        "damping_dims": metadata.damping_dims if damped else None,
        "max_tokens": metadata.max_tokens,
        "unknown_token_id": metadata.unknown_token_id,
        "strings": metadata.extra,
        "prompts": metadata.prompts,
        "tensors": described({n: tensor for n, tensor in tensors.items() if tensor is not None}),
        "optional": described(file.optional),
        **({"refused": list(file.refused)} if known else {}),
    }


def described(tensors: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return each tensor's dtype, shape and digest."""
    return {
        name: {
            "dtype": SPELLED[tensor.dtype],
            "shape": tensor.shape,
            "sha256": hashlib.sha256(tensor.tobytes()).hexdigest(),
        }
        for name, tensor in tensors.items()
    }


def embed_tokens(
    file: ModelParts, tokens: list[int], request: dict[str, Any]
) -> NDArray[np.float32]:
    """Compute stages 2 to 7. The runtime does stages 2 and 3 in its tokenizer, so they are here."""
    metadata = file.metadata
    if any(not 0 <= t < file.n_token_ids for t in tokens):
        raise InvalidTokenIdError("token ids")
    kept = [t for t in tokens if t != metadata.unknown_token_id][: metadata.max_tokens]
    vectors = pool(
        EmbeddingTable(file.embeddings, file.scale, file.weights, file.rows),
        np.array(kept, np.int32),
        np.array([len(kept)]),
        pooling=request.get("pooling", metadata.pooling),
        beta=metadata.damping_beta,
        dims=metadata.damping_dims,
        prefix=check_dim(request.get("dim"), metadata.dim),
    )
    return normalize(vectors)[0] if request.get("normalize", metadata.normalize) else vectors[0]


def embed_text(file: ModelParts, text: str, request: dict[str, Any]) -> NDArray[np.float32]:
    """Compute all stages."""
    vector: NDArray[np.float32] = StaticModel.from_parts(file).encode(
        text,
        truncate_dim=request.get("dim"),
        pooling=request.get("pooling"),
        normalize_embeddings=request.get("normalize"),
    )
    return vector


def project(file: ModelParts, digits: str, request: dict[str, Any]) -> NDArray[np.float32]:
    """Turn a vector of the teacher into a vector of the file."""
    vector: NDArray[np.float32] = StaticModel.from_parts(file).project(
        np.frombuffer(bytes.fromhex(digits), "<f4"),
        truncate_dim=request.get("dim"),
        normalize_embeddings=request.get("normalize"),
    )
    return vector


def classify(file: ModelParts, tokens: list[int], request: dict[str, Any]) -> dict[str, Any]:
    """Compute the scores or logits, and the answer, of a head."""
    scorer = Heads(file, file.path).scorer(request["head"])
    head = scorer.head
    asked = {"dim": head.dimension, "normalize": head.normalize}
    asked |= {"pooling": head.pooling} if head.pooling else {}
    vectors = embed_tokens(file, tokens, asked)[None]
    scores = scorer.scores(vectors)
    labels: Any = [head.labels] if head.kind == "linear" else labels_of(head, scores, None)
    if head.kind == "softmax":
        labels = [labels]
    if request.get("output") == "logits":
        scores = scorer.logits(vectors)
    return {"vector": np.asarray(scores[0], "<f4").tobytes().hex(), "labels": labels[0]}


def check_kind(file: ModelParts, kind: str | None) -> None:
    """Embed no text as a document if the file is made for queries."""
    if kind == "document":
        StaticModel.from_parts(file).encode_document([])


def result(message: dict[str, Any]) -> dict[str, Any]:
    """Compute the result for a correct file and a correct request."""
    file = open_parts(Path(message["file"]), verify=message.get("verify", False))
    if message["class"] == "reader":
        return {"parts": parts(file)}
    if message["class"] == "classifier":
        return classify(file, message["tokens"], message["request"])
    if "vector" in message:
        vector = project(file, message["vector"], message["request"])
    elif message["class"] in ("pooler", "projector"):
        check_kind(file, message["request"].get("kind"))
        vector = embed_tokens(file, message["tokens"], message["request"])
    else:
        vector = embed_text(file, message["text"], message["request"])
    return {"vector": np.asarray(vector, "<f4").tobytes().hex()}


def answer(message: dict[str, Any]) -> dict[str, Any]:
    """Compute the answer to a message of the protocol (README.md)."""
    if message["op"] == "start":
        classes = ["reader", "pooler", "text", "projector", "classifier"]
        return {"protocol": 1, "implementation": "staticemb-runtime", "classes": classes}
    try:
        return {"id": message["id"], "result": result(message)}
    except (FormatError, RequestError) as error:
        return {"id": message["id"], "rejected": {"code": error.code}}
    except Exception as error:  # noqa: BLE001  # other exceptions are errors, not refusals
        return {"id": message["id"], "errored": {"why": f"{type(error).__name__}: {error}"}}


def main() -> None:
    """Answer each line of standard input with a line on standard output."""
    for line in sys.stdin:
        message = json.loads(line)
        if message["op"] == "stop":
            break
        print(json.dumps(answer(message)), flush=True)


if __name__ == "__main__":
    main()
