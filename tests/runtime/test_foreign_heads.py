"""Heads of model2vec folders: they predict what the installed model2vec predicts."""

import itertools
import json

import numpy as np
import pytest

from peer_models import TEXTS, save_model2vec
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import InvalidOptionError, MissingHeadError
from tokenizer_families import family

inference = pytest.importorskip("model2vec.inference")
mlp = pytest.importorskip("model2vec.inference.mlp")

CLASSES = ["billing", "größe", "🐈 other"]


def layers(*widths, seed=7):
    random = np.random.default_rng(seed)
    return [
        mlp.Layer(
            random.normal(size=(rows, columns)).astype(np.float32),
            random.normal(size=rows).astype(np.float32),
        )
        for columns, rows in itertools.pairwise(widths)
    ]


def saved(folder, widths, activation, classes, **options):
    """Save a pipeline with random layers; return it as model2vec loads it."""
    options = {"normalize": True, **options}
    table = save_model2vec(folder / "table", family("bert_uncased"), **options)
    kind = mlp.Activation(activation)
    labels = None if classes is None else np.asarray(classes)
    head = mlp.MLPHead(layers(*widths), kind, labels)
    inference.StaticModelPipeline(table, head).save_pretrained(str(folder / "head"))
    return inference.StaticModelPipeline.from_pretrained(folder / "head")


@pytest.mark.parametrize("options", [{}, {"normalize": False}, {"clusters": 20}], ids=str)
@pytest.mark.parametrize("widths", [(24, 3), (24, 9, 3)], ids=str)
def test_a_classifier_predicts_what_model2vec_predicts(tmp_path, widths, options):
    peer = saved(tmp_path, widths, "softmax", CLASSES, **options)
    model = StaticModel.load(tmp_path / "head")
    assert model.heads == ("default",)
    scores = model.predict_proba(TEXTS, on_empty="zero")
    np.testing.assert_allclose(scores, peer.predict_proba(TEXTS), atol=2e-6)
    assert model.classify(TEXTS, on_empty="zero") == peer.predict(TEXTS).tolist()
    assert model.classify(TEXTS[0]) == peer.predict(TEXTS[0])[0]


@pytest.mark.parametrize("threshold", [None, 0.2, 0.8])
def test_several_labels(tmp_path, threshold):
    peer = saved(tmp_path, (24, 3), "sigmoid", CLASSES)
    model = StaticModel.load(tmp_path / "head")
    scores = model.predict_proba(TEXTS, on_empty="zero")
    np.testing.assert_allclose(scores, peer.predict_proba(TEXTS), atol=2e-6)
    expected = peer.predict(TEXTS, threshold=threshold or 0.5)
    labels = model.classify(TEXTS, threshold=threshold, on_empty="zero")
    assert labels == [list(row) for row in expected]


@pytest.mark.parametrize("widths", [(24, 1), (24, 30, 5)], ids=str)
def test_a_regressor(tmp_path, widths):
    peer = saved(tmp_path, widths, "identity", None)
    model = StaticModel.load(tmp_path / "head")
    expected = peer.predict(TEXTS)
    np.testing.assert_allclose(model.predict(TEXTS, on_empty="zero"), expected, atol=1e-4)
    with pytest.raises(InvalidOptionError, match="gives numbers"):
        model.classify(TEXTS)


def test_a_trained_model_predicts_what_it_predicted(tmp_path):
    """What `StaticModelForClassification` itself trains and saves."""
    train = pytest.importorskip("model2vec.train")
    table = save_model2vec(tmp_path / "table", family("bert_uncased"), normalize=True)
    texts = ["the quick brown fox", "a lazy dog", "money back please", "refund the invoice"] * 8
    labels = ["animal", "animal", "billing", "billing"] * 8
    for name, targets in (("one", labels), ("many", [[label, "all"] for label in labels])):
        fitted = train.StaticModelForClassification.from_static_model(model=table)
        fitted.fit(texts, targets, max_epochs=2, device="cpu")
        fitted.to_pipeline().save_pretrained(str(tmp_path / name))
        model = StaticModel.load(tmp_path / name)
        peer = inference.StaticModelPipeline.from_pretrained(tmp_path / name)
        expected = peer.predict_proba(TEXTS)
        np.testing.assert_allclose(model.predict_proba(TEXTS, on_empty="zero"), expected, atol=2e-6)
        assert model.classify(texts) == [
            row if isinstance(row, str) else list(row) for row in peer.predict(texts).tolist()
        ]


