"""The choice between the start and the trained table: what does not help leaves no trace."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distiller import training_data as data
from staticemb_distiller.cli import main as cli
from staticemb_distiller.errors import RecipeError
from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.progress import Progress
from staticemb_distiller.table.mixing import mixed
from staticemb_distiller.training import run
from staticemb_distiller.training.dataset import Texts
from staticemb_distiller.training.general_text import general_text
from staticemb_distiller.training.material import Material, Trained
from staticemb_distiller.training.recipe import TrainingRecipe
from staticemb_distiller.training.selection import gains, select
from staticemb_distiller.training.start import open_start
from staticemb_distiller.training.trial import thirds
from staticemb_runtime import StaticModel
from staticemb_runtime.format.reader import read


def noisy(random, count):
    """Pairs of which two thirds have the answer of another."""
    rows = data.pairs(random, count)
    wrong = random.random(count) < 2 / 3
    others = iter(random.permutation([row[1] for row, bad in zip(rows, wrong, strict=True) if bad]))
    return [
        (row[0], str(next(others))) if bad else row for row, bad in zip(rows, wrong, strict=True)
    ]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A file that is trained on good pairs, with a head."""
    folder = tmp_path_factory.mktemp("good")
    pairs = data.save(folder / "pairs.tsv", data.pairs(np.random.default_rng(1), 600))
    recipe = TrainingRecipe(
        pairs=[str(pairs)], epochs=6, batch_size=64, learning_rate=0.2, held_out=0,
        general_agreement=0, rotate=False, dtype="float32",
    )  # fmt: skip
    trained = folder / "trained.staticemb"
    run.train_file(str(data.model(folder / "start.staticemb")), recipe, run.Places(trained, "cpu"))
    file = read(trained)
    parts = Parts(
        np.array(file.embeddings), file.tokenizer, optional={"head.topic.weights": np.ones(2)}
    )
    settings = Settings(prefixes=(8, 32), unknown_token_id=file.metadata.unknown_token_id)
    write(folder / "good.staticemb", parts, settings)
    return folder / "good.staticemb"


@pytest.mark.parametrize("count", [300, 2400])
def test_a_training_set_that_hurts_leaves_the_bytes_of_the_start(good, count, tmp_path, capsys):
    pairs = data.save(tmp_path / "noisy.tsv", noisy(np.random.default_rng(3), count))
    rate = "1" if count < 2000 else "40"
    arguments = ["train", str(good), "--pairs", str(pairs), "--learning-rate", rate]
    hurt, out = tmp_path / "hurt.staticemb", tmp_path / "out.staticemb"
    off = ["--held-out", "0", "--general-agreement", "0"]
    assert cli.main([*arguments, *off, "-o", str(hurt), "--quiet"]) == 0
    clean = data.pairs(np.random.default_rng(99), 200)
    assert found(hurt, clean) < found(good, clean) - 0.02
    capsys.readouterr()
    assert cli.main([*arguments, "-o", str(out)]) == 0
    assert out.read_bytes() == good.read_bytes()
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if "byte for byte" in line]
    assert "has no head" not in said
    assert ("trial" in line) == (count < 2000)
    assert (tmp_path / "out.log.jsonl").exists()


def found(path, pairs):
    """The mean reciprocal rank of the answers."""
    model = StaticModel.load(path)
    left, right = (model.encode([pair[side] for pair in pairs]) for side in (0, 1))
    cosines = left @ right.T
    return float((1 / (cosines >= np.diag(cosines)[:, None]).sum(1)).mean())


@pytest.mark.parametrize("count", [200, 2400])
def test_a_training_set_that_helps_is_taken(count, tmp_path, capsys):
    start = data.model(tmp_path / "start.staticemb")
    pairs = data.save(tmp_path / "pairs.tsv", data.pairs(np.random.default_rng(1), count))
    out = tmp_path / "out.staticemb"
    arguments = ["train", str(start), "--pairs", str(pairs), "-o", str(out)]
    assert cli.main([*arguments, "--general-agreement", "0"]) == 0
    clean = data.pairs(np.random.default_rng(99), 200)
    assert found(out, clean) > found(start, clean) + 0.05
    assert "byte for byte" not in capsys.readouterr().err


def test_too_few_examples_for_a_trial_are_trained_on(tmp_path, capsys):
    start = data.model(tmp_path / "start.staticemb")
    pairs = data.save(tmp_path / "pairs.tsv", data.pairs(np.random.default_rng(1), 20))
    out = tmp_path / "out.staticemb"
    assert cli.main(["train", str(start), "--pairs", str(pairs), "-o", str(out)]) == 0
    assert "too few examples to tell whether the training helps" in capsys.readouterr().err
    assert out.read_bytes() != start.read_bytes()


def test_a_mixed_file_names_its_share_and_comes_again_from_its_recipe(good, tmp_path):
    pairs = data.save(tmp_path / "pairs.tsv", data.pairs(np.random.default_rng(5), 600))
    recipe = TrainingRecipe(pairs=[str(pairs)], learning_rate=0.5, held_out=0)
    files = [tmp_path / f"{name}.staticemb" for name in "ab"]
    for file in files:
        run.train_file(str(good), recipe, run.Places(file, "cpu"))
    assert files[0].read_bytes() == files[1].read_bytes()
    assert 0 < float(read(files[0]).metadata.extra["x-train-share"]) < 1


