"""LanceDB: a static model in the registry of embedding functions, under the name `staticemb`."""

from typing import Any

from .opened_model import OpenedModel, needs

with needs("lancedb"):
    from lancedb.embeddings import TextEmbeddingFunction
    from lancedb.embeddings.registry import register


@register("staticemb")
class StaticModelTextEmbeddingFunction(TextEmbeddingFunction):
    """A static model for the columns of a table; make it by `create`.

    The table keeps the model's name and digest, and refuses a file with other vectors. A null, and
    a text without known tokens, has no vector: `add` refuses it unless `on_bad_vectors` is "null".

    Attributes:
        name: what `StaticModel.load` takes, with its errors; None: the bundled model.
        truncate_dim: the length of vectors; None: the model's default.
        digest: the digest that the model must have, or else SpaceMismatchError; None: any.
    """

    name: str | None = None
    truncate_dim: int | None = None
    digest: str | None = None
    _opened: OpenedModel

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._opened = OpenedModel.open(self.name, self.truncate_dim, self.digest)

    @classmethod
    def create(cls, **options: Any) -> "StaticModelTextEmbeddingFunction":
        """Make the function, with what a table keeps of it; variables stay variables."""
        function = super().create(**options)
        variables = {k: v for k, v in options.items() if str(v).startswith("$var:")}
        kept = {"name": function._opened.name, **function._opened.settings}
        function._original_args = {**options, **kept, **variables}
        return function

    def ndims(self) -> int:
        """Return the length of the vectors."""
        return self._opened.dim

    def compute_query_embeddings(self, query: str, *_: Any, **__: Any) -> list[Any]:
        """Embed a query."""
        return list(self._opened.queries([query]))

    def generate_embeddings(self, texts: Any, *_: Any, **__: Any) -> list[Any]:
        """Embed the texts of a column, all in one call; None for those without a known token."""
        given = list(texts)
        vectors = self._opened.documents(["" if text is None else text for text in given])
        # A prompt gives a null a vector, too.
        pairs = zip(given, vectors, strict=True)
        return [None if text is None or not vector.any() else vector for text, vector in pairs]

    # A local model gives the same error again, and the callers get that error itself.
    compute_query_embeddings_with_retry = compute_query_embeddings
    compute_source_embeddings_with_retry = TextEmbeddingFunction.compute_source_embeddings