def test_numbers_as_classes_become_strings(tmp_path):
    peer = saved(tmp_path, (24, 3), "softmax", [10, 20, 30])
    model = StaticModel.load(tmp_path / "head")
    assert model.classify(TEXTS[:5]) == [str(label) for label in peer.predict(TEXTS[:5])]


def test_the_conversion_keeps_the_head(tmp_path):
    convert = pytest.importorskip("staticemb_distiller.interop.convert").convert_folder
    peer = saved(tmp_path, (24, 9, 3), "softmax", CLASSES)
    converted = convert(tmp_path / "head", tmp_path / "m.staticemb")
    assert not any("head" in note for note in converted.notes)
    model = StaticModel(tmp_path / "m.staticemb", verify=True)
    texts = [text for text in TEXTS if len(text) < 500]  # model2vec cuts long texts another way
    np.testing.assert_allclose(
        model.predict_proba(texts, on_empty="zero"), peer.predict_proba(texts), atol=2e-6
    )
    assert model.classify(texts, on_empty="zero") == peer.predict(texts).tolist()


@pytest.mark.parametrize("change", [{"dim": 8}, {"dtype": "int8"}])
def test_a_conversion_that_cannot_keep_the_head_names_it(tmp_path, change):
    convert = pytest.importorskip("staticemb_distiller.interop.convert").convert_folder
    saved(tmp_path, (24, 3), "softmax", CLASSES)
    converted = convert(tmp_path / "head", tmp_path / "m.staticemb", **change)
    assert [note for note in converted.notes if "the file has no head" in note]
    assert StaticModel(tmp_path / "m.staticemb").heads == ()


def damage(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config["head_config"])
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda head: head.update(n_layers=3), "one linear layer, or two with a hidden layer"),
        (lambda head: head.update(activation="tree"), "softmax, sigmoid or identity, found 'tree'"),
        (lambda head: head.update(activation=["softmax"]), "softmax, sigmoid or identity"),
        (lambda head: head.update(n_layers=1.0), r"one linear layer, or two .* found 1\.0 layers"),
        (lambda head: head.update(n_layers=[1]), "one linear layer, or two"),
        (lambda head: head.update(n_layers=2), "a tensor 'head.1.weight'"),
        (lambda head: head.update(classes=["a", "b"]), "3 classes, strings or numbers, found 2"),
        (lambda head: head.update(classes=["a", "b", "a"]), "classes that differ"),
        (lambda head: head.update(classes=["a", "b", ""]), "classes of 1 to 1,024 bytes, found ''"),
        (lambda head: head.update(classes=[["a"], "b", "c"]), "strings or numbers"),
        (lambda head: head.pop("classes"), "3 classes"),
    ],
)
def test_a_malformed_head_costs_the_head_alone(tmp_path, change, message):
    saved(tmp_path, (24, 3), "softmax", CLASSES)
    damage(tmp_path / "head", change)
    model = StaticModel.load(tmp_path / "head")
    assert model.encode("the fox").shape == (24,)
    with pytest.raises(MissingHeadError, match=message):
        model.classify("the fox")


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x80\x04a pickle, not numbers"], ids=repr)
def test_a_head_file_that_is_no_safetensors_file(tmp_path, content):
    saved(tmp_path, (24, 3), "softmax", CLASSES)
    (tmp_path / "head" / "head.safetensors").write_bytes(content)
    model = StaticModel.load(tmp_path / "head")
    assert model.encode("the fox").shape == (24,)
    with pytest.raises(MissingHeadError, match=r"head\.safetensors"):
        model.classify("the fox")


def test_infinite_weights(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    saved(tmp_path, (24, 3), "softmax", CLASSES)
    path = tmp_path / "head" / "head.safetensors"
    tensors = safetensors.load_file(path)
    tensors["head.0.weight"] = np.full((3, 24), np.inf, np.float32)
    safetensors.save_file(tensors, path)
    with pytest.raises(MissingHeadError, match=r"at most 2\^30 in 'head\.0\.weight'"):
        StaticModel.load(tmp_path / "head").classify("the fox")


def test_a_folder_without_a_head(tmp_path):
    save_model2vec(tmp_path / "m", family("bert_uncased"))
    assert StaticModel.load(tmp_path / "m").heads == ()
