"""Whole processes: `import`, the first row of a local file, and 120,000 chat rows, everything counted."""

DATA = "chat"
PEERS = ("rowstream", "datasets")
COMMANDS = {
    "import": "import {module}",
    "first row": "from {module} import load_dataset; next(iter(load_dataset('parquet', data_files=[{files!r}[0]], split='train', streaming=True)))",
    "120,000 rows": "from {module} import load_dataset\nfor row in load_dataset('parquet', data_files={files!r}, split='train', streaming=True): pass",
    "120,000 lines": "from {module} import load_dataset\nfor row in load_dataset('json', data_files=[f.replace('/chat/', '/chat_lines/').replace('.parquet', '.jsonl') for f in {files!r}], split='train', streaming=True): pass",
}
REACH = {"import": "60 ms", "first row": "150 ms", "120,000 rows": "16 × datasets"}
