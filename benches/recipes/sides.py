"""The code of both sides of each recipe."""

from __future__ import annotations

from benches.recipes import peers

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\\n"
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}\\n"
    "{% else %}{{ m.content }}<|im_end|>\\n{% endif %}{% endfor %}"
)

CHAT = {
    "rowstream": f"""
    import torch
    ds = p.load_dataset("json", data_files=folder + "/chats.jsonl", split="train", streaming=True)
    ds = ds.apply_chat_template("{CHATML}", tokenizer=folder + "/tokenizer.json", assistant_mask=True)
    ds = ds.pack(2048, "bfd")
    def work():
        sums = []
        for batch in p.DataLoader(ds, batch_size=8):
            sums.append((int(batch["input_ids"].sum()), int(batch["assistant_masks"].sum())))
        return sums
    def shown(sums):
        return sums
""",
    "datasets": f"""
    import torch
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast
    from trl import pack_dataset
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_file(folder + "/tokenizer.json"))
    tokenizer.chat_template = "{CHATML}"
    def encode(row):
        made = tokenizer.apply_chat_template(
            row["messages"], tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        return {{"input_ids": made["input_ids"], "assistant_masks": made["assistant_masks"]}}
    def padded(rows):
        return {{
            name: torch.nn.utils.rnn.pad_sequence([torch.tensor(row[name]) for row in rows], True)
            for name in ("input_ids", "assistant_masks")
        }}
    def work():
        ds = p.load_dataset("json", data_files=folder + "/chats.jsonl", split="train", streaming=True)
        ds = pack_dataset(ds.map(encode, remove_columns=["messages"]), 2048, "bfd")
        sums = []
        for batch in torch.utils.data.DataLoader(ds, batch_size=8, collate_fn=padded):
            sums.append((int(batch["input_ids"].sum()), int(batch["assistant_masks"].sum())))
        return sums
    def shown(sums):
        return sums
""",
}

PAIRS = {
    "rowstream": """
    import torch
    ds = p.load_dataset("json", data_files=folder + "/pairs.jsonl", split="train", streaming=True)
    for name in ("chosen", "rejected"):
        ds = ds.tokenize(folder + "/tokenizer.json", name, name + "_input_ids")
    def work():
        return [
            [int(batch[name].sum()) for name in ("chosen_input_ids", "rejected_attention_mask")]
            for batch in p.DataLoader(ds, batch_size=16)
        ]
    def shown(sums):
        return sums
""",
    "datasets": """
    import torch
    from tokenizers import Tokenizer
    from torch.nn.utils.rnn import pad_sequence
    tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
    def encode(batch):
        return {
            name + "_input_ids": [one.ids for one in tokenizer.encode_batch(batch[name])]
            for name in ("chosen", "rejected")
        }
    def padded(rows):
        made = {}
        for name in ("chosen", "rejected"):
            ids = [torch.tensor(row[name + "_input_ids"]) for row in rows]
            made[name + "_input_ids"] = pad_sequence(ids, True)
            made[name + "_attention_mask"] = pad_sequence([torch.ones_like(one) for one in ids], True)
        return made
    def work():
        ds = p.load_dataset("json", data_files=folder + "/pairs.jsonl", split="train", streaming=True)
        ds = ds.map(encode, batched=True, remove_columns=["chosen", "rejected"])
        return [
            [int(batch[name].sum()) for name in ("chosen_input_ids", "rejected_attention_mask")]
            for batch in torch.utils.data.DataLoader(ds, batch_size=16, collate_fn=padded)
        ]
    def shown(sums):
        return sums
""",
}

SUMS = """
    def shown(sums):
        return sums
"""


def ids(file: str) -> dict[str, str]:
    """Rows of 2,049 ids, in batches of 8."""
    opened = f"""
    import torch
    ds = p.load_dataset("parquet", data_files=folder + "/{file}.parquet", split="train", streaming=True)
"""
    return {
        "rowstream": opened
        + """
    def work():
        return [int(batch["input_ids"].sum()) for batch in p.DataLoader(ds, batch_size=8)]
"""
        + SUMS,
        "datasets": opened
        + """
    def work():
        loader = torch.utils.data.DataLoader(ds.with_format("torch"), batch_size=8)
        return [int(batch["input_ids"].sum()) for batch in loader]
"""
        + SUMS,
        "pyarrow": f"""
    import torch
    import pyarrow.parquet as pq
    def work():
        sums = []
        for batch in pq.ParquetFile(folder + "/{file}.parquet").iter_batches(8):
            ids = torch.from_numpy(batch.column(0).flatten().to_numpy().copy())
            sums.append(int(ids.view(len(batch), -1).sum()))
        return sums
"""
        + SUMS,
        **peers.ids(file),
    }


