"""What trainers and evaluation harnesses do with `datasets`, on tiny models: run by test_trainers.py through the alias."""

from __future__ import annotations

import json
import os
import random
import sys
import warnings
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="", TOKENIZERS_PARALLELISM="false")
warnings.filterwarnings("ignore")

import datasets  # noqa: E402  # what it is, is the alias's to say
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import (  # noqa: E402
    DataCollatorForLanguageModeling,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

FOLDER = Path(sys.argv[1])
CHAT, PREFERENCES = str(FOLDER / "chat.jsonl"), str(FOLDER / "preferences.jsonl")
WORDS = {
    word: i
    for i, word in enumerate(
        [
            "<unk>",
            "<pad>",
            "<s>",
            "</s>",
            "<|user|>",
            "<|assistant|>",
            *(f"w{i}" for i in range(50)),
        ]
    )
}


def tokenizer():
    words = Tokenizer(models.WordLevel(WORDS, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
    )
    made.chat_template = (
        "{% for m in messages %}{{ '<|' + m['role'] + '|> ' + m['content'] + ' ' }}{% endfor %}"
    )
    return made


TOKENIZER = tokenizer()
CONFIG = LlamaConfig(
    vocab_size=len(WORDS),
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=1,
    num_attention_heads=2,
    num_key_value_heads=2,
    max_position_embeddings=64,
    pad_token_id=1,
    bos_token_id=2,
    eos_token_id=3,
)


def written():
    rng = random.Random(0)

    def words(n):
        return " ".join(f"w{rng.randrange(50)}" for _ in range(n))

    def said(role, n):
        return [{"role": role, "content": words(n)}]

    chats = [{"messages": said("user", 4) + said("assistant", 5)} for _ in range(40)]
    pairs = [
        {
            "prompt": said("user", 4),
            "chosen": said("assistant", 4),
            "rejected": said("assistant", 4),
        }
        for _ in range(24)
    ]
    for path, rows in ((CHAT, chats), (PREFERENCES, pairs)):
        Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


def load(path, streaming=False):
    return datasets.load_dataset(
        "json", data_files=path, split="train", streaming=streaming, cache_dir=str(FOLDER / "cache")
    )


def model():
    return LlamaForCausalLM(CONFIG)


def arguments(**more):
    return {
        "output_dir": str(FOLDER / "out"),
        "max_steps": 3,
        "per_device_train_batch_size": 2,
        "report_to": [],
        "save_strategy": "no",
        "use_cpu": True,
        **more,
    }


def supervised(streaming=False, **more):
    from trl import SFTConfig, SFTTrainer

    config = SFTConfig(max_length=32, **arguments(**more))
    held = None if streaming else load(CHAT).select(range(6))
    return SFTTrainer(
        model=model(),
        args=config,
        train_dataset=load(CHAT, streaming),
        eval_dataset=held,
        processing_class=TOKENIZER,
    ).train()


def preferences():
    from trl import DPOConfig, DPOTrainer

    config = DPOConfig(max_length=32, **arguments())
    return DPOTrainer(
        model=model(),
        ref_model=model(),
        args=config,
        train_dataset=load(PREFERENCES),
        processing_class=TOKENIZER,
    ).train()


def rewards():
    from trl import RewardConfig, RewardTrainer

    judge = LlamaForSequenceClassification(LlamaConfig(**{**CONFIG.to_dict(), "num_labels": 1}))
    config = RewardConfig(max_length=32, **arguments())
    return RewardTrainer(
        model=judge, args=config, train_dataset=load(PREFERENCES), processing_class=TOKENIZER
    ).train()


def policies():
    from trl import GRPOConfig, GRPOTrainer

    config = GRPOConfig(num_generations=2, max_completion_length=4, **arguments())
    prompts = load(PREFERENCES).select_columns(["prompt"])
    judge = lambda completions, **_: [
        float(len(str(one))) for one in completions
    ]  # as trl takes it
    return GRPOTrainer(
        model=model(),
        args=config,
        train_dataset=prompts,
        processing_class=TOKENIZER,
        reward_funcs=judge,
    ).train()


def tokens(streaming=False):
    def tokenized(batch):
        return TOKENIZER(
            [" ".join(m["content"] for m in row) for row in batch["messages"]],
            truncation=True,
            max_length=16,
        )

    return load(CHAT, streaming).map(tokenized, batched=True, remove_columns=["messages"])


def trained(ds, **more):
    collate = DataCollatorForLanguageModeling(TOKENIZER, mlm=False)
    return Trainer(
        model=model(),
        args=TrainingArguments(**arguments(**more)),
        train_dataset=ds,
        data_collator=collate,
    ).train()


def accelerated():
    from accelerate import Accelerator
    from accelerate.data_loader import prepare_data_loader
    from torch.utils.data import DataLoader

    shards = list(range(8))
    made = datasets.IterableDataset.from_generator(
        lambda shards: ({"x": s} for s in shards for _ in range(4)), gen_kwargs={"shards": shards}
    )
    got = []
    for rank in range(2):
        loader = prepare_data_loader(
            DataLoader(made.with_format("torch"), batch_size=2),
            num_processes=2,
            process_index=rank,
            put_on_device=False,
        )
        got += [x for batch in loader for x in batch["x"].tolist()]
    assert sorted(got) == sorted(shards * 4)
    accelerator = Accelerator(cpu=True)
    with accelerator.split_between_processes(load(CHAT)) as part:
        assert len(part) == 40
    numbers = (
        load(CHAT)
        .map(lambda row: {"n": len(row["messages"])}, remove_columns=["messages"])
        .with_format("torch")
    )
    assert (
        sum(
            len(batch["n"])
            for batch in accelerator.prepare(DataLoader(numbers, batch_size=4, shuffle=True))
        )
        == 40
    )


CASES = {
    "sft": supervised,
    "sft, packing, processes": lambda: supervised(packing=True, dataset_num_proc=2),
    "sft, a stream": lambda: supervised(streaming=True),
    "sft, a stream, packing": lambda: supervised(streaming=True, packing=True),
    "dpo": preferences,
    "reward": rewards,
    "grpo": policies,
    "trainer, workers": lambda: trained(tokens(), dataloader_num_workers=2),
    "trainer, a stream, workers": lambda: trained(tokens(streaming=True), dataloader_num_workers=2),
    "accelerate": accelerated,
}

if __name__ == "__main__":
    assert datasets.Dataset.__module__.startswith("rowstream."), datasets
    written()
    for case in CASES:
        CASES[case]()
        print(f"done: {case}", flush=True)
