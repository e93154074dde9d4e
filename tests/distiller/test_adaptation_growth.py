"""The time of an adaptation grows linearly with its documents."""

import numpy as np
import pytest

from growth import check_growth
from staticemb_distiller.adaptation.adapt import adapt

from .adaptation_data import Hidden, documents, tokenizer

pytestmark = pytest.mark.serial


def collection(count):
    """Documents of which no two are equal, and their vectors."""
    texts = documents(1_000)
    texts = [f"{texts[number % 1_000]} w{number % 399 + 1}" for number in range(count)]
    vectors = Hidden().encode(texts[:1_000])
    noise = np.random.default_rng(0).standard_normal((count, vectors.shape[1])) / 10
    return texts, (np.resize(vectors, noise.shape) + noise).astype(np.float32)


def words_and_blanks(count):
    """Every second document is one word, the others have none; equal texts differ in vectors."""
    vectors = np.random.default_rng(0).standard_normal((count, 24)).astype(np.float32)
    blanks = ("", " ", "\t", "?")
    return [
        blanks[number % 4] if number % 2 else f"w{number % 399 + 1}" for number in range(count)
    ], vectors


@pytest.mark.parametrize("collection", [collection, words_and_blanks])
def test_documents(tmp_path, collection):
    (tmp_path / "tokenizer.json").write_bytes(tokenizer())

    def call(given):
        texts, vectors = given
        adapt(
            "none",
            texts,
            tmp_path / "mine.staticemb",
            vectors=vectors,
            tokenizer=tmp_path / "tokenizer.json",
            regularization=0.01,
            damping_beta=0.0,
        )

    check_growth(call, collection, ())
