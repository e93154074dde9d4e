"""The field's own package runs our models: an MTEB task over data made on the spot."""

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from distiller import evaluation_data as data
from staticemb_distiller.errors import EvaluationError
from staticemb_distiller.evaluation import FunctionModel, discover, evaluate
from staticemb_distiller.evaluation.mteb import MtebModel
from staticemb_distiller.file import Parts, Settings, write

mteb = pytest.importorskip("mteb")
datasets = pytest.importorskip("datasets")


def metadata(name, kind, score):
    from mteb.abstasks.task_metadata import TaskMetadata

    return TaskMetadata(
        name=name,
        description="made on the spot",
        reference=None,
        type=kind,
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score=score,
        dataset={"path": "local/none", "revision": "1"},
        date=("2020-01-01", "2020-01-02"),
        domains=["Written"],
        task_subtypes=[],
        license="mit",
        annotations_creators="derived",
        dialect=[],
        sample_creation="created",
        bibtex_citation="",
    )


def similarity_task(pairs):
    from mteb.abstasks.sts import AbsTaskSTS

    class LocalSimilarity(AbsTaskSTS):
        metadata = metadata("LocalSimilarity", "STS", "cosine_spearman")
        min_score, max_score = 0, 5

        def load_data(self, **_):
            rows = {
                "sentence1": list(pairs.texts["first"]),
                "sentence2": list(pairs.texts["second"]),
                "score": pairs.gold.tolist(),
            }
            self.dataset = {"test": datasets.Dataset.from_dict(rows)}
            self.data_loaded = True

    return LocalSimilarity()


def retrieval_task(found):
    from mteb.abstasks.retrieval import AbsTaskRetrieval

    # mteb breaks ties by its own rule: its ids keep our order of documents.
    ids = [f"d{i:03d}" for i in range(len(found.texts["documents"]))]
    queries = [f"q{i}" for i in range(len(found.texts["queries"]))]

    class LocalRetrieval(AbsTaskRetrieval):
        metadata = metadata("LocalRetrieval", "Retrieval", "ndcg_at_10")

        def load_data(self, **_):
            self.dataset = {
                "default": {
                    "test": {
                        "corpus": datasets.Dataset.from_dict(
                            {"id": ids, "title": [""] * len(ids), "text": found.texts["documents"]}
                        ),
                        "queries": datasets.Dataset.from_dict(
                            {"id": queries, "text": found.texts["queries"]}
                        ),
                        "relevant_docs": {
                            query: {ids[j]: int(grade) for j, grade in enumerate(row) if grade}
                            for query, row in zip(queries, found.relevance.toarray(), strict=True)
                        },
                        "top_ranked": None,
                    }
                }
            }
            self.data_loaded = True

    return LocalRetrieval()


def roles(texts):
    return data.noise([f"{text} as a query" for text in texts])


@pytest.mark.parametrize("prefix", [None, 5])
def test_mteb_gives_our_scores(tmp_path, prefix):
    folder = data.make(tmp_path)
    found = {task.kind: task for task in discover(folder, ["sts", "retrieval"])}
    model = FunctionModel("noise", data.noise, query=roles, prefixes=(5, 16), bytes=10)
    lengths = "full" if prefix is None else [prefix]
    ours = evaluate(model, folder, tasks=["sts", "retrieval"], prefixes=lengths)

    results = mteb.evaluate(
        MtebModel(model, prefix),
        [similarity_task(found["sts"]), retrieval_task(found["retrieval"])],
        cache=None,
        show_progress_bar=False,
    )
    theirs = {result.task_name: 100 * result.get_score() for result in results.task_results}
    assert theirs["LocalSimilarity"] == pytest.approx(
        ours.value("noise", "sts/topics-test"), abs=1e-2
    )
    assert theirs["LocalRetrieval"] == pytest.approx(
        ours.value("noise", "retrieval/topics"), abs=1e-2
    )


def test_mteb_runs_a_static_embedding_file(tmp_path):
    path = tmp_path / "mine.staticemb"
    vocabulary = {word: i for i, word in enumerate(["[UNK]", *data.ANIMALS, *data.TOOLS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    table = np.random.default_rng(0).normal(size=(13, 8)).astype(np.float32)
    write(path, Parts(table, tokenizer.to_str().encode()), Settings(prefixes=(4, 8), max_tokens=99))
    folder = data.make(tmp_path / "data")
    (found,) = discover(folder, ["sts"])

    model = MtebModel.load(path)
    results = mteb.evaluate(model, similarity_task(found), cache=None, show_progress_bar=False)
    expected = evaluate(path, folder, tasks=["sts"]).value("mine", "sts/topics-test")
    assert 100 * results.task_results[0].get_score() == pytest.approx(expected, abs=1e-2)
    meta = model.mteb_model_meta
    assert (meta.name, meta.max_tokens, meta.embed_dim) == ("staticemb/mine", 99, 8)


def test_a_prefix_beyond_the_vectors():
    with pytest.raises(EvaluationError, match="from 1 to 16, found 17"):
        MtebModel(FunctionModel("m", data.noise, prefixes=(16,)), 17)


def test_what_mteb_records_about_the_model():
    model = FunctionModel("my model", data.noise, prefixes=(5, 16), facts={"max_tokens": 100})
    meta = MtebModel(model, 5).mteb_model_meta
    assert meta.name == "staticemb/my_model-5"
    assert (meta.embed_dim, meta.max_tokens) == (5, 100)
    unlimited = MtebModel(FunctionModel("m", data.noise, prefixes=(5, 16))).mteb_model_meta
    assert (unlimited.embed_dim, unlimited.max_tokens) == (16, np.inf)


def test_word_counts_are_no_model_for_mteb():
    with pytest.raises(EvaluationError, match="word counts"):
        MtebModel.load("tfidf")
