"""Training from end to end: through the command, broken off and resumed, in two processes."""

import json
import os
import socket
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from contextlib import nullcontext

import numpy as np
import pytest

from distiller import teachers
from distiller import training_data as data
from staticemb_distiller.cli import main as cli
from staticemb_distiller.distillation import distill
from staticemb_distiller.errors import CacheError, MissingPackageError, RecipeError, TrainingError
from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_distiller.training import loop, run
from staticemb_distiller.training.recipe import TrainingRecipe
from staticemb_distiller.training.workers import Workers
from staticemb_runtime import StaticModel
from staticemb_runtime.format.reader import read

HELD_OUT = data.pairs(np.random.default_rng(99), 100)


@pytest.fixture
def examples(tmp_path):
    return data.save(tmp_path / "pairs.tsv", data.pairs(np.random.default_rng(1), 600))


@pytest.fixture
def start(tmp_path):
    return data.model(tmp_path / "start.staticemb")


def knobs(examples, **others):
    usual = {"pairs": [str(examples)], "batch_size": 64, "epochs": 2, "held_out": 50}
    usual["general_agreement"] = 0  # the start's rows are random
    return TrainingRecipe(**{**usual, **others})


def trained(start, recipe, output, **places):
    run.train_file(str(start), recipe, run.Places(output, device="cpu", **places))
    return output


def topics_found(path, dim=None):
    """How often an anchor's nearest held-out positive is of its own topic."""
    model = StaticModel.load(path, truncate_dim=dim)
    left, right = (model.encode([pair[side] for pair in HELD_OUT]) for side in (0, 1))
    topics = np.array([next(w for w in pair[0].split() if w[0] == "a")[1:-2] for pair in HELD_OUT])
    return float((topics[(left @ right.T).argmax(1)] == topics).mean())


def test_training_teaches_texts_that_were_not_in_it_at_every_prefix(start, examples, tmp_path):
    out = trained(start, knobs(examples, epochs=6, learning_rate=0.2), tmp_path / "out.staticemb")
    assert topics_found(start) < 0.4
    assert topics_found(out) > 0.9
    assert topics_found(out, 8) > 0.8


@pytest.mark.parametrize("damping", [None, (1.0, 16)])
def test_the_file_keeps_the_settings_of_its_start_and_says_where_it_comes_from(
    damping, examples, tmp_path
):
    start = data.model(tmp_path / "start.staticemb", damping=damping, dtype="int8")
    recipe = knobs(examples, epochs=1)
    before, after = (
        read(start),
        read(trained(start, recipe, tmp_path / "out.staticemb"), verify=True),
    )
    for name in ("pooling", "damping_beta", "damping_dims", "prefixes", "unknown_token_id"):
        assert getattr(after.metadata, name) == getattr(before.metadata, name)
    assert after.embeddings.dtype == np.int8
    extra = after.metadata.extra
    assert TrainingRecipe.from_toml(extra["recipe"]) == recipe
    assert extra["x-start-recipe"] == "dims = 32"
    assert extra["x-start"] == f"start.staticemb {before.metadata.digest}"
    assert extra["x-input-sha256"].endswith(f" {examples}")
    assert (extra["teacher"], extra["license"]) == ("somebody", "mit")


def test_training_names_the_optional_parts_that_it_drops_and_keeps_prompts(
    examples, tmp_path, capsys
):
    start = data.model(tmp_path / "start.staticemb")
    file = read(start)
    optional = {"head.topic.weights": np.ones((2, 32)), "space.probes": np.ones(3)}
    parts = Parts(np.array(file.embeddings), file.tokenizer, optional=optional)
    unknown = file.metadata.unknown_token_id
    settings = Settings(
        prompts={"query": "q: "}, optional={"pieces": "1"}, unknown_token_id=unknown
    )
    write(start, parts, settings)
    out = tmp_path / "out.staticemb"
    arguments = ["train", str(start), "--pairs", str(examples), "--epochs", "1"]
    assert cli.main([*arguments, "--held-out", "0", "-o", str(out), "--quiet"]) == 0
    trained_file = read(out, verify=True)
    assert (dict(trained_file.optional), trained_file.metadata.prompts) == ({}, {"query": "q: "})
    assert "pieces" not in trained_file.metadata.extra
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "has no" in line]
    assert line.endswith("the new file has no head.topic, pieces, space")


