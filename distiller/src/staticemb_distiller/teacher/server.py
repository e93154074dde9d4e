"""A teacher on a server that speaks OpenAI's protocol of embeddings."""

from __future__ import annotations

import base64
import binascii
import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..corpus.surrogates import without_surrogates
from ..errors import TeacherError
from .server_connection import RequestRefusedError, ServerConnection
from .server_spec import ServerSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from .text_encoder import EncodedPart, TextKind

_BYTES_PER_TOKEN = 3.0  # of UTF-8; English has more, so that most batches are smaller than allowed
_TOO_MUCH = {400, 413, 422}  # statuses by which servers refuse a batch that is too large
_PROBE = "A text."  # shows the dimension
_POLL = 0.2  # seconds: a thread that waits without a time limit cannot be interrupted on Windows


class ServerTeacher:
    """A model on a server: OpenAI's, another provider's, or one on this machine.

    Blank texts are not sent; their vectors are zeros.

    Args:
        spec: The address, as `openai:URL#MODEL` or parsed.
        tokenizer: The teacher's tokenizer, if it is known.

    Raises:
        TeacherError: The address is invalid, the environment variable with the key is not set, or
            the server does not give a vector.

    Attributes:
        name: The address, without a key.
        revision: "": servers do not tell it.
        dim: The dimension of the vectors.
        tokens: The tokens that the server counted so far.
        requests: The number of requests so far.

    Example:
        >>> teacher = ServerTeacher("openai:http://localhost:8080/v1#e5")  # doctest: +SKIP
        >>> teacher.encode(["A text.", "Another one."]).shape  # doctest: +SKIP
        (2, 384)
    """

    def __init__(self, spec: str | ServerSpec, *, tokenizer: Tokenizer | None = None) -> None:
        self._spec = ServerSpec.parse(spec) if isinstance(spec, str) else spec
        place, _, query = self._spec.url.partition("?")
        url = f"{place}/embeddings" + (f"?{query}" if query else "")
        key = _key(self._spec)
        self._connection = ServerConnection(url, key, tries=self._spec.tries)
        self._base64: bool | None = None  # whether the server takes encoding_format; None: unknown
        self._most = self._spec.batch_texts
        self._lock = threading.Lock()
        self.name = self._spec.name
        self.revision = ""
        self.tokenizer = tokenizer
        self.tokens = 0
        self.requests = 0
        self.dim = 0
        self.dim = self._vectors([_PROBE], "document", threading.Event()).shape[1]
        if self._spec.dimensions not in (None, self.dim):
            raise TeacherError(
                f"{self._spec.host}: expected {self._spec.dimensions} dimensions, found {self.dim}"
            )

    @property
    def provenance(self) -> dict[str, str]:
        """The file's metadata about the teacher."""
        return {"teacher": self.name}

    @property
    def retried(self) -> int:
        """The number of requests that were sent again."""
        return self._connection.retried

    def about(self, kind: TextKind = "document") -> dict[str, str]:
        """Return everything except the text that determines the vectors, for `TeacherCache`."""
        document = kind == "document"
        return {
            "teacher": self.name,
            "prompt": self._spec.document_prefix if document else self._spec.query_prefix,
            "input_type": self._spec.document_type if document else self._spec.query_type,
        }

    def encode(
        self,
        texts: Sequence[str],
        *,
        kind: TextKind = "document",
        advance: Callable[[int], object] | None = None,
    ) -> NDArray[np.float32]:
        """Return vectors (N, dim) of N texts, as the server gives them.

        Raises:
            TeacherError: The server refuses the request, fails again and again, or gives invalid
                vectors.
        """
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for rows, part in self.encode_parts(texts, kind=kind):
            vectors[rows] = part
            if advance is not None:
                advance(len(rows))
        return vectors

    def encode_parts(
        self, texts: Sequence[str], *, kind: TextKind = "document"
    ) -> Iterator[EncodedPart]:
        """Encode N texts with several requests at a time, and yield each response as it arrives.

        Yields:
            (n,) row numbers, each row once and in any order, and their vectors (n, dim).

        Raises:
            TeacherError: As for `encode`.
        """
        if isinstance(texts, str):
            raise TeacherError("texts: expected a list of texts, found a single text")
        batches = self._batches(texts)
        results: queue.Queue[EncodedPart | BaseException | None] = queue.Queue()
        stop, lock = threading.Event(), threading.Lock()

        def work() -> None:
            try:
                while not stop.is_set():
                    with lock:
                        rows = next(batches, None)
                    if rows is None:
                        break
                    batch = [texts[row] for row in rows.tolist()]
                    results.put((rows, self._vectors(batch, kind, stop)))
            except BaseException as error:  # noqa: BLE001 - the caller's thread raises it
                results.put(error)
            finally:
                results.put(None)

        # Daemons: after Ctrl-C no request that still waits for its response delays the exit.
        count = self._spec.requests
        threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        failure: BaseException | None = None
        try:
            while count:
                try:
                    result = results.get(timeout=_POLL)
                except queue.Empty:
                    continue
                if isinstance(result, BaseException):
                    failure = failure or result
                    stop.set()  # Responses that are under way are paid, and still yielded.
                elif result is None:
                    count -= 1
                else:
                    yield result
        finally:
            stop.set()
        if failure is not None:
            raise failure

    def _batches(self, texts: Sequence[str]) -> Iterator[NDArray[np.int64]]:
        """Cut row numbers into batches of limited numbers of texts and of estimated tokens."""
        start, size = 0, 0.0
        for row, text in enumerate(texts):
            tokens = 1 + len(text.encode(errors="replace")) / _BYTES_PER_TOKEN
            if row > start and (
                row - start >= self._most or size + tokens > self._spec.batch_tokens
            ):
                yield np.arange(start, row)
                start, size = row, 0.0
            size += tokens
        if start < len(texts):
            yield np.arange(start, len(texts))

    def _vectors(
        self, texts: list[str], kind: TextKind, stop: threading.Event
    ) -> NDArray[np.float32]:
        """Encode a batch; a batch that the server finds too large is halved."""
        document = kind == "document"
        prefix = self._spec.document_prefix if document else self._spec.query_prefix
        input_type = self._spec.document_type if document else self._spec.query_type
        sent = [prefix + without_surrogates(text) for text in texts if text.strip()]
        if len(sent) == len(texts):
            return self._halving(sent, input_type, stop)
        vectors = np.zeros((len(texts), self.dim), np.float32)
        if sent:
            vectors[[bool(text.strip()) for text in texts]] = self._halving(sent, input_type, stop)
        return vectors

    def _halving(
        self, texts: list[str], input_type: str, stop: threading.Event
    ) -> NDArray[np.float32]:
        try:
            return self._ask(texts, input_type, stop)
        except RequestRefusedError as error:
            if error.status not in _TOO_MUCH or len(texts) == 1:
                raise
        middle = len(texts) // 2
        parts = (texts[:middle], texts[middle:])
        halves = [self._halving(part, input_type, stop) for part in parts]
        self._most = min(self._most, len(texts) - middle)  # Both halves were small enough.
        return np.concatenate(halves)

    def _ask(self, texts: list[str], input_type: str, stop: threading.Event) -> NDArray[np.float32]:
        body: dict[str, object] = {"model": self._spec.model, "input": texts}
        if self._spec.dimensions is not None:
            body["dimensions"] = self._spec.dimensions
        if input_type:
            body["input_type"] = input_type
        if self._base64 is False:
            return self._checked(self._post(body, stop), len(texts))
        try:
            answer = self._post({**body, "encoding_format": "base64"}, stop)
            self._base64 = True
        except RequestRefusedError as error:
            if self._base64 or error.status not in _TOO_MUCH:
                raise
            # Some servers refuse the format. If this fails as well, the format is not the reason.
            answer = self._post(body, stop)
            self._base64 = False
        return self._checked(answer, len(texts))

    def _post(self, body: Mapping[str, object], stop: threading.Event) -> dict[str, Any]:
        answer = self._connection.post(body, stop)
        usage = answer.get("usage")
        counts = usage if isinstance(usage, dict) else {}
        tokens = counts.get("total_tokens", counts.get("prompt_tokens"))
        with self._lock:
            self.requests += 1
            self.tokens += tokens if isinstance(tokens, int) else 0
        return answer

    def _checked(self, answer: Mapping[str, Any], count: int) -> NDArray[np.float32]:
        """Return the vectors of a response, in the order of the texts."""
        place = self._spec.host
        data = answer.get("data")
        if not isinstance(data, list):  # some gateways send their errors with the status 200
            found = self._connection.shown(json.dumps(answer).encode())
            raise TeacherError(f"{place}: expected {count} vectors, found no list `data`: {found}")
        if len(data) != count:
            raise TeacherError(f"{place}: expected {count} vectors, found {len(data)}")
        rows: dict[int, NDArray[np.float32]] = {}
        for number, item in enumerate(data):
            if not isinstance(item, dict):
                raise TeacherError(f"{place}: expected an object in `data`, found {item!a:.60}")
            index = item.get("index", number)
            if type(index) is not int or not 0 <= index < count or index in rows:
                raise TeacherError(
                    f"{place}: expected the indices 0 to {count - 1} once, found {index!a:.60}"
                )
            rows[index] = _vector(item.get("embedding"), place)
        dim = self.dim or len(rows[0])
        other = next((row for row in rows.values() if len(row) != dim), None)
        if other is not None or not dim:
            wrong = 0 if other is None else len(other)
            raise TeacherError(f"{place}: expected vectors of {dim} dimensions, found {wrong}")
        vectors = np.stack([rows[index] for index in range(count)])
        if not np.isfinite(vectors).all():
            raise TeacherError(f"{place}: expected finite vectors, found NaN or infinities")
        return vectors


def _vector(value: object, place: str) -> NDArray[np.float32]:
    """Decode a vector: a list of numbers, or base64 of little-endian float32."""
    try:
        if isinstance(value, str):
            return np.frombuffer(base64.b64decode(value, validate=True), "<f4").astype(np.float32)
        array = np.array(value)
    except (binascii.Error, ValueError):
        array = np.empty((0, 0))
    if array.ndim != 1 or array.dtype.kind not in "if":
        raise TeacherError(f"{place}: expected a vector of numbers, found {value!a:.60}")
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _key(spec: ServerSpec) -> str:
    """Return the key in the environment.

    Raises:
        TeacherError: The named variable is not set, or its value cannot be a key.
    """
    if not spec.key_variable:
        return ""
    key = os.environ.get(spec.key_variable, "").strip()
    if spec.key and not key:
        raise TeacherError(f"{spec.key}: expected a key in this environment variable, found none")
    # The client would quote an invalid value in its error.
    if not (key.isascii() and all(character.isprintable() for character in key)):
        raise TeacherError(f"{spec.key_variable}: expected a key of printable ASCII characters")
    return key
