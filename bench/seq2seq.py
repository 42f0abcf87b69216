"""Our recurrent translator beside two well-known ones, on the same pairs for the same CPU time.

    python bench/seq2seq.py --seconds 120 --d2l FOLDER --tutorial FILE

FOLDER is a clone of *Dive into Deep Learning* (github.com/d2l-ai/d2l-en), FILE the PyTorch
tutorial on translation (intermediate_source/seq2seq_translation_tutorial.py of
github.com/pytorch/tutorials, version of 2023 or later). Each is left out where it isn't given.

All train on the same batches (sentences of like length together, which their own pipelines
don't do) with one thread, and translate the same test sentences greedily. The peers run with the
hyperparameters that their authors publish, for other data; ours were chosen on this data. The
row "at D2L's size" is ours with D2L's widths, batch and learning rate, for a comparison of speed.
"""

import argparse
import ast
import json
import re
import sys
import time
import types
from pathlib import Path
from unittest.mock import MagicMock

import torch
import torch.nn.functional as F
from torch import nn

from transformer_essentials.corpora import grammar
from transformer_essentials.generation import greedy, pad
from transformer_essentials.metrics import bleu
from transformer_essentials.seq2seq import Seq2Seq
from transformer_essentials.tokenizers import BOS, EOS, PAD, Vocabulary
from transformer_essentials.train import machine
from transformer_essentials.training import batches, translation_loss


class Ours:
    def __init__(self, source_words, target_words, *, embed, width, batch_size, lr):
        self.batch_size, self.lr = batch_size, lr
        self.model = Seq2Seq(source_words, target_words, embed=embed, width=width)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr, weight_decay=0, fused=True)
        self.configuration = (
            f"Bahdanau's attention, bidirectional GRU, embed {embed}, width {width}, "
            f"batch {batch_size}, Adam {lr} falling linearly to 0, clip 1"
        )

    def step(self, batch, used):
        loss = translation_loss(self.model, batch)
        self.optimizer.param_groups[0]["lr"] = self.lr * max(0.0, 1 - used)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    def translate(self, source, max_length):
        return [hypothesis.ids for hypothesis in greedy(self.model, source, max_length)]


class DiveIntoDeepLearning:
    """Their modules, unchanged, as chapter 11.4 of the book configures them."""

    batch_size = 128
    configuration = (
        "d2l's Seq2SeqEncoder and Seq2SeqAttentionDecoder as in its chapter on Bahdanau attention: "
        "embed 256, width 256, 2 layers, dropout 0.2, batch 128, Adam 0.005, clip 1"
    )

    def __init__(self, folder: Path, source_words, target_words):
        d2l = load_d2l(folder)
        self.encoder = d2l.Seq2SeqEncoder(source_words, 256, 256, 2, 0.2)
        self.decoder = d2l.Seq2SeqAttentionDecoder(target_words, 256, 256, 2, 0.2)
        self.model = nn.ModuleList([self.encoder, self.decoder])
        self.optimizer = None  # made at the first step: their layers are lazy

    def logits(self, source, target_in):
        lengths = (source != PAD).sum(1)
        state = self.decoder.init_state(self.encoder(source, lengths), lengths)
        return self.decoder(target_in, state)[0]

    def step(self, batch, used):
        logits = self.logits(batch.source, batch.target_in).flatten(0, 1)
        loss = F.cross_entropy(logits, batch.target_out.flatten(), ignore_index=PAD)
        self.optimizer = self.optimizer or torch.optim.Adam(self.model.parameters(), lr=0.005)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    @torch.inference_mode()
    def translate(self, source, max_length):
        lengths = (source != PAD).sum(1)
        state = self.decoder.init_state(self.encoder(source, lengths), lengths)
        words = [torch.full((len(source), 1), BOS)]
        for _ in range(max_length):
            logits, state = self.decoder(words[-1], state)
            words.append(logits.argmax(-1))
        return torch.cat(words[1:], 1).tolist()


def load_d2l(folder: Path):
    """d2l/torch.py, its unneeded imports stubbed, and the decoder that the chapter defines."""
    module = types.ModuleType("d2l.torch")
    sys.modules[module.__name__] = module
    code = compile((folder / "d2l/torch.py").read_text(), "d2l/torch.py", "exec")
    while True:
        try:
            exec(code, module.__dict__)
            break
        except ModuleNotFoundError as missing:
            sys.modules[missing.name] = MagicMock()
    name = "chapter_attention-mechanisms-and-transformers/bahdanau-attention.md"
    chapter = (folder / name).read_text()
    blocks = re.findall(r"%%tab pytorch\n(class Seq2SeqAttentionDecoder.*?)```", chapter, re.S)
    exec(blocks[0], module.__dict__, module.__dict__)
    return module


