"""Several threads share the work of a call (`workers`), and its result shows nothing of it."""

import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.test_model import DIM, make_texts, save
from staticemb_runtime import StaticModel
from staticemb_runtime.encoding import options
from staticemb_runtime.encoding.batching import Batch
from staticemb_runtime.encoding.embedder import Block
from staticemb_runtime.encoding.threads import embed_slices
from staticemb_runtime.errors import InvalidOptionError, InvalidTextError

SECONDS = 60


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return save(tmp_path_factory.mktemp("model") / "model.staticemb")


@pytest.fixture
def model(path):
    return StaticModel.load(path)


@pytest.fixture
def four_cores(monkeypatch):
    monkeypatch.setattr(options, "cores", lambda: 4)


def batches(count):
    return (Batch(number, [str(number)]) for number in range(count))


def block(batch):
    return Block(np.array([[batch.start]], np.float32), np.empty(0, np.int64))


def wait_until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def others():
    """The running threads but this one."""
    return set(threading.enumerate()) - {threading.current_thread()}


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = others()
    yield
    assert others() <= before


# --- order and errors -----------------------------------------------------------------------------


class SliceError(Exception):
    pass


def outcome(blocks):
    """What a consumer sees: the results, and the message of the error that follows them."""
    found = []
    try:
        for batch, result in blocks:
            found.append((batch.start, result.vectors.tolist()))
    except SliceError as error:
        return found, str(error)
    return found, None


def failing_source(count, fails_at):
    for batch in batches(count):
        if batch.start == fails_at:
            raise SliceError(f"source {fails_at}")
        yield batch


@given(
    count=st.integers(0, 30),
    workers=st.integers(2, 5),
    waits=st.lists(st.sampled_from([0, 0, 0.0005, 0.002]), min_size=1, max_size=7),
    failing=st.sets(st.integers(0, 40), max_size=3),
    source_fails_at=st.integers(0, 60),
)
def test_any_number_of_threads_gives_what_one_gives(
    count, workers, waits, failing, source_fails_at
):
    def embed(batch):
        time.sleep(waits[batch.start % len(waits)])
        if batch.start in failing:
            raise SliceError(f"slice {batch.start}")
        return block(batch)

    expected = outcome((batch, embed(batch)) for batch in failing_source(count, source_fails_at))
    found = embed_slices(embed, failing_source(count, source_fails_at), workers)
    assert outcome(found) == expected


@given(
    lengths=st.lists(st.integers(0, 40), max_size=40),
    size=st.integers(1, 12),
    workers=st.integers(2, 4),
    request=st.sampled_from(
        [{}, {"precision": "int8"}, {"precision": "ubinary"}, {"pooling": "mean"}]
    ),
)
def test_any_number_of_workers_gives_the_same_bytes(path, lengths, size, workers, request):
    rng = np.random.default_rng(len(lengths))
    texts = [" ".join(f"w{i}" for i in rng.integers(0, 60, length)) for length in lengths]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, "cores", lambda: 4)
        model = StaticModel.load(path)
        stream = list(model.encode_stream(texts, batch_size=size, workers=workers, **request))
    alone = list(StaticModel.load(path).encode_stream(texts, batch_size=size, **request))
    assert [one.tobytes() for one in stream] == [one.tobytes() for one in alone]


def test_the_first_error_is_raised_even_if_a_later_one_comes_first():
    late = threading.Event()

    def embed(batch):
        if batch.start == 3:
            late.set()
            raise SliceError("slice 3")
        if batch.start == 1:
            assert late.wait(SECONDS)
            raise SliceError("slice 1")
        return block(batch)

    assert outcome(embed_slices(embed, batches(9), 3)) == ([(0, [[0.0]])], "slice 1")


