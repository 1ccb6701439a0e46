"""`num_proc`: how processes start, and what becomes of the parent when one of them ends by itself.

What may hang or run twice runs in a script of its own, without a `__main__` guard, as users write them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

HEAD = """
    import multiprocessing, os, sys, threading
    from pathlib import Path
    here = Path(sys.argv[1])
    with (here / "runs").open("a") as file:
        file.write("x")  # counts how often the script is run
    import rowstream
    from rowstream import Dataset
    rowstream.disable_progress_bars()
    rowstream.config.HF_DATASETS_CACHE = here / "cache"
    ds = Dataset.from_dict({"id": list(range(40))})
"""


def script(tmp_path, text, timeout=60, **env):
    """Runs a script; gives what it printed, what it complained, and how often it was run. Waits for all of its processes."""
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(HEAD) + textwrap.dedent(text))
    pipes = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "start_new_session": True,
    }
    with subprocess.Popen(
        [sys.executable, str(path), str(tmp_path)], env={**os.environ, **env}, **pipes
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(
                f"it hangs, or leaves processes that do: {process.communicate()[1][-2000:]}"
            )
    return out, err, len((tmp_path / "runs").read_text())


STEPS = {
    "map": "ds.map(lambda row: {'n': row['id'] + k}, num_proc=2)['n'][:] == list(range(k, 40 + k))",
    "batched map": "ds.map(lambda b: {'n': [i + k for i in b['id']]}, batched=True, num_proc=3)['n'][:] == list(range(k, 40 + k))",
    "filter": "ds.filter(lambda row: row['id'] > k, num_proc=2)['id'][:] == list(range(k + 1, 40))",
    "generator": (
        "Dataset.from_generator(lambda at, k: ({'id': i + k} for i in at), gen_kwargs={'at': list(range(10)), 'k': k}, num_proc=2)['id'][:]"
        " == list(range(k, 10 + k))"
    ),
}


@pytest.mark.heavy
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_processes_again_and_again_without_a_main_guard(tmp_path, step):
    """The last call's threads do not change how the next one starts its processes."""
    out, err, runs = script(tmp_path, f"for k in range(6):\n    print({step}, flush=True)\n")
    assert (out.split(), runs) == (["True"] * 6, 1), err[-2000:]


@pytest.mark.heavy
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_other_threads_do_not_have_the_script_run_again(tmp_path, step):
    """A thread of somebody else, as loggers and notebooks have them, is no reason to start otherwise."""
    text = f"""
    done = threading.Event()
    threading.Thread(target=done.wait, daemon=True).start()
    k = 1
    print({step}, flush=True)
    done.set()
    """
    out, err, runs = script(tmp_path, text)
    assert (out.split(), runs) == (["True"], 1), err[-2000:]


@pytest.mark.heavy
def test_a_builder_s_processes_start_so_too(tmp_path):
    """Files that a builder's code makes: `load_dataset(Builder, num_proc=2)` twice."""
    text = """
    from rowstream import DatasetInfo, Features, Value, load_dataset
    from rowstream.builder import GeneratorBasedBuilder
    from rowstream.splits import SplitGenerator
    class Count(GeneratorBasedBuilder):
        def _info(self):
            return DatasetInfo(features=Features({"n": Value("int64")}))
        def _split_generators(self, dl_manager):
            return [SplitGenerator(name="train", gen_kwargs={"at": list(range(6))})]
        def _generate_examples(self, at):
            for n in at:
                yield n, {"n": n}
    for k in range(2):
        made = load_dataset(Count, split="train", num_proc=2, cache_dir=str(here / f"cache{k}"))
        print(made["n"][:] == list(range(6)), flush=True)
    """
    out, err, runs = script(tmp_path, text)
    assert (out.split(), runs) == (["True", "True"], 1), err[-2000:]


@pytest.mark.heavy
def test_nothing_is_left_of_a_call(tmp_path):
    """Neither threads nor processes: what comes after may fork, or look at them."""
    text = """
    before = set(threading.enumerate())
    for k in range(2):
        ds.map(lambda row: {"n": row["id"] + k}, num_proc=2)
        print([one.name for one in threading.enumerate() if one not in before], multiprocessing.active_children(), flush=True)
    """
    out, err, _ = script(tmp_path, text)
    assert out.splitlines() == ["[] []"] * 2, err[-2000:]


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("chosen", "env", "expected"),
    [
        ("", {}, "fork"),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", {}, "fork"),
        ("multiprocessing.set_start_method('spawn')", {}, "spawn"),
        ("multiprocessing.set_start_method('spawn')", {"ROWSTREAM_START_METHOD": "fork"}, "fork"),
        ("", {"ROWSTREAM_START_METHOD": "spawn"}, "spawn"),
    ],
    ids=["nobody says", "a thread", "the program", "the environment first", "the environment"],
)
def test_how_processes_start(tmp_path, chosen, env, expected):
    """By a fork where there is one, unless the environment or the program says how."""
    text = f"""
    from rowstream.utils.processes import context
    {chosen}
    print(context().get_start_method())
    """
    out, err, _ = script(tmp_path, text, **env)
    assert out.split() == [expected], err[-2000:]


