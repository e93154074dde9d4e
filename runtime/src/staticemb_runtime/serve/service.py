"""What a process serves: models and indexes by name, and their work on texts."""

from __future__ import annotations

import base64
import json
import os
import threading
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

import numpy as np

from ..encoding.options import find_prompt
from ..errors import InvalidOptionError, ServeError
from .refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..model import StaticModel
    from ..search import Index
    from .limits import Limits

    Form = Literal["float", "base64"]

_Served = TypeVar("_Served")

# A vector costs as much as this many characters: its sum, and its digits or its bytes.
_VECTOR_COST: Final = {"float": 100, "base64": 10}
ALWAYS_THREAD: Final = 1 << 60
_LITTLE: Final = np.dtype("<f4")


class Answer(NamedTuple):
    """The body of a successful answer.

    Attributes:
        body: JSON in UTF-8.
        texts: how many texts were embedded or compared.
        tokens: how many tokens of them the model knows.
    """

    body: bytes
    texts: int = 0
    tokens: int = 0


class Job(NamedTuple):
    """The work of a checked request.

    Attributes:
        cost: about how many characters it embeds.
        run: does it.
    """

    cost: int
    run: Callable[[], Answer]


class Service:
    """Models and indexes by name.

    Args:
        models: the models; a request that names none gets the first one.
        indexes: the search indexes.
        limits: the limits of a request.

    Raises:
        ServeError: there is no model.
    """

    def __init__(
        self, models: Mapping[str, StaticModel], indexes: Mapping[str, Index], limits: Limits
    ) -> None:
        if not models:
            raise ServeError("models: expected at least one, found none")
        self.models = dict(models)
        self.indexes = dict(indexes)
        self.limits = limits

    def warm(self) -> None:
        """Build tokenizers and read the vectors of indexes, so that no request waits for that."""
        for model in self.models.values():
            model.tokenize("warm")
            model.encode("warm", on_empty="zero")
        for index in self.indexes.values():
            index.search("warm", 1)

    def model(self, name: str | None) -> StaticModel:
        """Return the model of a name that is served; None: the first one.

        Raises:
            Refusal: no model of that name is served.
        """
        if name is None:
            return next(iter(self.models.values()))
        return _named(self.models, "model", name)

    def index(self, name: str | None) -> Index:
        """Return the index of a name that is served; None: the only one.

        Raises:
            Refusal: no index of that name is served, or there are several.
        """
        if not self.indexes:
            raise Refusal("not_found", "this server has no search index", code="index_not_found")
        if name is None:
            if len(self.indexes) > 1:
                names = ", ".join(self.indexes)
                raise Refusal("invalid", f"index: expected one of {names}", param="index")
            return next(iter(self.indexes.values()))
        return _named(self.indexes, "index", name)


def _named(served: Mapping[str, _Served], kind: str, name: str) -> _Served:
    if name not in served:
        message = f"{kind}: expected one of {', '.join(served)}, found another name"
        raise Refusal("not_found", message, param=kind, code=f"{kind}_not_found")
    return served[name]


class Embedding(NamedTuple):
    """A request for vectors.

    Attributes:
        model: embeds the texts.
        texts: the texts.
        form: how numbers are written.
        dimensions: the length of the vectors; None: the model's default.
        normalize: whether vectors get unit length; None: the file's setting.
        prompt: text before each text, or None.
    """

    model: StaticModel
    texts: list[str]
    form: Form = "float"
    dimensions: int | None = None
    normalize: bool | None = None
    prompt: str | None = None

    @property
    def cost(self) -> int:
        """About how many characters' work this is."""
        characters = sum(map(len, self.texts)) + len(self.prompt or "") * len(self.texts)
        return characters + _VECTOR_COST[self.form] * len(self.texts)

    def vectors(self) -> tuple[NDArray[np.float32], int]:
        """Return the vectors, (n, d), and the number of known tokens.

        Raises:
            StaticEmbError: as `StaticModel.encode`.
        """
        encoder = self.model._encoder
        request = encoder.request(self.dimensions, self.normalize, "float32", None)
        return encoder.encode_counted(self.texts, request, prompt=self.prompt)


def written(vectors: NDArray[np.float32], form: Form) -> list[str]:
    """Return each vector as JSON: an array of numbers, or a string of little-endian bytes."""
    if form == "base64":
        little = vectors.astype(_LITTLE, copy=False)
        return [f'"{base64.b64encode(row.tobytes()).decode()}"' for row in little]
    # Nine digits identify each float32, and take half the time of json.dumps. Whole numbers would
    # lose their point, by which many parsers tell floats from integers.
    digits = f"[{','.join(['%.9g'] * vectors.shape[1])}]"
    whole = (np.rint(vectors) == vectors).any(axis=1).tolist()
    return [
        json.dumps(row, separators=(",", ":")) if has_whole else digits % tuple(row)
        for row, has_whole in zip(vectors.tolist(), whole, strict=True)
    ]


def prompt_of(model: StaticModel, name: str | None) -> str | None:
    """Return a model's prompt by its name.

    Raises:
        Refusal: the model has no such prompt.
    """
    try:
        return find_prompt(None, name, model.metadata.prompts)
    except InvalidOptionError as error:
        raise Refusal("invalid", str(error), param="prompt_name") from None


def file_time(model: StaticModel) -> int:
    """Return when a model's file was made, in seconds of Unix time; 0 if it is gone."""
    try:
        return int(os.stat(model._encoder.place).st_mtime)  # noqa: PTH116
    except OSError:
        return 0


class TokenDecoder:
    """Turns token ids of OpenAI's tokenizer cl100k_base into texts, with the package tiktoken.

    LangChain's client sends such ids. tiktoken downloads the tokenizer at its first use, so it is
    opened in a thread of its own.
    """

    _WAIT: Final = 10.0  # seconds

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: threading.Event | None = None
        self._encoding: Any = None

    def texts(self, arrays: Sequence[Sequence[int]]) -> list[str]:
        """Return the text of each array of ids.

        Raises:
            Refusal: tiktoken is missing or cannot open the tokenizer, or an id is unknown.
        """
        encoding = self._open()
        if encoding is None:
            raise Refusal(
                "invalid",
                "input: expected texts, found token arrays, which this server cannot decode "
                "(it needs the package tiktoken and its file of cl100k_base); LangChain's client "
                "sends texts with check_embedding_ctx_length=False",
                param="input",
            )
        try:
            return [encoding.decode(list(ids), errors="replace") for ids in arrays]
        except (KeyError, OverflowError, ValueError):
            raise Refusal(
                "invalid", "input: expected token ids of cl100k_base, found others", param="input"
            ) from None

    def _open(self) -> Any:  # noqa: ANN401 - tiktoken's Encoding, or None
        with self._lock:
            if self._opened is None:
                self._opened = threading.Event()
                threading.Thread(target=self._load, args=(self._opened,), daemon=True).start()
            opened = self._opened
        if not opened.wait(self._WAIT) or self._encoding is None:
            return None
        return self._encoding

    def _load(self, opened: threading.Event) -> None:
        try:
            import tiktoken

            self._encoding = tiktoken.get_encoding("cl100k_base")
        except Exception:  # noqa: BLE001 - whatever tiktoken or its download raises
            self._encoding = None
        finally:
            opened.set()
