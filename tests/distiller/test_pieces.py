"""The part `pieces` as the writer makes it: by the specification, and for large Unigrams alone."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from staticemb_distiller.errors import OutputError
from staticemb_distiller.file import Parts, Settings, serialize, write
from staticemb_distiller.file.check import read_publishable
from staticemb_distiller.file.optional_names import optional_names
from staticemb_distiller.file.pieces import LEAST_PIECES, pieces_tensors, with_pieces
from staticemb_distiller.interop.convert import convert_folder
from staticemb_runtime import StaticModel
from staticemb_runtime.aws_lambda.bundle import build
from staticemb_runtime.errors import BundleError
from staticemb_runtime.format import read
from strategies import word_level_tokenizer
from unigram_designs import definition

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance"))

from generator.pieces import part

VOCABULARY = [("<unk>", 0.0), ("▁", -2.5), ("a", -9.222574234008789), ("", -1.0), ("▁北京", -3e-7)]


def large(count: int = LEAST_PIECES) -> bytes:
    return definition([("<unk>", 0.0), *((f"▁{i:x}", -i / 1000) for i in range(count - 1))])


@pytest.mark.parametrize("repeat", [1, 2, 40])
def test_the_part_is_that_of_the_specification(repeat):
    names = [
        (f"{piece}{i or ''}", score - i / 7) for i in range(repeat) for piece, score in VOCABULARY
    ]
    tokenizer = definition(names, byte_fallback=True, added=(("<m>", True),))
    ours = pieces_tensors(tokenizer, least=1)
    right = part(tokenizer)
    assert ours.keys() == right.keys()
    for name, tensor in right.items():
        assert ours[name].astype(ours[name].dtype.newbyteorder("<")).tobytes() == tensor.data, name


OTHERS = {
    "words": word_level_tokenizer(LEAST_PIECES),
    "few": definition([(f"{i}", 0.0) for i in range(LEAST_PIECES - 1)]),
    "long": definition([*((f"{i}", 0.0) for i in range(LEAST_PIECES)), ("x" * 256, 0.0)]),
    "array": b"[]",
    "not_utf8": b"\xff",
    "malformed": b'{"model":{"vocab":[1]}}',
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_tokenizers_have_no_part(kind):
    parts = Parts(np.ones((1, 1), np.float32), OTHERS[kind])
    assert with_pieces(parts).optional == {}


def test_a_score_beyond_the_library_has_no_part():
    assert not pieces_tensors(definition([("a", 0.5)]).replace(b"0.5", b"1e309"), least=1)


def test_the_part_changes_no_other_byte_of_the_data():
    tokenizer = large()
    parts = Parts(np.ones((LEAST_PIECES, 2), np.float32), tokenizer)
    _, plain = serialize(parts, Settings())
    _, mapped = serialize(with_pieces(parts), Settings())
    for before, after in zip(plain, mapped, strict=False):
        np.testing.assert_array_equal(before, after)
    assert len(mapped) == len(plain) + 5
    assert (
        serialize(with_pieces(parts), Settings())[0] == serialize(with_pieces(parts), Settings())[0]
    )
    kept = replace(parts, optional={"space.offset": np.ones(2, np.float32)})
    assert "space.offset" in with_pieces(kept).optional


def test_the_part_is_not_named_among_those_that_an_edit_drops(tmp_path):
    tokenizer = definition([("<unk>", 0.0), ("a", -1.0)])
    tensors = {**pieces_tensors(tokenizer, least=1), "head.a.b": np.ones(1, np.float32)}
    path = tmp_path / "m.staticemb"
    write(path, Parts(np.ones((2, 2), np.float32), tokenizer, optional=tensors), Settings())
    assert optional_names(read(path)) == ("head.a",)


def test_a_file_with_a_part_that_differs_is_not_published(tmp_path):
    tokenizer = definition([("<unk>", 0.0), ("a", -1.0)])
    tensors = pieces_tensors(definition([("<unk>", 0.0), ("b", -1.0)]), least=1)
    path = tmp_path / "m.staticemb"
    write(path, Parts(np.ones((2, 2), np.float32), tokenizer, optional=tensors), Settings())
    with pytest.raises(OutputError, match="pieces"):
        read_publishable(path)
    with pytest.raises(BundleError, match="pieces"):
        build(path, tmp_path / "b.zip", architecture="x86_64", python="3.12")


def test_a_converted_folder_has_the_part(tmp_path):
    pytest.importorskip("model2vec")
    from model2vec import StaticModel as Peer

    vocabulary = [("[UNK]", 0.0), *((f"▁{i:x}", -i / 1000) for i in range(LEAST_PIECES))]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    table = np.random.default_rng(0).normal(size=(len(vocabulary), 4)).astype(np.float32)
    Peer(vectors=table, tokenizer=tokenizer).save_pretrained(str(tmp_path / "peer"))
    path = convert_folder(tmp_path / "peer", tmp_path / "m.staticemb").path
    file = read(path, verify=True)
    assert "pieces.slots" in file.optional
    assert file.refused == ()
    text = "1a 2b 7f"
    found = StaticModel.load(path).encode(text)
    expected = StaticModel.load(tmp_path / "peer").encode(text)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert json.loads(file.optional["pieces.definition"].tobytes())["model"]["vocab"] == []