# ------------------------------------------------------------------------------------------------------- ends by itself

ENDS = {
    "map": "ds.map(end, num_proc=2)",
    "map of batches": "ds.map(lambda b: end({'id': 7 if 7 in b['id'] else 0}) and b, batched=True, batch_size=5, num_proc=2)",
    "filter": "ds.filter(end, num_proc=2)",
    "more parts than processes": "ds.map(end, num_proc=4)",
    "one process": "ds.map(end, num_proc=1)",
    "in memory": "ds.map(end, num_proc=2, keep_in_memory=True)",
    "generator": "Dataset.from_generator(lambda at: (end({'id': i}) for i in at), gen_kwargs={'at': list(range(40))}, num_proc=2)",
}


@pytest.mark.heavy
@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("work", ENDS.values(), ids=ENDS)
def test_a_process_that_ends_by_itself_is_an_error(tmp_path, work, code):
    """Whatever its exit code: `os._exit(0)` in a function, or in a library that it calls, is no result."""
    text = f"""
    def end(row):
        if row["id"] == 7:
            os._exit({code})
        return {{"n": row["id"]}}
    try:
        {work}
    except RuntimeError as error:
        print("RuntimeError", "died" in str(error), multiprocessing.active_children())
    """
    out, err, _ = script(tmp_path, text, timeout=20)
    assert out.split("\n")[0] == "RuntimeError True []", err[-2000:]


@pytest.mark.heavy
def test_a_result_that_cannot_be_sent_is_an_error(tmp_path):
    """It is no hang: what pickles results must not lose the error."""
    text = """
    from rowstream.utils.processes import run_in_processes
    made = {}
    try:
        run_in_processes([(0, lambda told: 1), (1, lambda told: threading.Lock())], 2, lambda n: None, made.__setitem__, "map")
    except Exception as error:
        print("pickle" in str(error))
    """
    out, err, _ = script(tmp_path, text, timeout=20)
    assert out.split() == ["True"], err[-2000:]


@pytest.mark.heavy
def test_the_files_of_what_was_done_stay(tmp_path):
    """After a process ended, the parts of the others are found again, and no half file stays."""
    text = """
    ds.save_to_disk(here / "ds")
    ds = rowstream.load_from_disk(here / "ds")
    def end(row):
        if row["id"] == 25 and not (here / "healed").exists():
            os._exit(0)
        with (here / "calls").open("a") as file:
            file.write("x")
        return {"n": row["id"]}
    try:
        ds.map(end, num_proc=1, new_fingerprint="one")
    except RuntimeError:
        print("error")
    (here / "healed").touch()
    print(ds.map(end, num_proc=1, new_fingerprint="one")["n"][:] == list(range(40)))
    print([path.name for path in (here / "ds").iterdir() if path.name.startswith(".rowstream-")])
    """
    out, err, _ = script(tmp_path, text, timeout=20)
    assert out.splitlines()[:2] == ["error", "True"], err[-2000:]


@pytest.mark.heavy
def test_processes_end_with_their_parent(tmp_path):
    """Whatever they are busy with: nobody waits for what they make."""
    text = """
    import signal
    def spin(row):
        if row["id"] == 20:
            os.kill(os.getppid(), signal.SIGKILL)
        while row["id"] in (0, 20):
            pass
    ds.map(spin, num_proc=2)
    """
    script(tmp_path, text, timeout=20)


@pytest.mark.heavy
@pytest.mark.parametrize("code", ["sys.exit(0)", "sys.exit('enough')"])
def test_a_function_that_ends_its_process_politely_is_an_error_too(tmp_path, code):
    """`sys.exit` in a process ends that process: the parent neither ends quietly nor has all rows."""
    text = f"""
    def end(row):
        if row["id"] == 7:
            {code}
    try:
        ds.map(end, num_proc=2)
    except RuntimeError as error:
        print("RuntimeError")
    """
    out, err, _ = script(tmp_path, text, timeout=20)
    assert out.split() == ["RuntimeError"], err[-2000:]


@pytest.mark.heavy
@pytest.mark.parametrize("how", ["cloudpickle", "dill"])
def test_functions_of_a_script_go_to_spawned_processes(tmp_path, how):
    """What another library pickled is read by that library."""
    pytest.importorskip(how)
    text = """
    if __name__ == "__main__":
        k = 3
        print(ds.map(lambda row: {"n": row["id"] + k}, num_proc=2)["n"][:] == list(range(3, 43)))
        made = Dataset.from_generator(lambda at: ({"n": i} for i in at), gen_kwargs={"at": [1, 2]}, num_proc=2)
        print(made["n"][:] == [1, 2])
    """
    out, err, _ = script(tmp_path, text, ROWSTREAM_START_METHOD="spawn")
    assert out.split() == ["True", "True"], err[-2000:]
