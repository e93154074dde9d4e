"""Quality by the amount of the user's text, in addition to generated sequences.

    python benchmarks/text_amount.py --data ../shared        make, measure, write the results
    python benchmarks/text_amount.py --data ../shared --sentences 1000 5000

The script makes each model by the command, from DATA/text/cc.txt.gz, and measures it on the tasks
of DATA/eval. It keeps models and scores in the work folder, as quality.py does.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from harness import SHARED, check_clean, save
from quality import RESAMPLES, Scores, make, measured, summarized
from quality_models import Contestant, Maker

from staticemb_distiller.evaluation.scoring import SETTINGS

SENTENCES = (1_000, 5_000, 20_000, 100_000)
WITHOUT = "no text"


def contestants(maker: Maker, amounts: list[int]) -> list[Contestant]:
    """Return one model without text, and one for each amount of text."""
    text = maker.text("cc.txt.gz")
    made = [
        maker.ours(WITHOUT, "--dtype", "int8"),
        *(
            maker.ours(
                f"{amount:,} on top", "--text", text, "--limit", str(amount), "--dtype", "int8"
            )
            for amount in amounts
        ),
    ]
    return [replace(contestant, prefixes=False) for contestant in made]


def main() -> None:
    """Make and measure the models, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=SHARED, help="a folder with eval/ and text/")
    parser.add_argument("--work", type=Path, default=Path("build") / "text_amount")
    parser.add_argument("--teacher-cache", type=Path, help="(default: WORK/teacher)")
    parser.add_argument("--sentences", type=int, nargs="+", default=list(SENTENCES))
    options = parser.parse_args()
    check_clean()
    maker = Maker(options.data, options.work, None, options.teacher_cache)
    scores: dict[str, Scores] = {}
    facts = {}
    for contestant in contestants(maker, options.sentences):
        name = contestant.name
        print(f"== {name}", file=sys.stderr, flush=True)
        folder = options.work / name.replace(" ", "-").replace(",", "")
        folder.mkdir(parents=True, exist_ok=True)
        made, _ = make(contestant, folder)
        scores[name] = measured(contestant, made, options.data, folder)
        facts[name] = {"command": contestant.command, **contestant.facts(made)}
    save(
        "text_amount",
        {
            "teacher": maker.teacher_name,
            "resamples": RESAMPLES,
            "baseline": WITHOUT,
            "settings": dict(SETTINGS),
            "models": facts,
            "scores": summarized(scores, WITHOUT),
        },
    )


if __name__ == "__main__":
    main()