@pytest.mark.usefixtures("four_cores")
def test_the_error_of_a_text_is_the_one_without_workers(model):
    texts = ["w1"] * 9000
    texts[7500] = "\ud800"
    texts[8900] = "\udfff"
    messages = []
    for workers in (1, 2, 4):
        with pytest.raises(InvalidTextError) as caught:
            model.encode(texts, batch_size=256, workers=workers)
        messages.append(str(caught.value))
    assert messages == [messages[0]] * 3
    assert "text 7500" in messages[0]


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="one setting a thread")
def test_numpy_treats_floating_point_errors_as_the_caller_does():
    def embed(_):
        time.sleep(0.001)
        return Block(np.array([[1e-300]]) * 1e-300, np.empty(0, np.int64))

    with np.errstate(under="raise"):
        for number in range(3):  # whichever thread embeds the first slice
            source = itertools.islice(batches(9), number, None)
            with pytest.raises(FloatingPointError):
                next(embed_slices(embed, source, 3))
    assert len(list(embed_slices(embed, batches(9), 3))) == 9


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2", "all", None, True])
def test_an_impossible_number_of_workers_is_refused(model, wrong):
    for call in (model.encode, model.encode_stream):
        with pytest.raises(InvalidOptionError, match="workers: expected an integer of at least 1"):
            call(["w1"], workers=wrong)


# --- what is read, and which threads there are ----------------------------------------------------


@pytest.mark.parametrize("workers", [2, 3])
def test_one_thread_reads_the_source_a_bounded_number_of_slices_ahead(workers):
    readers = set()
    read = 0

    def source():
        nonlocal read
        for batch in batches(200):
            readers.add(threading.get_ident())
            read += 1
            yield batch

    for number, _ in enumerate(embed_slices(block, source(), workers)):
        assert read <= number + 4 * workers
    assert readers == {threading.get_ident()}


@pytest.mark.parametrize(("slices", "workers"), [(0, 4), (1, 4), (2, 4), (3, 4), (50, 2), (50, 4)])
def test_no_more_threads_than_workers_or_slices(slices, workers):
    before = others()
    most = 0

    def embed(batch):
        nonlocal most
        most = max(most, len(set(threading.enumerate()) - before))
        time.sleep(0.002)
        return block(batch)

    assert len(list(embed_slices(embed, batches(slices), workers))) == slices
    allowed = min(slices, workers)
    assert most <= allowed
    if slices > 3:
        assert most == allowed  # the calling one is among them


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize(
    ("texts", "workers", "expected"),
    [(4096, 4, 0), (9000, 1, 0), (4097, 4, 1), (20000, 2, 1), (20000, 1000, 3), (20000, "auto", 3)],
)
def test_workers_are_threads_of_this_process(model, monkeypatch, texts, workers, expected):
    most = 0
    started = threading.Thread.start

    def start(thread):
        nonlocal most
        started(thread)
        most = max(most, len([t for t in threading.enumerate() if t in ours]))

    ours = []
    made = threading.Thread.__init__

    def make(thread, *arguments, **named):
        made(thread, *arguments, **named)
        ours.append(thread)

    monkeypatch.setattr(threading.Thread, "__init__", make)
    monkeypatch.setattr(threading.Thread, "start", start)
    model.encode(["w1 w2"] * texts, batch_size=256, workers=workers)
    assert most <= expected
    assert bool(ours) == bool(expected)


