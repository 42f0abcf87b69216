"""The training command: the chapters' translators, and every other model, on your own files.

    python -m transformer_essentials.train bahdanau --attention bahdanau --updates 2500
    python -m transformer_essentials.train mine --tsv pairs.tsv --folder my-weights
    python -m transformer_essentials.train small --model bert --text *.txt --updates 5000
    torchrun --nproc-per-node 2 -m transformer_essentials.train big --model gpt2 --preset small \\
        --text *.txt --precision bfloat16 --checkpoint big.pt

A translator of words (--model translator, the recurrent one, or transformer, that of 2017) learns
from --tsv pairs, or from a controlled grammar. It writes NAME.safetensors and NAME.json, a record:
command, machine, seconds, curve, BLEU by length of the source, vocabularies, checksum. With --try
the weights are dropped, and the record is added to a list of what was tried.

Any other model learns from --text what its paper pretrains it for: UTF-8, a text is a paragraph
where a file has empty lines, otherwise a line. CTRL takes its control codes, mBART its languages
from the names of the files. From --tsv learn marian and, best from a --start, bart, mbart, t5
(mbart from a file called like en-fr.tsv). mae learns from --images, or from scikit-learn's digits.
Written is a folder NAME: config.json and model.safetensors, which checkpoints.from_pretrained and
Hugging Face load, tokenizer.json, record.json; for electra also the folder NAME/generator. One text
in twenty is held out, to measure the loss on before and after.
"""

import argparse
import json
import shlex
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist

from . import pretrain, weights
from .corpora import Pair, grammar, parallel
from .generation import translate
from .metrics import bleu
from .seq2seq import Seq2Seq
from .tokenizers import KINDS, SPECIALS, Vocabulary
from .training import batches, processes, train, translation_loss
from .transformer import Transformer
from .weights import machine


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
    kind = Transformer if made.get("kind") == "transformer" else Seq2Seq
    model = kind(len(source), len(target), **made["model"])
    weights.load(name, model, folder)
    return model, source, target, made


class Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """The description as it stands; defaults, where there is one."""

    def _get_help_string(self, action):
        plain = action.default is None or action.default is False
        return action.help if plain else super()._get_help_string(action)


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m transformer_essentials.train", usage="%(prog)s NAME [OPTION ...]",
        description=__doc__, formatter_class=Help,
    )  # fmt: skip
    add = parser.add_argument
    add("name", help="what the weights are to be called")
    models = ["translator", "transformer", *pretrain.MODELS]
    add("--model", choices=models, default="translator", help=", ".join(models), metavar="MODEL")
    # fmt: off
    add("--folder", type=Path,
        help="where to write (default: translators among the chapters' weights, others here)")
    add("--start", type=Path, metavar="FOLDER",
        help="go on from these weights with their tokenizer; not for translators")
    # fmt: on

    add = parser.add_argument_group("what to learn from").add_argument
    add("--text", type=Path, nargs="+", metavar="FILE", help="text in UTF-8")
    add("--tsv", type=Path, help="your own pairs, a tab between source and target")
    add("--images", type=Path, nargs="+", metavar="FILE", help="for mae, --length pixels a side")
    add("--teacher", type=Path, metavar="FOLDER", help="for distilbert: a BERT of this command")
    add("--pairs", type=int, default=50_000, help="of the controlled grammar, without --tsv")
    add("--max-words", type=int, default=50, help="of the grammar's sentences")

    add = parser.add_argument_group("sizes").add_argument
    add("--preset", help="a published size, by its name in the model's file, in place of these")
    add("--width", type=int, default=128, help="of the states")
    add("--layers", type=int, default=2, help="in each stack; not of the recurrent translator")
    add("--heads", type=int, default=4, help="in each layer; not of the recurrent translator")
    add("--length", type=int, default=128, help="tokens at a time; not of translators")
    add("--vocabulary", type=int, default=4000, help="tokens at most; not of translators")
    add("--tokenizer", choices=KINDS, help="in place of the model's own kind")

    add = parser.add_argument_group("the run").add_argument
    add("--updates", type=int, default=1600, help="steps of the optimizer")
    add("--batch-size", type=int, default=64, help="rows, pairs or images a batch and process")
    add("--lr", type=float, help="peak learning rate (default: 0.001, recurrent 0.005)")
    add("--warmup", type=int, default=100, help="updates")
    add("--weight-decay", type=float, default=0.0, help="as in AdamW")
    add("--accumulate", type=int, default=1, help="batches that make one update")
    add("--precision", choices=pretrain.PRECISIONS, default="float32", help="of what bears less")
    add("--checkpoint", type=Path, metavar="FILE", help="save the run here, and go on from here")
    add("--save-every", type=int, default=500, help="updates between saves")
    add("--seed", type=int, default=0, help="of weights, batches and masks")
    add("--threads", type=int, default=1, help="one is steadiest for recurrent models")

    add = parser.add_argument_group("the recurrent translator").add_argument
    add("--attention", choices=["none", "bahdanau", "luong"], default="bahdanau", help="whose")
    add("--score", choices=["dot", "general", "concat"], help="of Luong's attention")
    add("--no-input-feeding", action="store_true", help="of Luong's attention")
    add("--window", type=int, help="of Luong's local-p attention, words to each side")
    add("--cell", choices=["gru", "lstm"], default="gru", help="what its layers are made of")
    add("--embed", type=int, default=128, help="width of the word vectors")
    add("--reverse", action="store_true", help="read the source backwards")
    add("--try", action="store_true", dest="only_try", help="keep the record, not the weights")
    args = parser.parse_args(argv)
    translator = args.model in ("translator", "transformer")
    args.folder = args.folder or (weights.FOLDER if translator else Path())
    args.lr = args.lr or (5e-3 if args.model == "translator" else 1e-3)
    return args


def main(argv: list[str] | None = None) -> dict:
    argv = sys.argv[1:] if argv is None else argv
    args = arguments(argv)
    return (pretrain.run if args.model in pretrain.MODELS else run)(args, argv)


def run(args: argparse.Namespace, argv: list[str]) -> dict:
    """Train a translator of words, write its weights and its record."""
    if args.text or args.start or args.preset:
        raise ValueError(f"a {args.model} takes no --text, --start or --preset; see --help")
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

    if args.model == "transformer":
        config = dict(
            width=args.width, n_heads=args.heads, n_layers=args.layers, ff_width=4 * args.width
        )
        model = Transformer(len(source), len(target), **config)
    else:
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
    with processes() as device:
        history = train(model.to(device), translation_loss, stream, **pretrain.options(args))
        first = not dist.is_initialized() or dist.get_rank() == 0
    model.cpu()
    cpu = time.process_time() - cpu
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
        "curve": history.curve(),
        "model": config,
    }
    if args.model == "transformer":
        record["kind"] = args.model
    if not first:
        return record
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
    loss = record["curve"]["loss"][-1]
    print(f"{args.name}: {record['bytes'] / 1e6:.1f} MB, {record['seconds']} s, loss {loss:.3f}")
    return record


if __name__ == "__main__":
    try:
        main()
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
