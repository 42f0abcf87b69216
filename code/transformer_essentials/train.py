"""The training command: makes the weights that the chapters load, and trains on your own pairs.

    python -m transformer_essentials.train bahdanau --attention bahdanau --updates 2500
    python -m transformer_essentials.train mine --tsv pairs.tsv --folder my-weights

Beside the weights it writes a record: command, machine, seconds, curve, BLEU by length of the
source, vocabularies, checksum. With --try the weights are dropped, and the record is added to a
list of what was tried.
"""

import argparse
import json
import platform
import shlex
import sys
import time
from pathlib import Path

import torch

from . import weights
from .corpora import Pair, grammar, parallel
from .generation import translate
from .metrics import bleu
from .seq2seq import Seq2Seq
from .tokenizers import SPECIALS, Vocabulary
from .training import batches, train, translation_loss


LENGTHS = [(4, 9), (10, 14), (15, 19), (20, 24), (25, 29), (30, 39), (40, 49), (50, 60)]


def test_sentences(n: int = 100) -> dict[str, list[Pair]]:
    """Test pairs of the grammar by number of source words: {"4–9": n pairs, …, "50–60": …}."""
    return {
        f"{low}–{high}": grammar.pairs(
            n, seed=1, split="test", min_words=low, max_words=high, mean_words=None
        )
        for low, high in LENGTHS
    }


def bleu_by_length(model, source, target, tests, reverse: bool = False, beam: int = 1) -> dict:
    """BLEU for each group of :func:`test_sentences`; ``reverse`` reads the sources backwards."""
    scores = {}
    for length, pairs in tests.items():
        sources = [pair.source[::-1] if reverse else pair.source for pair in pairs]
        found = translate(model, sources, source, target, beam=beam, batch_size=100)
        scores[length] = bleu([words for words, _ in found], [pair.target for pair in pairs])
    return scores


def load_translator(name: str, folder: Path = weights.FOLDER):
    """A trained translator: model, source vocabulary, target vocabulary, record."""
    made = weights.record(name, folder)
    source, target = (Vocabulary(made[side]) for side in ("source_words", "target_words"))
    model = Seq2Seq(len(source), len(target), **made["model"])
    weights.load(name, model, folder)
    return model, source, target, made


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m transformer_essentials.train",
        description=__doc__.split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("name", help="what the weights are to be called")
    add("--attention", choices=["none", "bahdanau", "luong"], default="bahdanau")
    add("--score", choices=["dot", "general", "concat"], help="of Luong's attention")
    add("--no-input-feeding", action="store_true", help="of Luong's attention")
    add("--window", type=int, help="of Luong's local-p attention, words to each side")
    add("--cell", choices=["gru", "lstm"], default="gru")
    add("--embed", type=int, default=128, help="width of the word vectors")
    add("--width", type=int, default=128, help="width of the states")
    add("--reverse", action="store_true", help="read the source backwards")
    add("--tsv", type=Path, help="your own pairs, a tab between source and target")
    add("--pairs", type=int, default=50_000, help="pairs drawn from the controlled grammar")
    add("--max-words", type=int, default=50, help="of the grammar's sentences")
    add("--updates", type=int, default=1600)
    add("--batch-size", type=int, default=64)
    add("--lr", type=float, default=5e-3, help="peak learning rate")
    add("--warmup", type=int, default=100, help="updates")
    add("--seed", type=int, default=0)
    add("--threads", type=int, default=1, help="one is steadiest for recurrent models")
    add("--folder", type=Path, default=weights.FOLDER, help="where to write")
    add("--try", action="store_true", dest="only_try", help="keep the record, not the weights")
    return parser.parse_args(argv)


def machine() -> str:
    """What this runs on, in words."""
    names = [line for line in cpu_lines() if line.startswith("model name")]
    cpu = names[0].split(":")[1].strip() if names else platform.processor() or platform.machine()
    return f"{cpu}, torch {torch.__version__}, Python {platform.python_version()}"


def cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def main(argv: list[str] | None = None) -> dict:
    argv = sys.argv[1:] if argv is None else argv
    args = arguments(argv)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    if args.tsv:
        pairs = parallel.read_tsv(args.tsv)
    else:
        pairs = grammar.pairs(args.pairs, seed=args.seed, max_words=args.max_words)
    if args.reverse:
        pairs = [Pair(pair.source[::-1], pair.target) for pair in pairs]
    source = Vocabulary.from_texts(pair.source for pair in pairs)
    target = Vocabulary.from_texts(pair.target for pair in pairs)

    config = {
        "attention": None if args.attention == "none" else args.attention,
        "embed": args.embed,
        "width": args.width,
        "cell": args.cell,
    }
    if args.attention == "luong":
        config["score"] = args.score or "general"
        config["input_feeding"] = not args.no_input_feeding
        config["window"] = args.window
    model = Seq2Seq(len(source), len(target), **config)

    cpu = time.process_time()
    stream = batches(pairs, source, target, batch_size=args.batch_size, seed=args.seed)
    history = train(
        model, translation_loss, stream, updates=args.updates, lr=args.lr, warmup=args.warmup
    )
    cpu = time.process_time() - cpu
    smooth = history.smooth(50)
    every = max(1, args.updates // 100)
    record = {
        "command": "python -m transformer_essentials.train " + shlex.join(argv),
        "machine": machine(),
        "seconds": round(history.seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "updates": args.updates,
        "batch_size": args.batch_size,
        "pairs": len(pairs),
        "parameters": sum(p.numel() for p in model.parameters()),
        "reverse": args.reverse,
        "curve": {
            "update": list(range(every, args.updates + 1, every)),
            "loss": [round(x, 4) for x in smooth[every - 1 :: every]],
        },
        "model": config,
    }
    if not args.tsv:
        scores = bleu_by_length(model, source, target, test_sentences(), args.reverse)
        record["bleu"] = {length: round(score, 1) for length, score in scores.items()}
        print("BLEU by source words:", record["bleu"])
    if args.only_try:
        path = args.folder / "tries.json"
        tries = json.loads(path.read_text()) if path.exists() else []
        tries = [each for each in tries if each["command"] != record["command"]] + [record]
        path.write_text(json.dumps(tries, indent=1, ensure_ascii=False) + "\n")
        return record
    record["source_words"] = list(source.tokens[len(SPECIALS) :])
    record["target_words"] = list(target.tokens[len(SPECIALS) :])
    record = weights.save(args.name, model, record, args.folder)
    print(f"{args.name}: {record['bytes'] / 1e6:.1f} MB, {record['seconds']} s, loss {smooth[-1]:.3f}")
    return record


if __name__ == "__main__":
    main()
