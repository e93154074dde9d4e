"""Text on top of generated sequences: what follows from how much there is, and the command."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distiller.test_distill import encode, unit
from distiller.test_distill_fit import counted, sentences
from staticemb_distiller.cli import main as cli
from staticemb_distiller.cli.recipe import read_recipe
from staticemb_distiller.distillation import distill
from staticemb_distiller.fitting import fit_recipe, mean_alignment
from staticemb_distiller.recipe import shape as row_shapes
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_distiller.teacher import Teacher
from staticemb_runtime.format.reader import read

shares = st.floats(0, 1)
GENERATED = "generated::limit=300"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(sentences(120, seed=1)), encoding="utf-8")
    return str(path)


@given(shares, shares)
def test_more_text_is_shaped_no_more(one, other):
    fewer, more = sorted((one, other))
    for small, large in zip(row_shapes.row_shape(fewer), row_shapes.row_shape(more), strict=True):
        assert small >= large


@pytest.mark.parametrize(("share", "alone"), [(0, "generated"), (1, "text.txt")])
def test_at_its_ends_the_shape_is_that_of_either_alone(share, alone):
    expected = Recipe(fit=(alone,)).resolved()
    assert row_shapes.row_shape(share) == (expected.length_power, expected.whiten)


@given(shares, shares)
def test_a_settled_recipe_stays_whatever_text_it_meets(share, other):
    recipe = Recipe(text=("a.txt", "b.txt::weight=2,limit=7"), limit=9).resolved()
    settled = row_shapes.settled(recipe, share)
    assert (settled.length_power, settled.whiten) == row_shapes.row_shape(share)
    assert row_shapes.settled(settled, other) == settled.resolved() == settled
    assert Recipe.from_toml(settled.to_toml()) == settled


def test_a_shape_that_is_given_stays():
    recipe = Recipe(text=("a.txt",), length_power=2.0, whiten=0.3).resolved()
    settled = row_shapes.settled(recipe, 0.5)
    assert (settled.length_power, settled.whiten) == (2.0, 0.3)


def test_the_limit_is_one_of_text_and_leaves_the_sequences():
    recipe = Recipe(text=("a.txt", "b.txt::limit=7"), limit=9)
    assert [source.limit for source in fit_recipe.sources(recipe)] == [9, 7, None]


def test_a_recipe_without_text_is_spelled_as_before_there_was_any():
    assert "text =" not in Recipe().to_toml()
    assert "text =" in Recipe(text=("a.txt",)).to_toml()


@given(arrays(np.float16, (9, 3), elements=st.floats(-1, 1, width=16)), st.integers(0, 9))
def test_means_are_made_one_and_nothing_else_changes(before, own):
    after = before.copy()
    which = np.arange(9) < own
    mean_alignment.level_means(after, which)
    np.testing.assert_array_equal(after[~which], before[~which])
    if 0 < own < 9:
        np.testing.assert_allclose(after[which].mean(0), after[~which].mean(0), atol=5e-3)
    steps = after[which].astype(float) - before[which]
    np.testing.assert_allclose(steps, np.broadcast_to(steps[:1], steps.shape), atol=5e-3)


@pytest.mark.parametrize("budget", [None, 150])
def test_the_recipe_in_a_file_makes_it_again(folder, text, tmp_path, budget):
    out, again = tmp_path / "model.staticemb", tmp_path / "again.staticemb"
    revision = Teacher.load(str(folder), device="cpu").revision
    base = ["distill", str(folder), "--device", "cpu", "--quiet", "--revision", revision]
    knobs = ["--text", f"{text}::weight=2", "--fit", GENERATED, "--limit", "100", "--dims", "16"]
    knobs += [] if budget is None else ["--teacher-budget", str(budget)]
    assert cli.main([*base, "-o", str(out), *knobs]) == 0
    recipe, extra = read_recipe(out), read(out).metadata.extra
    assert (recipe.text, recipe.fit) == ((f"{text}::weight=2",), (GENERATED,))
    read_texts = int(extra["x-fit-texts"])
    if budget is None:
        assert 100 + 200 < read_texts <= 100 + 300  # the shortest sequences come twice
        shape = row_shapes.row_shape(2 * 100 / (2 * 100 + read_texts - 100))
        assert (recipe.length_power, recipe.whiten) == shape
    else:
        assert read_texts == budget
    assert text in extra["x-input-sha256"]

    # Whatever shape is best by then.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_shapes, "row_shape", lambda share, purpose: (3.0, 0.5))
        assert cli.main([*base, "-o", str(again), "--recipe", str(out)]) == 0
    assert again.read_bytes() == out.read_bytes()


def test_the_more_text_weighs_the_closer_its_vectors_come_to_the_teachers(teacher, text, tmp_path):
    lines = sentences(120, seed=1)
    targets = unit(teacher.encode(lines))

    def closeness(*own):
        recipe = Recipe(
            dims="none", dtype="float32", length_power=1.0, whiten=0.0, pooling="mean",
            fit=(GENERATED,), text=own,
        )  # fmt: skip
        file = read(distill(teacher, recipe, tmp_path / "made"))
        return np.mean(np.sum(unit(encode(file, lines)) * targets, axis=1))

    none, little, much = closeness(), closeness(text), closeness(f"{text}::weight=50")
    assert none < little < much


def test_without_text_and_with_it_the_teacher_reads_the_same_sequences_once(
    teacher, text, tmp_path, monkeypatch
):
    recipe = Recipe(dims=16, fit=(GENERATED,))
    cache = tmp_path / "cache"
    distill(teacher, recipe, tmp_path / "none", teacher_cache=cache)
    calls = counted(teacher, monkeypatch)
    with_text = dataclasses.replace(recipe, text=(text,))
    distill(teacher, with_text, tmp_path / "some", teacher_cache=cache)
    assert sum(calls) == len(set(sentences(120, seed=1)))


def test_the_command_makes_a_table_for_search(folder, text, tmp_path, capsys):
    out, other = tmp_path / "model.staticemb", tmp_path / "other.staticemb"
    base = ["distill", str(folder), "--device", "cpu", "--quiet", "--dims", "16"]
    texts = ["--text", text, "--fit", GENERATED]
    assert cli.main([*base, *texts, "-o", str(out), "--for", "search"]) == 0
    preset = row_shapes.PRESETS["search"]
    recipe = read_recipe(out)
    assert (recipe.purpose, recipe.length_power) == ("search", preset.text[0])
    assert read(out).metadata.damping_beta == preset.damping_beta
    base += ["-o", str(other)]
    assert cli.main([*base, "--recipe", str(out), "--for", "similarity"]) == 0
    assert read(other).metadata.damping_beta == row_shapes.PRESETS["similarity"].damping_beta
    capsys.readouterr()
    assert cli.main([*base, *texts, "--for", "fun"]) == 2
    assert "--for: expected " in capsys.readouterr().err
    assert cli.main([*base, "--fit", "none", "--for", "search"]) == 2
    assert "--for: only a fitted table has one" in capsys.readouterr().err
