"""Keras's `fit` over our batches: stopped anywhere, and gone on with."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from rowstream import Dataset
from rowstream.exceptions import CheckpointMismatchError, InvalidArgumentError
from rowstream.integrations.keras import KerasLoader

BACKENDS = [name for name in ("torch", "tensorflow", "jax") if find_spec(name)]
SCRIPT = """
import json, sys
import keras, rowstream
from rowstream.integrations.keras import KerasLoader

rows = {"id": list(range(100)), "x": [[float(i), 1.0] for i in range(100)], "y": [i % 2.0 for i in range(100)]}
table = rowstream.Dataset.from_dict(rows)
options = {"shuffle": True, "seed": 3}
streamed = {"stream": table.to_iterable_dataset(4).shuffle(seed=3), "table": table}

class Model(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
    def call(self, given):
        return self.dense(given["x"])

class Stop(keras.callbacks.Callback):
    def __init__(self, at):
        super().__init__()
        self.left = at
    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt

def loader(kind):
    return KerasLoader(streamed[kind], 8, inputs=["x", "id"], targets="y", **(options if kind == "table" else {}))

def taken(loader, n):
    return [batch[0]["id"].tolist() for batch, _ in zip(loader.batches(), range(n))]

for kind in streamed:
    expected = taken(loader(kind), 40)
    assert sorted(sum(expected[:13], [])) == list(range(100))
    assert expected[:13] != expected[13:26]
    for at in (1, 12, 13, 14, 20, 26):
        one = loader(kind)
        assert len(one) == 13
        model = Model()
        model.compile("sgd", "mse", jit_compile=False)
        try:
            model.fit(one.batches(), steps_per_epoch=13, epochs=3, shuffle=False, verbose=0,
                      callbacks=[one.callback("place.json", every=1), Stop(at)])
        except KeyboardInterrupt:
            pass
        following = loader(kind)
        following.load("place.json")
        assert taken(following, 5) == expected[at:at + 5], (kind, at)
        # A second `fit` of the same loader goes on where the first one was.
        assert taken(one, 5) == expected[at:at + 5], (kind, at)

    # As the documentation has it: the model and the place are of one step, whenever that is.
    for every in (5, 7, "epoch"):
        one = loader(kind)
        model = Model()
        model.compile("sgd", "mse", jit_compile=False)
        saved = keras.callbacks.ModelCheckpoint("w.weights.h5", save_freq=every, save_weights_only=True)
        steps, written = [], saved._save_model
        saved._save_model = lambda *a, **k: (steps.append(one.state_dict()), written(*a, **k))
        before = one.callback("place.json", every=every)
        try:
            model.fit(one.batches(), steps_per_epoch=13, epochs=3, shuffle=False, verbose=0,
                      callbacks=[before, saved, Stop(33)])
        except KeyboardInterrupt:
            pass
        assert len(steps) == {5: 6, 7: 4, "epoch": 2}[every], (every, len(steps))
        assert json.load(open("place.json")) == json.loads(json.dumps(steps[-1])), every

    # An iterator that is older, and one that is read beside, move nothing.
    one = loader(kind)
    old = one.batches()
    next(old)
    new = one.batches()
    first = next(new)[0]["id"].tolist()
    assert first == expected[0] and next(old, None) is None
    assert next(new)[0]["id"].tolist() == expected[1]

    if keras.backend.backend() == "torch":  # which has one batch in an execution
        continue
    # Several batches in one execution, and a place every five.
    one = loader(kind)
    model = Model()
    model.compile("sgd", "mse", jit_compile=False, steps_per_execution=3)
    try:
        model.fit(one.batches(), steps_per_epoch=12, epochs=1, shuffle=False, verbose=0,
                  callbacks=[one.callback("place.json", every=5), Stop(3)])
    except KeyboardInterrupt:
        pass
    following = loader(kind)
    following.load("place.json")
    assert taken(following, 2) == expected[6:8]
    assert taken(one, 2) == expected[9:11]
"""


@pytest.mark.heavy
@pytest.mark.skipif(find_spec("keras") is None, reason="Keras is not installed")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stop_loses_no_batch(tmp_path, backend):
    env = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr


def test_what_it_says_of_bad_arguments(tmp_path):
    ds = Dataset.from_dict({"x": [1, 2], "y": [0, 1]})
    with pytest.raises(InvalidArgumentError, match="NumPy"):
        KerasLoader(ds, inputs="x", format="torch")
    with pytest.raises(InvalidArgumentError, match="weights"):
        KerasLoader(ds, inputs="x", weights="y")
    with pytest.raises(
        InvalidArgumentError, match=r"no column \['z'\]; the columns are \['x', 'y'\]"
    ):
        next(KerasLoader(ds, inputs=["x", "z"]).batches())
    with pytest.raises(InvalidArgumentError, match="no rows"):
        next(KerasLoader(ds.select([]), inputs="x").batches())
    with pytest.raises(CheckpointMismatchError):
        KerasLoader(ds, inputs="x").load_state_dict({"epoch": 0})
    (tmp_path / "place.json").write_text("{")
    with pytest.raises(CheckpointMismatchError, match="no place"):
        KerasLoader(ds, inputs="x").load(str(tmp_path / "place.json"))


def test_a_place_of_other_batches():
    ds = Dataset.from_dict({"x": list(range(10))})
    one = KerasLoader(ds, 5, inputs="x")
    next(one.batches())
    one._moved(1)
    other = KerasLoader(ds, 8, inputs="x", drop_last=True)
    other.load_state_dict(one.state_dict())
    assert next(other.batches())[0].tolist() == list(range(8))


def test_parts_of_a_batch():
    ds = Dataset.from_dict({"x": [1, 2], "y": [0, 1], "w": [0.5, 1.0]})
    x, y, w = next(KerasLoader(ds, 2, inputs="x", targets=["y"], weights="w").batches())
    assert (x.tolist(), y["y"].tolist(), w.tolist()) == ([1, 2], [0, 1], [0.5, 1.0])
