"""Chroma: a static model as an embedding function that collections remember."""

from .opened_model import Config, OpenedModel, Source, check_update, needs

with needs("chroma"):
    from chromadb.api.types import Documents, EmbeddingFunction, Embeddings, Space
    from chromadb.utils.embedding_functions import register_embedding_function


@register_embedding_function
class StaticModelEmbeddingFunction(EmbeddingFunction[Documents]):
    """A static model for collections of Chroma, in cosine space.

    A collection keeps the model's name and digest. `get_collection` without a function opens that
    model and refuses other vectors; with one, Chroma itself compares the functions' names alone.

    Args:
        model_name: an open model, or a file, a folder or a name to open; None: the bundled model.
        truncate_dim: the length of vectors; None: the model's default.
        digest: the digest that the model must have, or else SpaceMismatchError; None: any.

    Raises:
        TypeError, StaticEmbError: as `StaticModel.load`.
    """

    def __init__(
        self, model_name: Source = None, truncate_dim: int | None = None, digest: str | None = None
    ) -> None:
        self._opened = OpenedModel.open(model_name, truncate_dim, digest)

    def __call__(self, input: Documents) -> Embeddings:
        """Embed documents, all in one call."""
        return list(self._opened.documents(input))

    def embed_query(self, input: Documents) -> Embeddings:
        """Embed queries, all in one call."""
        return list(self._opened.queries(input))

    @staticmethod
    def name() -> str:
        """Return `staticemb`, the name in a collection's configuration."""
        return "staticemb"

    def default_space(self) -> Space:
        """Return `cosine`."""
        return "cosine"

    def get_config(self) -> Config:
        """Return the model's name, digest and length of vectors."""
        return {"model_name": self._opened.name, **self._opened.settings}

    @staticmethod
    def build_from_config(config: Config) -> "StaticModelEmbeddingFunction":
        """Open the model of a collection."""
        return StaticModelEmbeddingFunction(**{"digest": "", **config})

    def validate_config_update(self, old_config: Config, new_config: Config) -> None:
        """Refuse other vectors; the same model may stand at another path."""
        check_update(old_config, new_config)
