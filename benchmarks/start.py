"""From nothing to the first vector: seconds and memory of fresh processes; bytes installed.

The floor is `python -c "import numpy"`. Memory is the peak resident set.
"""

from __future__ import annotations

import compileall
import importlib.metadata
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import contestants
import harness

REPETITIONS = 15
# Not ru_maxrss, which a child inherits from the process that started it.
_PEAK = (
    "; print(next(int(line.split()[1]) for line in open('/proc/self/status')"
    " if line.startswith('VmHWM')))"
)
TEXT = "a first text"
# Is not answered before `tokenizers` is imported and has read its vocabulary.
ACCENTED = "a first résumé"


def main() -> None:
    """Run and save."""
    harness.one_core()
    # As pip leaves every installed package, the peers' among them.
    compileall.compile_dir(str(harness.ROOT / "runtime" / "src"), quiet=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        int8 = contestants.write_file(folder, "int8")
        float32 = contestants.write_file(folder, "float32")
        _save_model2vec(folder / "model2vec")
        unigram_json = folder / "unigram.json"
        unigram = _unigram(folder, unigram_json)
        load = "from staticemb_runtime import StaticModel; StaticModel.load({!r}).encode({!r})"
        peer = "from model2vec import StaticModel; StaticModel.from_pretrained({!r}).encode({!r})"
        programs = {
            "python alone": "pass",
            "import numpy": "import numpy",
            "ours int8": load.format(str(int8), TEXT),
            "ours int8, accented text": load.format(str(int8), ACCENTED),
            "ours float32": load.format(str(float32), TEXT),
            "model2vec float32": peer.format(str(folder / "model2vec"), TEXT),
            "ours int8, 250,000 Unigram tokens": load.format(str(unigram), TEXT),
            "tokenizers alone, the same 250,000": (
                f"from tokenizers import Tokenizer; Tokenizer.from_file({str(unigram_json)!r})"
            ),
        }
        seconds: dict[str, list[float]] = {name: [] for name in programs}
        peaks: dict[str, list[int]] = {name: [] for name in programs}
        for _ in range(REPETITIONS):
            for program, code in programs.items():
                start = time.perf_counter()
                peak = harness.in_fresh_process(code + _PEAK)
                seconds[program].append(time.perf_counter() - start)
                peaks[program].append(int(peak) * 1024)
    rows: dict[str, Any] = {}
    floor = seconds["import numpy"]
    for program in programs:
        rows[program] = {
            "seconds": round(statistics.median(seconds[program]), 4),
            "times_import_numpy": harness.ratio(seconds[program], floor),
            "peak_megabytes": round(statistics.median(peaks[program]) / 1e6, 1),
        }
        row = rows[program]
        times = row["times_import_numpy"]["median"]
        print(
            f"  {program:36} {row['seconds'] * 1e3:8.1f} ms  ×{times:.2f} of import numpy"
            f"   peak {row['peak_megabytes']:.1f} MB"
        )
    runtime = {"staticemb-runtime": _bytes((harness.ROOT / "runtime" / "src").rglob("*"))}
    installed = {
        "ours": runtime | _closure("numpy") | _closure("tokenizers"),
        "ours, --no-deps": runtime | _installed(("numpy", "tokenizers")),
        "model2vec": _closure("model2vec"),
        "sentence-transformers": _closure("sentence-transformers"),
    }
    for name, sizes in installed.items():
        print(f"  {name}: {sum(sizes.values()) / 1e6:,.1f} MB installed")
    harness.save("start", {"rows": rows, "installed_bytes": installed})


def _save_model2vec(folder: Path) -> None:
    from model2vec import StaticModel
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(contestants.tokenizer_json().decode())
    StaticModel(contestants.table(), tokenizer, normalize=True).save_pretrained(folder)


def _unigram(folder: Path, tokenizer_json: Path) -> Path:
    """A file with a Unigram vocabulary as large as XLM-R's, of made-up pieces, and its JSON."""
    import json
    import random

    import numpy as np

    from staticemb_distiller.write import Parts, Settings, write

    rng = random.Random(0)
    pieces = {"<unk>": 0.0, "▁": -2.0}
    alphabet = "abcdefghijklmnopqrstuvwxyzäöüéèñçабвгдежзиклмнопрст"
    for letter in alphabet:
        pieces[letter] = -12.0
    while len(pieces) < 250_000:
        piece = "".join(rng.choices(alphabet, k=rng.randint(2, 9)))
        pieces.setdefault(("▁" if rng.random() < 0.6 else "") + piece, -rng.uniform(5, 14))
    definition = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 0, "vocab": list(pieces.items())},
    }
    table = np.random.default_rng(0).integers(-127, 128, (250_000, 256)).astype(np.int8)
    path = folder / "unigram.staticemb"
    tokenizer = json.dumps(definition, ensure_ascii=False).encode()
    tokenizer_json.write_bytes(tokenizer)
    scale = np.full(256, 0.01, np.float32)
    write(path, Parts(table, tokenizer, scale=scale), Settings(unknown_token_id=0))
    return path


def _installed(packages: tuple[str, ...]) -> dict[str, int]:
    """Bytes on disk of installed packages, byte code left out."""
    sizes = {}
    for package in packages:
        try:
            files = importlib.metadata.distribution(package).files or []
        except importlib.metadata.PackageNotFoundError:
            continue
        sizes[package] = _bytes(Path(str(file.locate())) for file in files)
    return sizes


def _bytes(paths: Iterable[Path]) -> int:
    files = [path for path in paths if path.is_file() and path.suffix != ".pyc"]
    return sum(path.stat().st_size for path in files)


def _closure(package: str) -> dict[str, int]:
    """A package and all it pulls in, as pip resolves it here."""
    report = subprocess.run(
        [sys.executable, "-m", "pip", "show", package], capture_output=True, text=True, check=False
    )
    if report.returncode:
        return {}
    seen: set[str] = set()
    queue = [package]
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        seen.add(name)
        for need in needs:
            if "extra ==" not in need:
                bare = need.split(";")[0]
                for sign in "<>=!~[( ":
                    bare = bare.split(sign)[0]
                queue.append(bare.strip().lower().replace("_", "-"))
    return _installed(tuple(sorted(seen)))


if __name__ == "__main__":
    main()