# What one writes without a library: a dataset that reads the file, and gives the rows as dicts.
TRIVIAL = """
    import pyarrow.parquet as pq
    class Rows(p.utils.data.IterableDataset):
        def __init__(self, rows=None, function=dict):
            self.rows, self.function = rows, function
        def __iter__(self):
            worker, i = p.utils.data.get_worker_info(), 0
            for batch in pq.ParquetFile(folder + "/numbers.parquet").iter_batches(10_000):
                for row in batch.to_pylist():
                    if i == self.rows:
                        return
                    if worker is None or i % worker.num_workers == worker.id:
                        yield self.function(row)
                    i += 1
"""


def numbers() -> dict[str, str]:
    """Three columns of numbers, in batches of 256."""
    opened = """
    import torch
    ds = p.load_dataset("parquet", data_files=folder + "/numbers.parquet", split="train", streaming=True)
"""
    return {
        "rowstream": opened
        + """
    def work():
        return [float(batch["b"].sum()) for batch in p.DataLoader(ds, batch_size=256)]
"""
        + SUMS,
        "datasets": opened
        + """
    def work():
        loader = torch.utils.data.DataLoader(ds.with_format("torch"), batch_size=256)
        return [float(batch["b"].sum()) for batch in loader]
"""
        + SUMS,
        "torchdata": opened.replace("p.load", "datasets.load").replace("torch\n", "datasets\n", 1)
        + """
    from torchdata.stateful_dataloader import StatefulDataLoader
    def work():
        loader = StatefulDataLoader(ds.with_format("torch"), batch_size=256)
        return [float(batch["b"].sum()) for batch in loader]
"""
        + SUMS,
        "torch": TRIVIAL
        + """
    def work():
        floats = lambda row: {name: np.float32(value) for name, value in row.items()}
        loader = p.utils.data.DataLoader(Rows(function=floats), batch_size=256)
        return [float(batch["b"].sum()) for batch in loader]
"""
        + SUMS,
    }


def table(size: int) -> dict[str, str]:
    """A table of texts, tokenized, shuffled by torch's loader."""
    loaded = """
    import torch
    ds = p.load_dataset("json", data_files=folder + "/pairs.jsonl", split="train")
"""
    work = f"""
    ds = ds.with_format("torch")
    from torch.nn.utils.rnn import pad_sequence
    def padded(rows):
        return pad_sequence([row["input_ids"] for row in rows], True)
    def work():
        torch.manual_seed(0)
        loader = torch.utils.data.DataLoader(ds, batch_size={size}, shuffle=True, collate_fn=padded)
        return [int(batch.sum()) for batch in loader]
"""
    return {
        "rowstream": loaded
        + """
    ds = ds.tokenize(folder + "/tokenizer.json", "chosen").select_columns(["input_ids"])
"""
        + work
        + SUMS,
        "datasets": loaded
        + """
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
    def encode(batch):
        return {"input_ids": [one.ids for one in tokenizer.encode_batch(batch["chosen"])]}
    ds = ds.map(encode, batched=True, remove_columns=["chosen", "rejected"])
"""
        + work
        + SUMS,
    }


SLOW = """
    import torch, time
    def slow(row):
        end = time.perf_counter() + 50e-6
        while time.perf_counter() < end:
            pass
        return {"sum": row["a"] + row["b"]}
"""
FUNCTION = (
    SLOW
    + """
    ds = p.load_dataset("parquet", data_files=folder + "/numbers.parquet", split="train", streaming=True)
    ds = ds.take(40_000)
"""
)
FUNCTIONS = {
    "rowstream": FUNCTION
    + """
    def work():
        loader = p.DataLoader(ds.map(slow, num_proc=2), batch_size=64)
        return sorted(round(float(x), 5) for batch in loader for x in batch["sum"])
"""
    + SUMS,
    "datasets": FUNCTION
    + """
    def work():
        loader = torch.utils.data.DataLoader(ds.map(slow), batch_size=64, num_workers=2)
        return sorted(round(float(x), 5) for batch in loader for x in batch["sum"])
"""
    + SUMS,
    "torch": SLOW
    + TRIVIAL
    + """
    def work():
        loader = p.utils.data.DataLoader(Rows(40_000, slow), batch_size=64, num_workers=2)
        return sorted(round(float(x), 5) for batch in loader for x in batch["sum"])
"""
    + SUMS,
}

RECIPES = {
    "chat": ("6,000 chats, template, mask, packed, torch", CHAT),
    "pairs": ("8,000 pairs of texts, ids, padded, torch", PAIRS),
    "ids": ("4,000 rows of 2,049 ids, zstd, torch", ids("ids")),
    "plain": ("4,000 rows of 2,049 ids, plain, torch", ids("plain")),
    "table": ("a tokenized table, batches of 8, torch", table(8)),
    "table32": ("a tokenized table, batches of 32, torch", table(32)),
    "numbers": ("60,000 rows of 3 numbers, batches of 256", numbers()),
    "functions": ("40,000 rows, a function of 50 µs, 2 processes", FUNCTIONS),
}