def test_a_second_training_remembers_both_recipes(start, examples, tmp_path):
    first = trained(start, knobs(examples, epochs=1), tmp_path / "first.staticemb")
    second = trained(first, knobs(examples, epochs=1), tmp_path / "second.staticemb")
    told = read(second).metadata.extra["x-start-recipe"]
    assert told == f"{read(first).metadata.extra['recipe']}\n\n# started from\ndims = 32"


def test_rotation_changes_no_vector_but_its_axes(start, examples, tmp_path):
    files = [
        trained(
            start,
            knobs(examples, epochs=1, rotate=rotate, dtype="float32"),
            tmp_path / f"{rotate}.staticemb",
        )
        for rotate in (True, False)
    ]
    turned, plain = (StaticModel.load(file).encode([a for a, _ in HELD_OUT]) for file in files)
    np.testing.assert_allclose(turned @ turned.T, plain @ plain.T, atol=1e-4)
    assert np.abs(turned - plain).max() > 0.01


def test_rows_without_data_stay_and_a_pull_holds_the_others(start, tmp_path):
    rows = [pair for pair in data.pairs(np.random.default_rng(1), 300) if "f7" not in str(pair)]
    few = data.save(tmp_path / "few.tsv", rows)
    moved = {}
    for pull in (0.0, 0.5):
        recipe = knobs(few, pull=pull, rotate=False, dtype="float32")
        out = trained(start, recipe, tmp_path / f"{pull}.staticemb")
        change = np.linalg.norm(read(out).embeddings - read(start).embeddings, axis=1)
        assert change[data.words().index("f7")] < 1e-6
        moved[pull] = change.sum()
    assert 0 < moved[0.5] < 0.5 * moved[0.0]


class BrokenOffError(Exception):
    pass


def broken_off(monkeypatch, start, recipe, output, checkpoint, after):
    """Train until a number of steps was made, and then be killed."""
    whole = loop._Run._step

    def step(self, objective, batch):
        if self.step == after:
            raise BrokenOffError
        return whole(self, objective, batch)

    with monkeypatch.context() as patched:
        patched.setattr(loop._Run, "_step", step)
        with pytest.raises(BrokenOffError):
            trained(start, recipe, output, checkpoint=checkpoint)
    assert not output.exists()


@pytest.mark.parametrize("after", [13, 23, 30])
def test_a_training_that_was_broken_off_ends_in_the_same_bytes(
    after, start, examples, tmp_path, monkeypatch
):
    recipe = knobs(
        examples, mine=1, mine_negatives=2, validations=2, length_power=1.35, whiten=0.25
    )
    output, checkpoint = tmp_path / "out.staticemb", tmp_path / "checkpoint"
    whole = trained(start, recipe, output)
    kept = [path.read_bytes() for path in (whole, *sorted(tmp_path.glob("out.*.*")))]
    for path in tmp_path.glob("out.*"):
        path.unlink()
    broken_off(monkeypatch, start, recipe, output, checkpoint, after)
    again = trained(start, recipe, output, checkpoint=checkpoint)
    assert [path.read_bytes() for path in (again, *sorted(tmp_path.glob("out.*.*")))] == kept
    assert not checkpoint.exists()


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_refused(
    start, examples, tmp_path, monkeypatch
):
    output, checkpoint = tmp_path / "out.staticemb", tmp_path / "checkpoint"
    broken_off(monkeypatch, start, knobs(examples), output, checkpoint, 12)
    with pytest.raises(CacheError, match="another recipe"):
        trained(start, knobs(examples, seed=1), output, checkpoint=checkpoint)
    [kept] = checkpoint.iterdir()
    kept.write_bytes(kept.read_bytes()[:1000])
    with pytest.raises(CacheError, match=r"damaged; delete it$"):
        trained(start, knobs(examples), output, checkpoint=checkpoint)


