"""Haystack: a text and a document embedder; Haystack awaits `run` in a thread by itself."""

from dataclasses import asdict, dataclass, replace

from .opened_model import Config, OpenedModel, Source, lists, needs

with needs("haystack"):
    from haystack import Document, component, default_from_dict, default_to_dict


@dataclass(eq=False)
class _Embedder:
    model: Source = None
    truncate_dim: int | None = None
    from_dict = classmethod(default_from_dict)  # type: ignore[var-annotated]

    def __post_init__(self) -> None:
        self._opened = opened = OpenedModel.open(self.model, self.truncate_dim)
        self.model, self.truncate_dim = opened.name, opened.truncate_dim

    def to_dict(self) -> Config:
        return default_to_dict(self, **asdict(self))


@component
class StaticModelTextEmbedder(_Embedder):
    """Embeds a text, such as a query. Arguments and errors as in `StaticModelDocumentEmbedder`."""

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> Config:
        """Embed a text."""
        return {"embedding": lists(self._opened.queries([text]))[0]}


@component
@dataclass(eq=False)
class StaticModelDocumentEmbedder(_Embedder):
    """Embeds documents; the given ones stay as they are.

    Args:
        model: an open model, or what `StaticModel.load` takes, with its errors; None: the bundled.
        truncate_dim: the length of vectors; None: the model's default.
        meta_fields_to_embed: fields of the metadata that are put before a document's content.
        embedding_separator: what separates them.
    """

    meta_fields_to_embed: list[str] | None = None
    embedding_separator: str = "\n"

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> Config:
        """Embed documents, all in one call."""
        vectors = lists(self._opened.documents(map(self._text, documents)))
        pairs = zip(documents, vectors, strict=True)
        return {"documents": [replace(document, embedding=vector) for document, vector in pairs]}

    def _text(self, document: Document) -> str:
        parts = [*map(document.meta.get, self.meta_fields_to_embed or ()), document.content or ""]
        return self.embedding_separator.join(str(part) for part in parts if part is not None)