class Tutorial:
    """The tutorial's encoder and decoder, unchanged, trained as its train_epoch does."""

    batch_size = 32
    configuration = (
        "the PyTorch tutorial's EncoderRNN and AttnDecoderRNN: width 128, dropout 0.1, batch 32, "
        "Adam 0.001 for each, no clipping, loss on padding too"
    )

    def __init__(self, file: Path, source_words, target_words):
        self.names = {
            "torch": torch, "nn": nn, "F": F, "device": "cpu", "SOS_token": BOS, "MAX_LENGTH": 0,
        }  # fmt: skip
        wanted = {"EncoderRNN", "BahdanauAttention", "AttnDecoderRNN"}
        tree = ast.parse(file.read_text())
        tree.body = [node for node in tree.body if getattr(node, "name", None) in wanted]
        exec(compile(tree, file.name, "exec"), self.names)
        self.encoder = self.names["EncoderRNN"](source_words, 128)
        self.decoder = self.names["AttnDecoderRNN"](128, target_words)
        self.model = nn.ModuleList([self.encoder, self.decoder])
        self.optimizers = [torch.optim.Adam(m.parameters(), lr=0.001) for m in self.model]

    def step(self, batch, used):
        self.names["MAX_LENGTH"] = batch.target_out.shape[1]
        outputs, _, _ = self.decoder(*self.encoder(batch.source), batch.target_out)
        loss = F.nll_loss(outputs.flatten(0, 1), batch.target_out.flatten())
        self.model.zero_grad()
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()

    @torch.inference_mode()
    def translate(self, source, max_length):
        self.names["MAX_LENGTH"] = max_length
        return self.decoder(*self.encoder(source))[0].argmax(-1).tolist()


def measure(name, contestant, pairs, test, source, target, seconds) -> dict:
    """Train for so many CPU seconds; pairs per second, and BLEU on the test pairs."""
    torch.manual_seed(0)
    stream = batches(pairs, source, target, batch_size=contestant.batch_size)
    contestant.step(next(stream), 0.0)  # lazy layers are made, kernels loaded
    contestant.model.train()
    done, start = 0, time.process_time()
    while (used := time.process_time() - start) < seconds:
        batch = next(stream)
        contestant.step(batch, used / seconds)
        done += len(batch.source)
    contestant.model.eval()
    longest = 2 * max(len(pair.target) for pair in test)
    ids = contestant.translate(pad([source.encode(p.source) + [EOS] for p in test]), longest)
    score = bleu([target.decode(row) for row in ids], [pair.target for pair in test])
    result = {"pairs_per_second": round(done / used), "bleu": round(score, 1)}
    print(f"{name:22}{result['pairs_per_second']:8} pairs/s   BLEU {score:5.1f}   "
          f"{contestant.configuration}", flush=True)  # fmt: skip
    return {**result, "configuration": contestant.configuration}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=120, help="CPU seconds of training each")
    parser.add_argument("--d2l", type=Path, help="a clone of d2l-en")
    parser.add_argument("--tutorial", type=Path, help="seq2seq_translation_tutorial.py")
    parser.add_argument("--max-words", type=int, default=20, help="of the grammar's sentences")
    parser.add_argument("--record", type=Path, help="write the results to this JSON file")
    args = parser.parse_args()
    torch.set_num_threads(1)

    pairs = grammar.pairs(30_000, max_words=args.max_words, mean_words=10)
    test = grammar.pairs(300, seed=1, split="test", max_words=args.max_words, mean_words=10)
    source = Vocabulary.from_texts(pair.source for pair in pairs)
    target = Vocabulary.from_texts(pair.target for pair in pairs)
    sizes = len(source), len(target)
    print(f"{len(pairs)} pairs, {args.seconds:g} CPU seconds each, one thread; {machine()}")

    contestants = {
        "ours": lambda: Ours(*sizes, embed=128, width=128, batch_size=64, lr=5e-3),
        "ours, at D2L's size": lambda: Ours(*sizes, embed=256, width=256, batch_size=128, lr=5e-3),
    }
    if args.d2l:
        contestants["D2L"] = lambda: DiveIntoDeepLearning(args.d2l, *sizes)
    if args.tutorial:
        contestants["PyTorch tutorial"] = lambda: Tutorial(args.tutorial, *sizes)
    results = {}
    for name, make in contestants.items():
        torch.manual_seed(0)
        results[name] = measure(name, make(), pairs, test, source, target, args.seconds)
    for name, result in results.items():
        ratio = results["ours"]["pairs_per_second"] / result["pairs_per_second"]
        print(f"ours trains {ratio:.2f} times as many pairs a second as {name}")
    if args.record:
        record = {"machine": machine(), "seconds": args.seconds, "results": results}
        args.record.parent.mkdir(parents=True, exist_ok=True)
        args.record.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