def test_a_system_without_threads_takes_longer(monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert [batch.start for batch, _ in embed_slices(block, batches(20), 3)] == list(range(20))


def test_a_stream_that_nobody_reads_holds_no_threads():
    before = others()
    helped = set()

    def embed(batch):
        time.sleep(0.001)
        if threading.current_thread() is not caller:
            helped.add(batch.start)
        return block(batch)

    caller = threading.current_thread()
    blocks = embed_slices(embed, batches(100), 4)
    next(blocks)
    wait_until(lambda: others() <= before)
    assert [batch.start for batch, _ in blocks] == list(range(1, 100))
    assert max(helped) > 50  # threads were started again


# --- the end of a call ----------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["close", "collect"])
def test_the_end_of_a_stream_is_the_end_of_its_work(monkeypatch, end):
    caller = threading.current_thread()
    ended = threading.Event()
    helped = []

    def embed(batch):
        if batch.start and threading.current_thread() is not caller:
            helped.append(batch.start)
            assert ended.wait(SECONDS)  # what is in work will be completed
        return block(batch)

    def wait_for(thread, timeout=None):
        ended.set()
        joined(thread, timeout)

    joined = threading.Thread.join
    monkeypatch.setattr(threading.Thread, "join", wait_for)
    before = others()
    blocks = embed_slices(embed, batches(1000), 3)
    next(blocks)
    if end == "close":
        blocks.close()
    else:
        del blocks
        gc.collect()
    assert others() <= before
    assert len(helped) <= 2  # one for each thread


@pytest.mark.parametrize("failing", ["slice", "source"])
def test_an_error_ends_the_threads(failing):
    def embed(batch):
        time.sleep(0.002)
        if failing == "slice" and batch.start == 5:
            raise SliceError
        return block(batch)

    before = others()
    source = failing_source(1000, 5 if failing == "source" else -1)
    with pytest.raises(SliceError):
        list(embed_slices(embed, source, 3))
    assert others() <= before


def test_a_stream_may_be_collected_by_one_of_its_own_threads(monkeypatch):
    # The garbage collector runs in any thread. Here a slice drops the last reference.
    streams = []
    left, dropped = threading.Event(), threading.Event()
    caller = threading.current_thread()

    def embed(batch):
        if batch.start and threading.current_thread() is not caller:
            assert left.wait(SECONDS)
            streams.clear()
            dropped.set()
        return block(batch)

    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    before = others()
    streams.append(embed_slices(embed, batches(1000), 2))
    next(streams[0])
    left.set()
    assert dropped.wait(SECONDS)
    wait_until(lambda: others() <= before)
    assert unraisable == []


def run_program(program, **more):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        **more,
    )


HEAD = (
    "import itertools, os, signal, sys, threading, time\n"
    "from staticemb_runtime import StaticModel\n"
    "from staticemb_runtime.encoding import options\n"
    "options.cores = lambda: 2\n"
)


