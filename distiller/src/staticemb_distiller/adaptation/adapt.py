"""Adapt a model to a collection: stream, choose, solve, rotate, write, report."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from ..arguments import check_path
from ..corpus import input_files
from ..errors import CollectionError
from ..output_file import check_folders, check_output
from ..progress import Progress
from ..scratch_folder import scratch_folder
from ..teacher.reporting import with_tokens
from ..teacher.server_results import paid_vectors
from ..vocabulary.token_ids import TokenIds
from .adapted_file import Dtype
from .collection import Collection, Collector
from .cost import SimilarityPairs
from .given_vectors import DocumentVectors
from .prior import NO_MODEL, Base, open_base
from .ranges import out_of_range
from .report import Report
from .steps import Adaptation
from .streams import Source, open_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..teacher.open_teacher import TeacherSpec


def adapt(
    model: str | os.PathLike[str],
    documents: str | os.PathLike[str] | Sequence[str] | None = None,
    output: str | os.PathLike[str] = "adapted.staticemb",
    *,
    index: str | os.PathLike[str] | None = None,
    teacher: TeacherSpec | None = None,
    vectors: DocumentVectors | None = None,
    text: str | None = None,
    vector: str | None = None,
    both_sides: bool = False,
    tokenizer: str | os.PathLike[str] | None = None,
    regularization: float | None = None,
    damping_beta: float | None = None,
    share: float | None = None,
    max_tokens: int | None = None,
    dtype: Dtype = "float16",
    name: str | None = None,
    sts: str | os.PathLike[str] | None = None,
    teacher_cache: str | os.PathLike[str] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Adapt a static model to a collection of documents and their vectors.

    The table is solved for once more, with the documents whole and the teacher's vectors of them.
    Queries embedded by the new file compare with the teacher's vectors of the documents, which
    `StaticModel.project` brings into the file's space. No query and no judgment is needed.

    The same inputs and machine give the same bytes.

    Args:
        model: The model to start from: a static embedding file, an installed model's name, or a
            folder of model2vec or sentence-transformers. Its rows are the prior if it has the part
            `space` and its rows fit the vectors. "none": no model, but a `tokenizer`.
        documents: A file or a folder of documents, or their texts. None: the texts in `vectors`.
        output: The file to write. It is created or replaced only after it is complete and checked.
        index: A search index, instead of documents: its passages, as stored. If it was made with
            `model` and holds the teacher's vectors, no teacher and no vectors are needed.
        teacher: The teacher of the documents' vectors: a folder, a Hub id, `openai:URL#MODEL`, or a
            function. A teacher or vectors are needed, unless an index has them. One that encodes
            queries differently also encodes spans of the documents as queries, for the fit.
        vectors: The documents' vectors, in their order: an NPY file, a Parquet or JSON lines file
            with a column of vectors, an array (N, H), or a list of N vectors.
        text: The columns of the text, joined by `+`; None: "title" and "text" if documents have
            both, or else "text", or else the only column of text.
        vector: The column of the vectors; None: "embedding", or the only one of vectors.
        both_sides: Whether the table is to embed documents as well.
        tokenizer: With the model "none" and only then: a `tokenizer.json`, a folder with one, a Hub
            id, or `train:wordpiece` or `train:unigram` to train one on the documents.
        regularization: λ of the fit; None: chosen on held-out documents.
        damping_beta: β of damped pooling; None: chosen on held-out documents.
        share: The share of adapted rows in the mixture with the prior; None: chosen on held-out
            documents.
        max_tokens: How many tokens of a document its vector is of; None: what the teacher reads, if
            it is given, and otherwise all.
        dtype: The number format of the table.
        name: The teacher's name for the file's metadata; None: as the teacher or the model says.
        sts: A file of lines of a score and two sentences between tabs, to measure what the
            adaptation costs elsewhere.
        teacher_cache: A folder for the teacher's vectors. An interrupted run continues from it. For
            a server its default is the output with `.checkpoint` after it, which is removed at the
            end.
        seed: The seed of the pseudo-queries.
        progress: The progress display; None: no display.

    Returns:
        The path of the file, what was chosen, and what was measured.

    Raises:
        TypeError: An argument has the wrong type.
        DistillerError: A step failed; each cause has a subclass.

    Example:
        >>> adapt("minilm-en-small", "corpus.jsonl", vectors="corpus.npy")  # doctest: +SKIP
    """
    progress = progress or Progress(quiet=True)
    check_path("model", model)
    check_path("output", output)
    _check_numbers(
        regularization=regularization,
        damping_beta=damping_beta,
        share=share,
        max_tokens=max_tokens,
        seed=seed,
    )
    path = Path(output)
    inputs = [
        os.fspath(file)
        for file in (model, documents, index, vectors, tokenizer, sts, teacher)
        if isinstance(file, str | os.PathLike)
    ]
    check_output(path, chain.from_iterable(map(input_files.model_files, inputs)))
    check_folders(teacher_cache)
    pairs = None if sts is None else SimilarityPairs(Path(sts))
    model = os.fspath(model)
    tokenizer = None if tokenizer is None else os.fspath(tokenizer)
    # Without a model, the tokenizer may be trained on the documents.
    base = None if model == NO_MODEL else open_base(model, tokenizer)
    with scratch_folder(path) as folder, paid_vectors(teacher, path, teacher_cache) as cache:
        source = open_source(
            documents,
            index=index,
            model=model,
            space=None if base is None else base.space,
            teacher=teacher,
            vectors=vectors,
            text=text,
            vector=vector,
            cache=folder / "teacher" if cache is None else cache,
        )
        if base is None:
            base = open_base(model, tokenizer, source.texts)
        collection = _collected(source, base, folder, max_tokens, progress)
        adaptation = Adaptation(source, base, collection, both_sides, seed, progress)
        adaptation.choose(regularization, damping_beta, share)
        adapted = adaptation.write(path, dtype, name, pairs)
        if base.dropped:
            lost = ", ".join(base.dropped)
            progress.warn(f"{model}: adapting changes the table, so the new file has no {lost}")
        return adapted


def _check_numbers(**numbers: float | None) -> None:
    """Refuse invalid numbers before hours of a teacher's work.

    Raises:
        CollectionError: A number is out of its range.
    """
    for name, value in numbers.items():
        if value is not None and (expected := out_of_range(name, value)):
            raise CollectionError(f"{name}: {expected}, found {value}")


def _collected(
    source: Source, base: Base, folder: Path, max_tokens: int | None, progress: Progress
) -> Collection:
    """Read the whole collection once."""
    most = base.max_tokens if max_tokens is None else max_tokens
    tokenize = TokenIds(base.tokenizer, base.unknown_token_id, most)
    with Collector(
        folder, source.dim, tokenize, source.place, source.cut, spans=source.has_query_kind
    ) as collector:
        if source.teacher is not None:
            total = sum(1 for _ in source.texts())
            with progress.track("Document vectors", total, "documents") as advance:
                for block, vectors in source.blocks(with_tokens(advance, source.teacher, progress)):
                    collector.add(block, vectors)
        else:
            progress.status("Reading documents")
            for block, vectors in source.blocks(lambda done: None):
                collector.add(block, vectors)
                progress.status(f"Reading documents: {len(collector):,}")
        collection = collector.finish()
    progress.note(collection.described())
    for line in collection.warnings():
        progress.warn(line)
    return collection
