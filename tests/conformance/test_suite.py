"""The conformance suite: its vectors, its adapters, and the runner against broken adapters."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from safetensors import safe_open

SUITE = Path(__file__).resolve().parents[2] / "conformance"
BROKEN = Path(__file__).parent / "broken" / "adapter.py"
MINIMAL = (sys.executable, str(SUITE / "adapters" / "minimal.py"))


def python(script, *arguments, cwd=None):
    return subprocess.run(
        [sys.executable, str(SUITE / script), *map(str, arguments)],
        capture_output=True,
        cwd=cwd,
        encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"},
        timeout=120,
    )


def judge(tmp_path, adapter, *options):
    """Run the runner; its exit status and its JSON report."""
    report = tmp_path / "report.json"
    done = python("run.py", "--json", report, *options, "--", *adapter)
    assert report.exists(), done.stderr
    return done.returncode, json.loads(report.read_text())


def cases():
    for path in sorted((SUITE / "vectors").glob("*/*.json")):
        for case in json.loads(path.read_text())["cases"]:
            yield path, case


# --- the vectors --------------------------------------------------------------------------------


def test_regenerating_changes_no_byte():
    done = python("generate.py", "--check")
    assert (done.returncode, done.stdout) == (0, "")


def test_recording_again_gives_the_same_ids(tmp_path):
    copy = tmp_path / "conformance"
    shutil.copytree(SUITE, copy, ignore=shutil.ignore_patterns("vectors", "__pycache__"))
    subprocess.run([sys.executable, copy / "record_text.py"], check=True, timeout=120)
    again = (copy / "recorded" / "text_ids.json").read_bytes()
    assert again == (SUITE / "recorded" / "text_ids.json").read_bytes()


def test_a_second_implementation_agrees():
    done = python("verify.py")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "old", "new", "found"),
    [
        ("valid/f32", '"hex": "', '"hex": "0000803f', "elements"),
        ("valid/f32", '"tolerance": ', '"tolerance": 1', "tolerance"),
        ("valid/f32", '"dim": 6', '"dim": 7', "read as"),
        ("valid/f32", '"notes"', '"note"', "lacks notes"),
        ("invalid/data_cut_by_one", "tensor_out_of_bounds", "tensor_gap", "refused with"),
        ("invalid/tokenizer_cut", '"deferred"', "", "refused with None"),
        ("valid/space_offset", '"vector": "0000', '"vector": "0001', "computed"),
        ("valid/head", '"labels": ["', '"labels": ["x', "answer"),
        ("valid/head_hidden", '"head": "topic"', '"head": "stars"', "elements"),
        ("requests/classifier", "request_head_missing", "request_text_invalid", "refused with"),
        ("requests/projector", "request_space_missing", "request_text_invalid", "refused with"),
        ("requests/pooler", "request_dim_out_of_range", "request_text_invalid", "refused with"),
    ],
)
def test_verification_finds_a_wrong_expectation(tmp_path, name, old, new, found):
    vectors = tmp_path / "vectors"
    shutil.copytree(SUITE / "vectors", vectors)
    path = vectors / f"{name}.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    done = python("verify.py", vectors)
    assert done.returncode == 1
    assert found in done.stdout


def test_the_folder_is_small():
    files = [path for path in SUITE.rglob("*") if path.is_file() and "cache" not in str(path)]
    sizes = [path.stat().st_size for path in files]
    assert sum(sizes) < 3_000_000


def test_another_reader_of_safetensors_opens_every_valid_file():
    seen = 0
    for path, case in cases():
        if case["id"].startswith("valid/") and "parts" in case:
            file = path.with_suffix(".staticemb")
            if not file.exists():
                continue  # put together by the runner
            with safe_open(file, "numpy") as tensors:
                found = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118
                shapes = {n: [t.get_dtype(), t.get_shape()] for n, t in found.items()}
            tensors = case["parts"]["tensors"] | case["parts"]["optional"]
            expected = {n: [t["dtype"], t["shape"]] for n, t in tensors.items()}
            assert shapes == expected
            seen += 1
    assert seen > 40


def test_the_specification_and_the_code_agree():
    done = python("check_spec.py")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("| `row_out_of_range` | opening |", "| `row_wrong` | opening |"),
        ("| `row_out_of_range` | opening |", "| `row_out_of_range` | deferred |"),
        ("| `max_tokens` | integer", "| `most_tokens` | integer"),
        ("| dimension (`D`) | 65,536 |", "| dimension (`D`) | 65,535 |"),
        ("| `U16`, `U32` or `I64` |", "| `U16`, `U32` or `I32` |"),
        ("| `damped_mean` | 1.0 |", "| `dampened_mean` | 1.0 |"),
        ("| optional tensors | 1,024 |", "| optional tensors | 1,000 |"),
        ("| `head.NAME.bias` | `F32` |", "| `head.NAME.bias` | `F16` |"),
        ("| the name of an output | 1,024 bytes |", "| the name of an output | 1,023 bytes |"),
        ("from 0.000001 to 1000000;", "from 0 to 1000000;"),
        ("; `linear`: K numbers", ""),
        ("| `space` | the relation", "| `spaces` | the relation"),
        ("`U16` or `U8`;", "`U16`, `U8` or `BOOL`;"),
        ("`dim`, `features`, `max_tokens`", "`features`, `max_tokens`"),
        ("tensors `embeddings`, `rows`, `scale`", "tensors `embeddings`, `scale`"),
    ],
)
def test_a_drift_of_the_specification_is_found(tmp_path, old, new):
    spec = (SUITE / "SPEC.md").read_text(encoding="utf-8")
    assert spec.count(old) == 1
    changed = tmp_path / "SPEC.md"
    changed.write_text(spec.replace(old, new), encoding="utf-8")
    done = python("check_spec.py", changed)
    assert done.returncode == 1, done.stdout


# --- right adapters -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("adapter", "classes"),
    [
        (
            (sys.executable, "python_runtime.py"),
            {"reader", "pooler", "text", "projector", "classifier"},
        ),
        ((sys.executable, "minimal.py"), {"reader", "pooler", "projector", "classifier"}),
        (("node", "minimal.mjs"), {"reader", "pooler", "projector", "classifier"}),
    ],
)
def test_adapters_pass(tmp_path, adapter, classes):
    program, script = adapter
    if shutil.which(program) is None:
        pytest.skip(f"{program} is absent")
    status, report = judge(tmp_path, (program, str(SUITE / "adapters" / script)))
    failed = [r for r in report["results"] if r["status"] != "passed"]
    assert (status, failed, report["problem"]) == (0, [], "")
    assert {result["class"] for result in report["results"]} == classes


def test_every_case_becomes_a_result(tmp_path):
    _, report = judge(tmp_path, MINIMAL)
    found = {result["id"] for result in report["results"]}
    assert {case["id"] for _, case in cases() if case["class"] != "text"} <= found


# --- broken adapters ----------------------------------------------------------------------------

# mode: the verdicts that catch it, and which cases are enough to.
CAUGHT = {
    "too_inexact": ("wrong_result", "valid/f32"),
    "not_a_number": ("wrong_result", "valid/f32"),
    "cuts_short": ("wrong_result", "valid/f32"),
    "big_endian": ("wrong_result", "valid/f32"),
    "wrong_parts": ("wrong_result", "valid/f32/read"),
    "never_normalizes": ("wrong_result", "valid/f32"),
    "ignores_overrides": ("wrong_result", "valid/"),
    "ignores_damping": ("wrong_result", "valid/damped"),
    "ignores_the_prefix": ("wrong_result", "valid/f32"),
    "ignores_scale": ("wrong_result", "valid/i8"),
    "ignores_weights": ("wrong_result", "valid/weights"),
    "ignores_max_tokens": ("wrong_result", "valid/max_tokens"),
    "keeps_unknown_tokens": ("wrong_result", "valid/unknown_token"),
    "accepts_everything": ("accepted", "invalid/"),
    "never_verifies": ("accepted", "invalid/tokenizer"),
    "wraps_token_ids": ("accepted", "requests/"),
    "clamps_the_prefix": ("accepted", "requests/"),
    "refuses_everything": ("refused", "valid/f32"),
    "one_code_for_all": ("wrong_code", "invalid/"),
    "calls_errors_refusals": ("wrong_code", "invalid/"),
    "reports_errors": ("errored", "invalid/"),
    "crashes_instead_of_refusing": ("crashed", "invalid/rows"),
    "aborts_instead_of_refusing": ("crashed", "invalid/rows_u16_r"),
    "crashes": ("crashed", "valid/f32/read"),
    "hangs": ("timed_out", "valid/f32/read"),
    "ends_early": ("ended_early", "valid/f32/read"),
    "prints_half_a_line": ("garbage", "valid/f32/read"),
    "closes_its_output": ("ended_early", "valid/f32/read"),
    "prints_garbage": ("garbage", "valid/f32/read"),
    "answers_twice": ("garbage", "valid/f32"),
    "answers_out_of_order": ("garbage", "valid/f32/"),
    "forgets_the_id": ("garbage", "valid/f32/read"),
    "two_outcomes": ("garbage", "valid/f32/read"),
    "refuses_optional_tensors": ("refused", "valid/optional_*"),
    "lets_unknown_tensors_in": ("accepted", "invalid/optional_name_*"),
    "never_looks_at_optional_tensors": ("accepted", "invalid/optional_[!b]*"),
    "garbles_optional_parts": ("wrong_result", "valid/optional_*"),
    "never_checks_the_vectors_digest": ("accepted", "invalid/vectors_digest"),
    "ignores_the_spelling_of_prompts": ("accepted", "invalid/metadata_prompts"),
    "ignores_the_offset": ("wrong_result", "valid/space_offset"),
    "trusts_the_space": ("accepted", "requests/projector"),
    "embeds_every_document": ("accepted", "requests/projector"),
    "forgets_the_hidden_zero": ("wrong_result", "valid/head_hidden/*scores"),
    "forgets_the_temperature": ("wrong_result", "valid/head_temperature/*scores"),
    "takes_labels_at_their_threshold": ("wrong_result", "valid/head_thresholds/*no_tokens"),
    "takes_the_last_of_equal_labels": ("wrong_result", "valid/head_tie/*"),
    "trusts_the_head": ("accepted", "requests/classifier/*nan"),
    "scans_a_string_again_and_again": ("timed_out", "invalid/header_escaped_quotes_closed"),
}
SLOW = ("hangs", "scans_a_string_again_and_again")


@pytest.mark.parametrize("mode", CAUGHT)
def test_a_broken_adapter_is_caught(tmp_path, mode):
    verdict, cases = CAUGHT[mode]
    options = ("--filter", cases, "--timeout", "1" if mode in SLOW else "20")
    status, report = judge(tmp_path, (sys.executable, str(BROKEN), mode), *options)
    assert status == 1
    failures = {r["status"] for r in report["results"]} - {"passed", "not_run"}
    assert failures == {verdict}


def test_a_reader_may_ignore_optional_parts(tmp_path):
    adapter = (sys.executable, str(BROKEN), "ignores_optional_parts")
    for cases in ("valid/optional_*", "valid/prompts*"):
        status, report = judge(tmp_path, adapter, "--filter", cases)
        assert (status, {r["status"] for r in report["results"]}) == (0, {"passed"})


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("old_protocol", "protocol 1 expected"),
        ("no_greeting", "ended_early"),
        ("nothing_to_offer", "reader among them"),
        ("smoke_accepts", "accepted"),
        ("smoke_refuses", "refused"),
        ("smoke_crashes", "crashed"),
    ],
)
def test_an_unusable_adapter_is_told_from_a_wrong_implementation(tmp_path, mode, problem):
    status, report = judge(tmp_path, (sys.executable, str(BROKEN), mode))
    assert (status, report["results"]) == (2, [])
    assert problem in report["problem"]


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("never_stops", "still running"),
        ("stops_badly", "exit status 4"),
        ("skips_everything", "no case of"),
    ],
)
def test_a_run_without_a_failed_case_can_fail(tmp_path, mode, problem):
    options = ("--filter", "valid/f32/*", "--timeout", "2")
    status, report = judge(tmp_path, (sys.executable, str(BROKEN), mode), *options)
    assert status == 1
    assert problem in report["problem"]


def test_an_adapter_that_is_no_program(tmp_path):
    status, report = judge(tmp_path, (str(tmp_path / "missing"),))
    assert status == 2
    assert "cannot be started" in report["problem"]


def test_a_crash_costs_one_case_and_no_more(tmp_path):
    adapter = (sys.executable, str(BROKEN), "crashes_instead_of_refusing")
    _, report = judge(tmp_path, adapter, "--filter", "*/rows_*")
    statuses = {r["id"]: r["status"] for r in report["results"]}
    invalid = {s for name, s in statuses.items() if name.startswith("invalid/")}
    valid = {s for name, s in statuses.items() if name.startswith("valid/")}
    assert (invalid, valid) == ({"crashed"}, {"passed"})


def test_an_adapter_that_always_fails_is_given_up(tmp_path):
    adapter = (sys.executable, str(BROKEN), "crashes")
    _, report = judge(tmp_path, adapter, "--restarts", "2")
    counts = Counter(result["status"] for result in report["results"])
    assert counts["crashed"] == 3
    assert set(counts) == {"crashed", "not_run"}


# --- the runner's options -----------------------------------------------------------------------


def test_classes_and_filter_select(tmp_path):
    options = ("--classes", "pooler", "--filter", "prefix_3")
    status, report = judge(tmp_path, MINIMAL, *options)
    assert status == 0
    found = {result["id"] for result in report["results"]}
    assert found == {"valid/f32/prefix_3", "valid/f32/prefix_3_not_normalized"}


def test_a_filter_that_selects_nothing_is_no_success(tmp_path):
    status, report = judge(tmp_path, MINIMAL, "--filter", "no such case")
    assert (status, report["problem"]) == (2, "no case was asked for")


def test_an_unknown_class_is_refused():
    done = python("run.py", "--classes", "writer", "--", *MINIMAL)
    assert done.returncode == 2
    assert "writer" in done.stderr


def test_junit_counts_what_failed(tmp_path):
    report = tmp_path / "report.xml"
    options = ("--filter", "valid/i8/*", "--junit", report)
    judge(tmp_path, (sys.executable, str(BROKEN), "too_inexact"), *options)
    suite = ElementTree.parse(report).getroot()
    failures = suite.findall("testcase/failure")
    assert int(suite.get("failures")) == len(failures) == 2
    assert {failure.get("type") for failure in failures} == {"wrong_result"}


def test_the_table_names_what_failed():
    adapter = (sys.executable, str(BROKEN), "too_inexact")
    done = python("run.py", "--filter", "valid/i8/*", "--", *adapter)
    assert "wrong_result: valid/i8/one_token" in done.stdout
    assert done.stdout.rstrip().endswith("FAIL")


def test_the_folder_works_by_itself(tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(SUITE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    plain = (sys.executable, "-E", "-s", "-S")
    done = subprocess.run(
        [
            *plain,
            copy / "run.py",
            "--filter",
            "f32",
            "--",
            *plain,
            copy / "adapters" / "minimal.py",
        ],
        capture_output=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