def test_processes_that_find_different_checkpoints_say_so(start, examples, tmp_path, monkeypatch):
    class Second(Workers):
        def tell(self, order, device):
            return (7.0, 0.0)  # what the first one said

    recipe = knobs(examples)
    monkeypatch.setattr(run, "joined", lambda device: nullcontext(Second(1, 2)))
    with pytest.raises(CacheError, match="step 0 in the folder of this process and step 7"):
        trained(start, recipe, tmp_path / "o.staticemb", checkpoint=tmp_path / "own")


def test_what_a_killed_process_left_beside_a_checkpoint_goes_with_it(start, examples, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / ".training.npz.0a1b2c3d4e5f6071.tmp").write_bytes(b"half")
    trained(start, knobs(examples), tmp_path / "out.staticemb", checkpoint=checkpoint)
    assert not checkpoint.exists()


def test_held_out_texts_have_the_teachers_vectors_too(start, examples, tmp_path, monkeypatch):
    materials = []
    whole = loop.run_steps
    monkeypatch.setattr(
        run,
        "run_steps",
        lambda material, *a, **k: materials.append(material) or whole(material, *a, **k),
    )
    teacher = teachers.build("bert", tmp_path / "teacher")
    recipe = knobs(examples, epochs=1, teacher=str(teacher))
    trained(start, recipe, tmp_path / "out.staticemb")
    [material] = materials
    for part in (material.train, material.held_out):
        lengths = np.linalg.norm(material.guide[part.named()].astype(np.float32), axis=1)
        np.testing.assert_allclose(lengths, 1, atol=0.01)


def test_patience_stops_a_training_and_the_best_table_is_kept(start, examples, tmp_path):
    recipe = knobs(examples, epochs=30, learning_rate=30.0, patience=2, validations=2, warmup=0.0)
    result = run.train_file(str(start), recipe, run.Places(tmp_path / "out.staticemb", "cpu"))
    validated = [entry for entry in result.history if "value" in entry]
    best = max(validated, key=lambda entry: (entry["value"], -entry["validation_loss"]))
    assert result.step == best["step"]
    assert result.steps < 270
    assert len(validated) == validated.index(best) + 3


