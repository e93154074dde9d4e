"""`fit-head --data hf:ID`: data sets of a stand-in for the Hub."""

import io
import json

import pytest

from hub_client import commands
from hub_server import COMMIT, Repository, serve
from staticemb_runtime import StaticModel

pytest.importorskip("datasets")

WORDS = {"billing": "invoice refund", "delivery": "parcel courier"}
ROWS = [
    {"queue": list(WORDS)[n % 2], "message": f"{list(WORDS.values())[n % 2]} {n}"}
    for n in range(40)
]
LINES = [json.dumps(row).encode() + b"\n" for row in ROWS]


def named_classes():
    """A Parquet file whose labels are numbers of named classes; -1 is no label."""
    datasets = pytest.importorskip("datasets")
    queues = datasets.ClassLabel(names=list(WORDS))
    columns = {
        "text": [row["message"] for row in ROWS],
        "label": [list(WORDS).index(row["queue"]) for row in ROWS[:-1]] + [-1],
        "tags": [[0, 1] if n % 3 else [] for n in range(len(ROWS))],
    }
    features = datasets.Features(
        text=datasets.Value("string"), label=queues, tags=datasets.List(queues)
    )
    file = io.BytesIO()
    datasets.Dataset.from_dict(columns, features=features).to_parquet(file)
    return file.getvalue()


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """The output of each command, and where the files are."""
    folder = tmp_path_factory.mktemp("hub")
    earlier = Repository(
        {COMMIT: {"train.jsonl": b"".join(LINES[:20])}, "e" * 40: {"train.jsonl": b"".join(LINES)}},
        {"main": COMMIT, "earlier": "e" * 40},
    )
    sets = {
        "datasets/org/tickets": {
            "train.jsonl": b"".join(LINES),
            "test.jsonl": b"".join(LINES[:9]),
        },
        "datasets/org/classes": {"train.parquet": named_classes()},
        "datasets/org/moved": earlier,
    }

    def arguments(name, spec, *more):
        path = folder / f"{name}.staticemb"
        return None, ["fit-head", "minilm-en-small", "--data", spec, "-o", path,
                      "--no-baseline", *more]  # fmt: skip

    columns = "::text=message,label=queue"
    cases = {
        "lines": arguments("lines", f"hf:org/tickets{columns}"),
        "test": arguments(
            "test", f"hf:org/tickets{columns}", "--test", f"hf:org/tickets{columns},split=test"
        ),
        "classes": arguments("classes", "hf:org/classes::text=text,label=label"),
        "tags": arguments("tags", "hf:org/classes::text=text,label=tags"),
        "revision": arguments("revision", f"hf:org/moved{columns},revision=earlier"),
        "absent": arguments("absent", "hf:org/absent"),
        "column": arguments("column", "hf:org/tickets::text=body,label=queue"),
        "split": arguments("split", f"hf:org/tickets{columns},split=dev"),
    }
    with serve(sets) as (endpoint, _):
        done = commands(*cases.values(), cache=folder / "cache", endpoint=endpoint)
    return folder, dict(zip(cases, done, strict=True))


def labels_of(folder, name):
    return StaticModel.load(folder / f"{name}.staticemb").head().labels


def test_rows_are_read_from_the_hub(fitted):
    folder, done = fitted
    status, _, notes = done["lines"]
    assert status == 0, notes
    assert "40 texts" in notes
    model = StaticModel.load(folder / "lines.staticemb")
    assert model.classify(["where is my parcel"]) == ["delivery"]


def test_a_split_is_held_out_and_leaks_are_named(fitted):
    status, _, notes = fitted[1]["test"]
    assert status == 0, notes
    assert "held-out texts of hf:org/tickets" in notes
    assert "also among the training texts" in notes


def test_a_class_has_its_name_and_no_class_is_no_label(fitted):
    folder, done = fitted
    assert done["classes"][0] == 0, done["classes"][2]
    assert labels_of(folder, "classes") == ("billing", "delivery")
    assert "1 without label (the first: hf:org/classes, row 40)" in done["classes"][2]


def test_lists_of_classes_have_their_names(fitted):
    folder, done = fitted
    assert done["tags"][0] == 0, done["tags"][2]
    assert labels_of(folder, "tags") == ("billing", "delivery")
    assert "any of 2 labels, 40 texts" in done["tags"][2]


def test_a_revision_is_read(fitted):
    assert "40 texts" in fitted[1]["revision"][2]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "hf:org/absent: cannot be read"),
        ("column", "hf:org/tickets, row 1: expected a column 'body', found queue, message"),
        ("split", "hf:org/tickets: cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_line(fitted, name, message):
    folder, done = fitted
    status, _, notes = done[name]
    assert status != 0
    assert message in notes
    assert notes.count("\n") == 1, notes
    assert not (folder / f"{name}.staticemb").exists()
