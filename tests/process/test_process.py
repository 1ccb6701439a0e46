"""What could hang or crash runs in a process of its own, with a limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import write_listing

pytestmark = pytest.mark.heavy

OPEN = """
import os, sys, signal, time, threading, multiprocessing, pickle
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a parent may have had ignored
from itertools import islice
from rowstream import load_dataset
ds = load_dataset("parquet", data_files=sys.argv[1] + "/*.parquet", split="train", streaming=True).shuffle(seed=5, buffer_size=500)
ids = lambda rows: [row["id"] for row in rows]
"""


@pytest.fixture
def run(tmp_path):
    write_listing(tmp_path, [300] * 40, files=4)

    def run(script, timeout=60, **kwargs):
        return subprocess.run(
            [sys.executable, "-c", OPEN + script, tmp_path],
            capture_output=True,
            text=True,
            timeout=timeout,
            **kwargs,
        )

    return run


def good(result):
    assert result.returncode == 0, result.stderr[-2000:]
    assert "panicked" not in result.stderr
    return result.stdout


def test_a_stream_goes_on_after_a_fork(run):
    good(
        run(
            """
whole = ids(ds)
rows = iter(ds)
assert ids(islice(rows, 777)) == whole[:777]
for _ in range(5):
    child = os.fork()
    if child == 0:
        ok = ids(rows) == whole[777:] and ids(ds) == whole
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0, "the child has the rest"
assert ids(rows) == whole[777:], "and so has the parent"
"""
        )
    )


def test_a_fork_in_the_middle_of_a_batch_loses_nothing(run):
    good(
        run(
            """
flat = lambda batches: [i for b in batches for i in b["id"]]
whole = flat(ds.iter(64))
batches = ds.iter(64)
head = flat(islice(batches, 9))
child = os.fork()
if child == 0:
    os._exit(0 if head + flat(batches) == whole else 1)
assert os.waitpid(child, 0)[1] == 0
assert head + flat(batches) == whole
"""
        )
    )


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_any_kind(run, method, tmp_path):
    script = tmp_path / "work.py"
    script.write_text(
        OPEN.replace("ids = lambda", "ids = lambda")
        + f"""
from rowstream import split_dataset_by_node
def work(part):
    return [row["id"] for row in part]
if __name__ == "__main__":
    whole = ids(ds)
    next(iter(ds))
    with multiprocessing.get_context({method!r}).Pool(3) as pool:
        parts = pool.map(work, [split_dataset_by_node(ds, c, 3) for c in range(3)])
    assert sorted(sum(parts, [])) == sorted(whole)
"""
    )
    good(
        subprocess.run(
            [sys.executable, script, tmp_path],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    )


@pytest.mark.parametrize(
    "left",
    [
        "rows = iter(ds); next(rows)",
        "batches = ds.iter(10); next(batches)",
        "import pyarrow as pa; r = pa.RecordBatchReader.from_stream(ds); r.read_next_batch()",
    ],
)
def test_exit_with_a_half_read_stream(run, left):
    good(run(left, timeout=20))


def test_threads_have_their_own_iterators(run):
    good(
        run(
            """
whole, got = ids(ds), []
threads = [threading.Thread(target=lambda: got.append(ids(ds.take(10**9)) == ids(ds.take(10**9)))) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
assert got == [True] * 4
"""
        )
    )


# A named pipe in place of a file gives no byte for as long as a test likes: a wait that never ends by itself.
STALLED = """
import sys, threading
import rowstream
try:
    print("ready", flush=True)  # a signal may come as soon as this is read
    ds = rowstream.load_dataset("parquet", data_files=[sys.argv[1]], split="train", streaming=True)
    {use}
except KeyboardInterrupt:
    print("interrupted", flush=True)
    import os
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_an_interrupt_is_answered_while_waiting(tmp_path):
    path = tmp_path / "a.parquet"
    os.mkfifo(path)
    # `data_files` takes files; the core is asked directly to open what never opens.
    script = STALLED.replace(
        'ds = rowstream.load_dataset("parquet", data_files=[sys.argv[1]], split="train", streaming=True)',
        "rowstream._core.scan([sys.argv[1]], 'parquet')",
    )
    with subprocess.Popen(
        [sys.executable, "-c", script.format(use="pass"), path], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        while process.poll() is None and time.monotonic() - began < 10:
            # Again and again, since the first may come before the wait begins.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(0.3)
            except subprocess.TimeoutExpired:
                continue
        assert process.returncode == 0
        assert process.stdout.read() == "interrupted\n"


def test_an_interrupt_is_answered_in_a_long_stream(run):
    out = good(
        run(
            """
import pyarrow as pa, _thread
def later():
    started.wait(); interrupted.append(time.monotonic()); os.kill(os.getpid(), signal.SIGINT)
for use in (lambda: [None for row in ds.repeat()], lambda: [None for b in ds.repeat().iter(100)], lambda: pa.table(ds.repeat())):
    started, interrupted = threading.Event(), []
    threading.Thread(target=later).start()
    try:
        started.set(); use()
    except (KeyboardInterrupt, OSError):
        took = time.monotonic() - interrupted[0]
        try:
            time.sleep(0)
        except KeyboardInterrupt:
            pass
        print(took < 2)
"""
        )
    )
    assert out.split() == ["True"] * 3


def test_memory_limit_is_checked(run):
    result = run("list(ds)", env={**os.environ, "ROWSTREAM_MEMORY": "lots"})
    assert "ROWSTREAM_MEMORY is 'lots'; expected bytes" in result.stderr.replace('"', "'")


def test_an_arrow_stream_goes_on_after_a_fork(run):
    good(
        run(
            """
import pyarrow as pa
reader = pa.RecordBatchReader.from_stream(ds)
head = reader.read_next_batch()["id"].to_pylist()
child = os.fork()
if child == 0:
    os._exit(0 if head + reader.read_all()["id"].to_pylist() == ids(ds) else 1)
assert os.waitpid(child, 0)[1] == 0
assert head + reader.read_all()["id"].to_pylist() == ids(ds)
"""
        )
    )


def test_a_signals_handler_may_ask_for_the_state(run):
    good(
        run(
            """
states = []
signal.signal(signal.SIGALRM, lambda *_: states.append(ds.state_dict()))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for _ in range(3):
    assert len(ids(ds)) == 12000
signal.setitimer(signal.ITIMER_REAL, 0)
assert states
"""
        )
    )


def test_a_local_file_that_shrinks_while_it_is_read(tmp_path):
    """An error that names it, and no signal: files of others are never mapped."""
    script = """
path = sys.argv[1] + "/long.jsonl"
with open(path, "w") as file:
    for i in range(400_000):
        file.write('{"id": %d, "text": "%s"}\\n' % (i, "x" * 100))
rows = iter(load_dataset("json", data_files=path, split="train", streaming=True))
first = ids(islice(rows, 10))
os.truncate(path, 1000)
try:
    rest = ids(rows)
except Exception as error:
    assert "long.jsonl" in str(error), error
    print(type(error).__name__)
else:
    raise SystemExit(f"{len(rest)} rows came, and no error")
"""
    write_listing(tmp_path, [1], files=1)
    done = subprocess.run(
        [sys.executable, "-c", OPEN + script, tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert good(done).strip() in ("SourceChangedError", "DataError", "OSError"), done.stdout