KINDS = {
    "triplets": lambda pair, other, place: (*pair, other[1]),
    "scored": lambda pair, other, place: (
        pair[0],
        (pair, other)[place % 2][1],
        5 * (1 - place % 2),
    ),
    "labeled": lambda pair, other, place: (pair[0], pair[0].split("x")[0].split()[-1]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_of_examples_teach_too(kind, start, tmp_path):
    random = np.random.default_rng(1)
    rows = [
        KINDS[kind](pair, other, place)
        for place, (pair, other) in enumerate(
            zip(data.pairs(random, 400), data.pairs(random, 400), strict=True)
        )
    ]
    spec = data.source(tmp_path / "rows.tsv", kind, rows)
    recipe = TrainingRecipe(pairs=[spec], epochs=3, batch_size=50, held_out=40, learning_rate=0.2)
    result = run.train_file(str(start), recipe, run.Places(tmp_path / "out.staticemb", "cpu"))
    values = [entry["value"] for entry in result.history if "value" in entry]
    assert max(values) > values[0] + 0.1


def test_the_start_may_be_random_rows_of_other_dimensions(start, examples, tmp_path):
    recipe = knobs(examples, start="random", dims=24, epochs=12, learning_rate=0.2)
    out = trained(start, recipe, tmp_path / "out.staticemb")
    assert read(out).metadata.dim == 24
    assert topics_found(out) > 0.9


def test_a_start_may_get_more_dimensions_and_its_own_stay_in_front(start, examples, tmp_path):
    still = {"epochs": 1, "learning_rate": 1e-9, "rotate": False, "dtype": "float32"}
    out = trained(start, knobs(examples, dims=80, **still), tmp_path / "out.staticemb")
    file, before = read(out), read(start).embeddings
    own = before.shape[1]
    np.testing.assert_allclose(file.embeddings[:, :own], before, rtol=1e-6, atol=1e-9)
    added = np.linalg.norm(file.embeddings[:, own:], axis=1)
    lengths = np.linalg.norm(before, axis=1)
    np.testing.assert_allclose(added, lengths / 4, rtol=0.6)
    assert file.metadata.prefixes == (32, 64, 80)
    taught = knobs(examples, dims=80, epochs=6, learning_rate=0.2)
    assert topics_found(trained(start, taught, tmp_path / "taught.staticemb")) > 0.9


@pytest.mark.parametrize(("dims", "says"), [(2, "at least"), (10**6, "fewer than the model's")])
def test_dimensions_that_a_table_cannot_have_are_refused(start, examples, tmp_path, dims, says):
    with pytest.raises(TrainingError, match=f"dims: expected {says}"):
        trained(start, knobs(examples, dims=dims), tmp_path / "no.staticemb")


def test_a_teacher_begins_as_its_classical_table(tmp_path):
    folder = teachers.build("mpnet", tmp_path / "teacher")
    words = sorted({word for sentence in teachers.SENTENCES[:4] for word in sentence.split()})
    random = np.random.default_rng(4)
    rows = [[" ".join(random.choice(words, 4)) for _ in range(2)] for _ in range(200)]
    examples = data.save(tmp_path / "pairs.tsv", rows)
    still = {"epochs": 1, "learning_rate": 1e-9, "rotate": False, "dtype": "float32"}
    out = trained(folder, knobs(examples, dims=16, **still), tmp_path / "out.staticemb")
    recipe = Recipe(fit=("none",), dims=16, dtype="float32")
    same = distill(str(folder), recipe, tmp_path / "same.staticemb", device="cpu")
    texts = [text for row in rows for text in row]
    ours, theirs = (StaticModel.load(path).encode(texts) for path in (out, same))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    extra = read(out).metadata.extra
    assert extra["teacher"] == read(same).metadata.extra["teacher"]
    assert extra["x-start-recipe"] == read(same).metadata.extra["recipe"]
    blank = knobs(examples, start="random", dims=24, **still)
    assert StaticModel.load(trained(folder, blank, out)).dim == 24
    wider = knobs(examples, dims=40, **still)  # the teacher has 32
    assert StaticModel.load(trained(folder, wider, out)).dim == 40


def test_two_processes_make_the_step_that_one_makes(start, examples, tmp_path):
    arguments = [
        *("train", str(start), "--pairs", str(examples), "--batch-size", "64", "--epochs", "1"),
        *("--mine", "1", "--dtype", "float32", "--no-rotate", "--device", "cpu"),
        *("--general-agreement", "0"),
    ]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "staticemb_distiller", *arguments]
    torchrun = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    both = [
        subprocess.Popen(
            [*command, "-o", str(tmp_path / "two.staticemb")],
            env={**os.environ, **torchrun, "RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        assert cli.main([*arguments, "-o", str(tmp_path / "one.staticemb"), "--quiet"]) == 0
        for process in both:
            assert process.wait(timeout=300) == 0, process.stderr.read()
    finally:
        for process in both:
            process.kill()
            process.stderr.close()
    one, two = (read(tmp_path / f"{name}.staticemb").embeddings for name in ("one", "two"))
    begin = read(start).embeddings
    moved = np.abs(one - begin).max()
    assert moved > 0.05
    assert np.abs(one - two).max() < 0.02 * moved


def test_the_command_writes_model_log_and_curve_and_tells_the_recipe(
    start, examples, tmp_path, capsys
):
    out = tmp_path / "out.staticemb"
    spelled = [
        "train",
        str(start),
        "--pairs",
        str(examples),
        "-o",
        str(out),
        "--epochs",
        "1",
        "--held-out",
        "50",
    ]
    assert cli.main([*spelled, "--prefixes", "4", "16", "--prefix-weights", "1", "2"]) == 0
    said = capsys.readouterr().err
    assert "held-out examples are too few to tell tables apart" in said
    assert "Wrote" in said
    assert read(out).metadata.prefixes == (4, 16, 32)
    entries = [json.loads(line) for line in (tmp_path / "out.log.jsonl").read_text().splitlines()]
    assert entries[0]["step"] == 0
    assert {"loss", "rate"} < set(entries[1])
    assert {"mrr", "recall@10", "validation_loss"} < set(entries[-1])
    assert ElementTree.parse(tmp_path / "out.curve.svg").getroot().tag.endswith("svg")
    assert cli.main(["recipe", str(out)]) == 0
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(capsys.readouterr().out)
    again = tmp_path / "again.staticemb"
    assert cli.main(["train", str(start), "--recipe", str(recipe), "-o", str(again)]) == 0
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--pairs: expected at least one file"),
        (["--pairs", "{absent}"], "absent.tsv"),
        (["--pairs", "{examples}", "--batch-size", "5000"], "5000"),
        (
            ["--pairs", "{examples}", "--prefixes", "64"],
            "--prefixes: expected lengths of at most 32",
        ),
        (["--pairs", "{examples}", "--prefix-weights", "1"], "--prefix-weights: "),
        (["--pairs", "{examples}", "--pull", "2"], "pull"),
        (["--pairs", "{empty}"], "empty.tsv"),
        (["--pairs", "{blank}"], "blank.tsv, line 1: expected text in column '2', found none"),
        (["--pairs", "{examples}", "--held-out", "-1"], "--held-out: expected a share"),
        (["--pairs", "{examples}", "--held-out", "few"], "--held-out: expected a number"),
        (["--pairs", "{examples}", "--held-out", "599"], "two examples or more to train on"),
        (["--pairs", "{examples}", "--patience", "1"], "--patience: expected examples to validate"),
        (["--pairs", "{examples}::weight=0.0001"], "weights that leave none"),
        (["--pairs", "{strange}"], "expected texts with tokens that the model knows"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(
    flags, message, start, examples, tmp_path, capsys
):
    (tmp_path / "empty.tsv").write_text("")
    names = {
        "examples": examples,
        "absent": tmp_path / "absent.tsv",
        "empty": tmp_path / "empty.tsv",
        "blank": data.save(tmp_path / "blank.tsv", [[f"x{n}", " "] for n in range(40)]),
        "strange": data.save(tmp_path / "strange.tsv", [[f"x{n}", f"y{n}"] for n in range(40)]),
    }
    before = sorted(tmp_path.iterdir())
    flags = [flag.format(**names) for flag in flags]
    assert cli.main(["train", str(start), *flags, "-o", str(tmp_path / "o.staticemb")]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("staticemb-distiller: error: ")
    assert message in last
    assert sorted(tmp_path.iterdir()) == before


def test_a_recipe_of_the_other_command_is_sent_there(start, examples, tmp_path, capsys):
    out = trained(start, knobs(examples, epochs=1), tmp_path / "out.staticemb")
    for command, file, other in (("distill", out, "train"), ("train", start, "distill")):
        made = ["-o", str(tmp_path / "no.staticemb"), "--recipe", str(file)]
        assert cli.main([command, str(start), *made]) == 2
        assert f"is for {other}; give it to {other}" in capsys.readouterr().err


def test_tensorboard_is_asked_for_by_name_where_it_is_missing(
    start, examples, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingPackageError, match="pip install tensorboard"):
        trained(start, knobs(examples), tmp_path / "o.staticemb", tensorboard=tmp_path / "board")


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.0},
        {"epochs": 0},
        {"held_out": -1},
        {"prefixes": (8, 4)},
        {"patience": 1, "held_out": 0},
        {"prefix_weights": (0.0,), "prefixes": (4,)},
        {"mine_margin": 1.5},
        {"length_power": 0.0},
        {"whiten": 0.6},
        {"teacher_revision": "main"},
    ],
)
def test_impossible_recipes_are_refused(wrong):
    with pytest.raises(RecipeError, match=next(iter(wrong))):
        TrainingRecipe(pairs=("pairs.tsv",), **wrong)