@pytest.mark.parametrize(
    "work",
    [
        "blocks = model.encode_stream(itertools.repeat('w1 ' * 200), batch_size=500, workers=2)\n"
        "print(next(blocks).shape)\n",
        "threading.Thread(target=model.encode, args=(['w1 ' * 200] * 5000,),\n"
        "    kwargs={'workers': 2}, daemon=True).start()\n"
        "time.sleep(0.1)\n"
        f"print((500, {DIM}))\n",
    ],
)
def test_a_program_may_end_during_a_call(path, work):
    done = run_program(f"{HEAD}model = StaticModel.load({str(path)!r})\n{work}")
    assert (done.stdout, done.stderr, done.returncode) == (f"(500, {DIM})\n", "", 0)


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize(
    "loop",
    [
        "for block in model.encode_stream(itertools.repeat('w1'), batch_size=50, workers=2):\n"
        "    print('.', end='', flush=True)\n",
        "while True:\n"
        "    model.encode(['w1 w2'] * 5000, workers=2)\n"
        "    print('.', end='', flush=True)\n",
    ],
)
def test_an_interrupt_ends_the_call_and_its_threads(path, loop):
    program = (
        f"{HEAD}model = StaticModel.load({str(path)!r})\n"
        f"try:\n    {loop.replace(chr(10), chr(10) + '    ')}\n"
        "except KeyboardInterrupt:\n"
        "    for _ in range(10_000):\n"
        "        if threading.active_count() > 1:\n"  # a thread whose start was interrupted
        "            time.sleep(0.001)\n"
        "    print(threading.active_count())\n"
        "    raise\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(20)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=SECONDS)
    assert output.lstrip(b".") == b"1\n"
    assert errors.count(b"Traceback") == errors.count(b"KeyboardInterrupt") == 1
    assert process.returncode == -signal.SIGINT


# --- forks ----------------------------------------------------------------------------------------


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@forks
def test_a_fork_after_a_call_uses_the_model(path):
    program = (
        f"{HEAD}model = StaticModel.load({str(path)!r})\n"
        "texts = [f'w{i % 60} w{i % 7}' for i in range(5000)]\n"
        "expected = model.encode(texts, workers=2)\n"
        "assert threading.active_count() == 1\n"
        "child = os.fork()\n"
        "assert (model.encode(texts, workers=2) == expected).all()\n"
        "if child == 0:\n"
        "    os._exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = run_program(program)
    assert (done.stdout, done.stderr) == ("7\n", "")


@forks
@pytest.mark.parametrize("end", ["list(blocks)", "blocks.close()", "del blocks"])
def test_a_fork_during_a_stream_does_not_wait_for_threads_that_it_lacks(end):
    program = (
        "import os, threading\n"
        "import numpy as np\n"
        "from staticemb_runtime.encoding.batching import Batch\n"
        "from staticemb_runtime.encoding.embedder import Block\n"
        "from staticemb_runtime.encoding.threads import embed_slices\n"
        "caller, parent = threading.get_ident(), os.getpid()\n"
        "begun, forked = threading.Event(), threading.Event()\n"
        "def embed(batch):\n"
        "    if threading.get_ident() != caller and os.getpid() == parent:\n"
        "        begun.set()\n"
        "        forked.wait()\n"
        "    elif batch.start == 0:\n"
        "        begun.wait()\n"
        "    return Block(np.zeros((1, 1), np.float32), np.empty(0, np.int64))\n"
        "def source():\n"
        "    yield from (Batch(number, ['a']) for number in range(6))\n"
        "    begun.wait()\n"
        "    global child\n"
        "    child = os.fork()\n"
        "    if child:\n"
        "        forked.set()\n"
        "    yield Batch(6, ['a'])\n"
        "blocks = embed_slices(embed, source(), 2)\n"
        "next(blocks)\n"
        f"rest = {end if end.startswith('list') else '[]'}\n"
        f"{end if not end.startswith('list') else ''}\n"
        "if child == 0:\n"
        "    os._exit(len(rest))\n"
        "print(len(rest), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = run_program(program)
    expected = "6 6\n" if end.startswith("list") else "0 0\n"
    assert (done.stdout, done.stderr) == (expected, "")


# --- several calls at once ------------------------------------------------------------------------


@pytest.mark.usefixtures("four_cores")
def test_many_calls_at_once_share_a_new_model(path):
    texts = [f"{text} word{index}" for index, text in enumerate(make_texts(3000))]
    expected = StaticModel.load(path).encode(texts)
    model = StaticModel.load(path)
    with ThreadPoolExecutor(8) as callers:
        calls = [
            callers.submit(model.encode, texts, batch_size=256, workers=1 + number % 4)
            for number in range(16)
        ]
        for call in calls:
            np.testing.assert_array_equal(call.result(), expected)


@pytest.mark.usefixtures("four_cores")
def test_streams_with_workers_may_alternate(model):
    texts = make_texts(300)
    streams = [model.encode_stream(texts, batch_size=20, workers=3) for _ in range(2)]
    blocks = list(itertools.chain.from_iterable(zip(*streams, strict=True)))
    np.testing.assert_array_equal(np.concatenate(blocks[::2]), model.encode(texts))
    np.testing.assert_array_equal(np.concatenate(blocks[1::2]), model.encode(texts))


class WrongLength(list):
    """A list whose length is not the number of its texts."""

    def __init__(self, texts, length):
        super().__init__(texts)
        self.length = length

    def __len__(self):
        return self.length


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("length", [0, 1, 1500, 4999, 9000])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_wrong_length_changes_nothing(model, workers, length, precision):
    texts = [f"w{i % 60} w{i % 7}" for i in range(5000)]
    expected = model.encode(texts, precision=precision)
    found = model.encode(WrongLength(texts, length), precision=precision, workers=workers)
    assert np.array_equal(found, expected)