def opened(tmp_path, **others):
    path = data.model(tmp_path / "start.staticemb")
    recipe = TrainingRecipe(pairs=["pairs.tsv"], **others)
    return path, open_start(str(path), recipe, progress=Progress(quiet=True))


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 3), st.floats(0.5, 0.999))
def test_the_mixed_table_keeps_the_wanted_agreement(start, seed, size, least):
    random = np.random.default_rng(seed)
    moved = size * random.standard_normal(start.rows.shape).astype(np.float32)
    trained = Trained(start.rows + moved, 9, 9)
    nothing = data.dataset(Texts(np.zeros(0, np.int32), np.zeros(1, np.int64)))
    chosen = select(Material(start, nothing, nothing), trained, least)
    general = general_text(start.rows, start.damping, start.tokenizer, start.unknown_token_id)
    assert general.agreement(chosen.trained.rows) >= least
    assert (chosen.share == 1.0) == (general.agreement(trained.rows) >= least)
    np.testing.assert_array_equal(
        chosen.trained.rows, mixed(start.rows, trained.rows, chosen.share)
    )


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("start"))[1]


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10))
def test_axes_and_scale_do_not_count_as_a_change(start, seed, scale):
    general = general_text(start.rows, None, start.tokenizer, start.unknown_token_id)
    random = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(random.standard_normal((start.rows.shape[1],) * 2))
    turned = (start.rows @ turn * scale).astype(np.float32)
    assert general.agreement(turned) > 0.9999
    assert general.agreement(random.standard_normal(start.rows.shape).astype(np.float32)) < 0.9


def test_only_rows_of_a_fit_or_a_training_are_kept_near(tmp_path):
    path, start = opened(tmp_path)
    assert (start.fitted, start.file) == (True, path)
    file = read(path)
    classical = tmp_path / "classical.staticemb"
    write(
        classical,
        Parts(np.array(file.embeddings), file.tokenizer),
        Settings(provenance={"recipe": 'fit = ["none"]'}),
    )
    recipe = TrainingRecipe(pairs=["pairs.tsv"])
    assert not open_start(str(classical), recipe, progress=Progress(quiet=True)).fitted
    assert not opened(tmp_path, start="random")[1].fitted


def test_a_fitted_start_keeps_its_axes_unless_told(tmp_path):
    path = data.model(tmp_path / "start.staticemb", damping=(1.0, 8))
    pairs = data.save(tmp_path / "pairs.tsv", data.pairs(np.random.default_rng(1), 200))
    tables = {}
    for rotate in (None, False, True):
        recipe = TrainingRecipe(
            pairs=[str(pairs)], rotate=rotate, general_agreement=0, held_out=0, dtype="float32"
        )
        out = tmp_path / f"{rotate}.staticemb"
        run.train_file(str(path), recipe, run.Places(out, "cpu"))
        tables[rotate] = np.array(read(out).embeddings)
    np.testing.assert_array_equal(tables[None], tables[False])
    assert np.abs(tables[True] - tables[False]).max() > 0.01
    assert not opened(tmp_path, dims=40)[1].has_axes
    assert not opened(tmp_path, start="random")[1].has_axes


@pytest.mark.parametrize(
    "others", [{"start": "random"}, {"dims": 40}, {"prefixes": [4, 8]}, {"pooling": "damped_mean"}]
)
def test_a_start_that_the_recipe_changes_has_no_file_to_keep(others, tmp_path):
    assert opened(tmp_path, **others)[1].file is None


@given(st.integers(0, 2**32 - 1), st.integers(60, 200), st.sampled_from(["pairs", "labeled"]))
def test_a_trial_compares_on_anchors_that_it_did_not_train_on(seed, count, kind):
    random = np.random.default_rng(seed)
    texts = data.tokenized(random, 400, 9)
    width = 1 if kind == "labeled" else 2
    columns = random.choice(400, (count, width)) if width == 2 else np.arange(count)[:, None]
    part = data.examples(kind, columns, labels=np.arange(count, dtype=np.int32) % 7)
    parts = thirds(data.dataset(texts, part), seed % 5)
    assert parts is not None
    rest, third = (part.examples[0] for part in parts)
    assert not set(rest.columns[:, 0]) & set(third.columns[:, 0])
    assert 0 < len(third) <= count / 3 + 1
    assert len(rest) + len(third) <= count
    assert len(rest.labels) == len(rest)


def test_few_examples_make_no_trial():
    random = np.random.default_rng(0)
    texts = data.tokenized(random, 100, 9)
    many, few = (data.examples("pairs", random.choice(100, (n, 2))) for n in (90, 20))
    assert thirds(data.dataset(texts, many), 0) is not None
    assert thirds(data.dataset(texts, many, few), 0) is None


@given(st.floats(0, 1), st.integers(1, 10**6))
def test_a_gain_is_more_than_half_an_example(before, count):
    assert not gains(before, before, count)
    assert not gains(before, before + 0.4 / count, count)
    assert gains(before, before + 0.6 / count, count)


def test_an_agreement_is_a_share():
    with pytest.raises(RecipeError, match="general_agreement: expected a share from 0 to 1"):
        TrainingRecipe(pairs=["a.tsv"], general_agreement=1.5)
    recipe = TrainingRecipe(pairs=["a.tsv"])
    assert TrainingRecipe.from_toml(recipe.to_toml()) == recipe
    assert dataclasses.replace(recipe, general_agreement=0).general_agreement == 0.0
