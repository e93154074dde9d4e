"""With the same knobs the table is that of Model2Vec's `distill`: the same cosines of texts."""

import itertools

import numpy as np
import pytest
from model2vec.distill import distill as model2vec_distill
from tokenizers import Tokenizer

from distiller import teachers
from staticemb_distiller.distillation import distill
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_runtime.format.reader import read

DIMS = {"none": None, 12: 12, "all": "auto", 0.9: 0.9}
TEXTS = 2000
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Small teachers of each kind, made when they are first asked for."""
    made = {}

    def make(kind):
        if kind not in made:
            made[kind] = teachers.build(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return make


def random_texts(folder):
    """Texts of 1 to 30 words, drawn from the tokens that are words or parts of words."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    words = sorted(token.lstrip("#Ġ▁") for token in tokenizer.get_vocab())
    words = [word for word in words if word.isalnum()]
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(words, rng.integers(1, 31))) for _ in range(TEXTS)]


def our_cosines(path, texts):
    """Cosines by the specification, in float64."""
    file = read(path)
    tokenizer = Tokenizer.from_str(file.tokenizer.decode())
    vectors = np.zeros((len(texts), file.metadata.dim))
    for vector, encoding in zip(
        vectors, tokenizer.encode_batch(texts, add_special_tokens=False), strict=True
    ):
        ids = np.array(encoding.ids)
        ids = ids[ids != file.metadata.unknown_token_id] if len(ids) else ids
        if len(ids):
            vector[:] = file.embeddings[ids].astype(np.float64).mean(axis=0)
    return cosines(vectors)


def cosines(vectors):
    vectors = vectors.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return vectors @ vectors.T


def greatest_difference(folder, path, *, dims, sif, pooling, model2vec_dims):
    recipe = Recipe(
        fit=("none",),
        teacher_pooling=pooling,
        dims=dims,
        weighting="none" if sif is None else "rank",
        sif_coefficient=sif or 0.5,
        dtype="float32",
    )
    distill(str(folder), recipe, path, device="cpu")
    peer = model2vec_distill(
        str(folder),
        device="cpu",
        pca_dims=model2vec_dims,
        sif_coefficient=sif,
        quantize_to="float32",
        pooling=pooling,
    )
    # Model2Vec looks the unknown token of a Unigram tokenizer up by an id from before it removed
    # tokens, and so drops some other token. The texts hold nothing unknown.
    peer.unk_token_id = None
    texts = random_texts(folder)
    expected = cosines(peer.encode(texts, use_multiprocessing=False))
    return np.abs(our_cosines(path, texts) - expected).max()


@pytest.mark.parametrize(
    ("kind", "dims", "sif", "pooling"),
    [
        *itertools.product(["bert"], DIMS, [None, 1e-4], ["mean"]),
        *itertools.product(["bert"], ["none", 12], [1e-4], ["first", "last", "pooler"]),
        *itertools.product(["roberta", "xlm-roberta", "mpnet"], [12], [1e-4], ["mean", "last"]),
    ],
)
def test_cosines_equal_those_of_model2vec(tiny, tmp_path, kind, dims, sif, pooling):
    difference = greatest_difference(
        tiny(kind), tmp_path / "m", dims=dims, sif=sif, pooling=pooling, model2vec_dims=DIMS[dims]
    )
    assert difference < TOLERANCE


@pytest.mark.slow
def test_cosines_equal_those_of_model2vec_on_the_real_teacher(minilm, tmp_path):
    difference = greatest_difference(
        minilm, tmp_path / "m", dims=256, sif=1e-4, pooling="mean", model2vec_dims=256
    )
    assert difference < TOLERANCE
