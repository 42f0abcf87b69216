"""Our models beside Hugging Face's, GPT-2 also beside nanoGPT: training steps and generation.

    python bench/models.py --nanogpt FILE --record bench/results/models-cpu.json

FILE is model.py of github.com/karpathy/nanoGPT; without it, it is left out. `transformers` is
one of the tests' requirements. On a GPU, if there is one, also GPT-2 small, bfloat16, compiled.

Ours get the weights of theirs; both must find the same loss and write the same tokens before
anything is timed. Then they take turns. Printed are the median over the turns, and the quartiles,
of their time divided by ours: of the time that passed, and of the processor's, which is the
steadier one where others use the machine.

A training step is forward, backward and fused AdamW, without dropout. BERT's loss is on 15% of
the tokens: ours computes logits at these alone, theirs at all; the others' loss makes ours in
parts (``heads.output_loss``), theirs at once. Generation is greedy; no token ends a text; ours
includes laying out its matrices anew each time (``packing.py``). nanoGPT has weights of its
own, the other GELU and no cache. "Of peak": operations per second of the matrix products in our
step, of those in one large product in the same turn.
"""

import argparse
import importlib.util
import json
import os
import time
from importlib import import_module
from pathlib import Path
from statistics import median, quantiles

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here is fetched
import transformers  # noqa: E402

from transformer_essentials.bert import BERTForMaskedLM  # noqa: E402
from transformer_essentials.checkpoints import MODEL_TYPES, config_from_hf, load_hf  # noqa: E402
from transformer_essentials.generation import greedy  # noqa: E402
from transformer_essentials.gpt2 import GPT2ForCausalLM  # noqa: E402
from transformer_essentials.heads import IGNORE, masked_lm_loss, token_loss  # noqa: E402
from transformer_essentials.train import machine  # noqa: E402

VOCABULARY, WIDTH, LAYERS, HEADS, LENGTH, BATCH = 8192, 256, 4, 4, 128, 16
PROMPT, NEW, BATCHES = 32, 64, (1, 8)  # of generation
NO_DROPOUT = dict(resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
BART_SIZES = dict(
    vocab_size=VOCABULARY, d_model=WIDTH, encoder_layers=LAYERS, decoder_layers=LAYERS,
    encoder_attention_heads=HEADS, decoder_attention_heads=HEADS, encoder_ffn_dim=4 * WIDTH,
    decoder_ffn_dim=4 * WIDTH, max_position_embeddings=LENGTH, dropout=0, forced_eos_token_id=None,
)  # fmt: skip
MODELS = {
    "GPT-2": ("GPT2LMHeadModel", dict(
        vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_positions=LENGTH,
        bos_token_id=0, eos_token_id=0, **NO_DROPOUT,
    )),
    "BERT": ("BertForMaskedLM", dict(
        vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, intermediate_size=4 * WIDTH, max_position_embeddings=LENGTH,
        hidden_dropout_prob=0, attention_probs_dropout_prob=0,
    )),
    "T5": ("T5ForConditionalGeneration", dict(
        vocab_size=VOCABULARY, d_model=WIDTH, num_layers=LAYERS, num_heads=HEADS,
        d_kv=WIDTH // HEADS, d_ff=4 * WIDTH, dropout_rate=0, decoder_start_token_id=0,
    )),
    "BART": ("BartForConditionalGeneration", BART_SIZES),
    "Marian": ("MarianMTModel", BART_SIZES | dict(
        pad_token_id=VOCABULARY - 1, decoder_start_token_id=VOCABULARY - 1, eos_token_id=0,
        scale_embedding=True, activation_function="swish",
    )),
}  # fmt: skip


def pair(kind: str, sizes: dict) -> tuple[nn.Module, nn.Module]:
    """Ours and theirs, the same weights."""
    theirs = getattr(transformers, kind)
    theirs = theirs(theirs.config_class(**sizes))
    family = import_module(f"transformer_essentials.{MODEL_TYPES[theirs.config.model_type]}")
    ours = family.HF_MODELS[kind](config_from_hf(family, theirs.config.to_dict()))
    load_hf(ours, theirs.state_dict())
    if theirs.can_generate():
        theirs.generation_config.eos_token_id = None  # no token ends a text
    return ours, theirs


def nanogpt(file: Path, *sizes: int) -> nn.Module:
    """nanoGPT of a vocabulary, width, layers, heads and length."""
    spec = importlib.util.spec_from_file_location("nanogpt", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names = "vocab_size", "n_embd", "n_layer", "n_head", "block_size"
    return module.GPT(module.GPTConfig(**dict(zip(names, sizes))))  # dropout is 0 by default


# ---------------------------------------------------------------- what is timed


def next_ids(ids: torch.Tensor) -> torch.Tensor:
    """What each token (B,T) is asked for: the next one, nothing of the last."""
    return torch.cat([ids[:, 1:], torch.full_like(ids[:, :1], IGNORE)], 1)


def losses(ours: nn.Module, ids: torch.Tensor) -> list:
    """Losses on the ids (B,T), ours, theirs and nanoGPT's, each a function of its model."""
    if isinstance(ours, GPT2ForCausalLM):
        labels = next_ids(ids)
        return [
            lambda model: model.loss(ids, labels),
            lambda theirs: theirs(ids, labels=ids).loss,
            lambda nanogpt: nanogpt(ids, labels.clamp(min=-1))[1],  # -1 is ignored
        ]
    if isinstance(ours, BERTForMaskedLM):
        labels = ids.masked_fill(torch.rand(ids.shape) > 0.15, IGNORE)
        our = lambda model: masked_lm_loss(model, ids, labels)  # noqa: E731
    else:
        labels = ids.flip(1)
        start = import_module(type(ours).__module__).shift_tokens_right(labels, ours.config)
        our = lambda model: model.loss(ids, start, labels)  # noqa: E731
    return [our, lambda theirs: theirs(ids, labels=labels).loss]


def writing(models: dict, ids: torch.Tensor) -> dict:
    """Functions that write NEW tokens after these; -> lists of them."""

    def hugging_face():
        options = dict(attention_mask=torch.ones_like(ids), max_new_tokens=NEW, do_sample=False)
        return models["Hugging Face"].generate(ids, **options)[:, -NEW:].tolist()

    runs = {
        "ours": lambda: [h.ids for h in greedy(models["ours"], ids, NEW, stop=())],
        "Hugging Face": hugging_face,
        "nanoGPT": lambda: models["nanoGPT"].generate(ids, NEW, top_k=1)[:, -NEW:].tolist(),
    }
    return {name: runs[name] for name in models}


def training(model: nn.Module, loss, autocast=False):
    """A training step as a function."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    device = next(model.parameters()).device.type
    model.train()

    def step():
        with torch.autocast(device, torch.bfloat16, enabled=autocast):
            value = loss(model)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value.item()  # a GPU has finished, too

    return step


def product(n: int, dtype=torch.float32):
    """A product of n×n matrices as a function."""
    a, b = (torch.randn(n, n).to(dtype) for _ in range(2))
    return lambda: (a @ b)[0, 0].item()


def operations(step) -> int:
    """Additions and multiplications in the matrix products of a step."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        step()
    return counter.get_total_flops()


def race(runs: dict, turns: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds passed and seconds of processor time of each, turn by turn, in changing order."""
    times = {name: [] for name in runs}
    for run in runs.values():
        run()
    for turn in range(turns):
        for name in sorted(runs, reverse=turn % 2):
            passed, worked = time.perf_counter(), time.process_time()
            runs[name]()
            times[name].append((time.perf_counter() - passed, time.process_time() - worked))
    return times


# ---------------------------------------------------------------- what is said


def spread(values: list[float]) -> dict:
    low, middle, high = quantiles(values, n=4)
    return {"median": round(middle, 3), "quartiles": [round(low, 3), round(high, 3)]}


def report(what: str, times: dict, tokens: int) -> dict:
    """Tokens per second of each, and how many times as long as ours each other takes."""
    results = {}
    for name, turns in times.items():
        results[name] = {"tokens_per_second": round(tokens / median(t for t, _ in turns))}
        line = f"{what:28}{name:14}{results[name]['tokens_per_second']:8} tokens/s"
        for key, i in (("time", 0), ("processor_time", 1)) if name != "ours" else ():
            ratios = [other[i] / our[i] for other, our in zip(turns, times["ours"])]
            found = results[name][f"{key}_over_ours"] = spread(ratios)
            low, high = found["quartiles"]
            line += f"   {key.replace('_', ' ')} {found['median']:.2f} ({low:.2f}–{high:.2f})"
        print(line, flush=True)
    return results


def report_training(what, runs: dict, turns: int, tokens: int, done: int, peak, n: int) -> dict:
    """Race steps beside products of n×n matrices; ``done``: what a step of ours computes."""
    times = race(runs | {"peak": peak}, turns)
    found = zip(times["ours"], times.pop("peak"))
    share = spread([done / our[0] / (2 * n**3 / peak[0]) for our, peak in found])
    results = report(what, times, tokens) | {"share_of_peak": share}
    print(f"{what:28}{'ours':14}{100 * share['median']:8.0f}% of peak", flush=True)
    return results


def measure(name: str, turns: int, nanogpt_file: Path | None) -> dict:
    """One model's training step, and its generation unless it is BERT."""
    ours, theirs = pair(*MODELS[name])
    models, results = {"ours": ours.eval(), "Hugging Face": theirs.eval()}, {}
    if nanogpt_file and name == "GPT-2":
        models["nanoGPT"] = nanogpt(nanogpt_file, VOCABULARY, WIDTH, LAYERS, HEADS, LENGTH).eval()
    for batch in BATCHES if name != "BERT" else ():
        runs = writing(models, torch.randint(4, VOCABULARY - 1, (batch, PROMPT)))
        our, their = runs["ours"](), runs["Hugging Face"]()
        assert our == their, f"{name}: ours writes {our}, theirs {their}"
        what = f"generation, batch {batch}"
        results[what] = report(f"{name} {what}", race(runs, turns), batch * NEW)

    found = losses(ours, torch.randint(4, VOCABULARY - 1, (BATCH, LENGTH)))
    our, their = (loss(model).item() for model, loss in zip((ours, theirs), found))
    assert abs(our - their) < 1e-4, f"{name}: our loss is {our}, theirs {their}"
    runs = {key: training(model, loss) for (key, model), loss in zip(models.items(), found)}
    done = operations(training(ours, found[0], autocast=True))  # so all logits are made and counted
    tokens = BATCH * LENGTH * (1 if name in ("GPT-2", "BERT") else 2)  # of source and target
    results["training"] = report_training(
        f"{name} training", runs, turns, tokens, done, product(2048), 2048
    )
    return results


def measure_gpu(turns: int, nanogpt_file: Path | None) -> dict:
    """GPT-2's smallest, its vocabulary filled up to a multiple of 64; 16 texts of 1024 tokens."""
    torch.set_float32_matmul_precision("high")
    with torch.device("cuda"):
        ours, theirs = pair("GPT2LMHeadModel", dict(vocab_size=50304, **NO_DROPOUT))
        models = {"ours": ours, "Hugging Face": theirs}
        if nanogpt_file:
            models["nanoGPT"] = nanogpt(nanogpt_file, 50304, 768, 12, 12, 1024)
        ids = torch.randint(50257, (16, 1024))
        _, *found = losses(ours, ids)
        labels = next_ids(ids)
        found.insert(0, lambda model: token_loss(model(ids), labels))  # what is compiled is called
        peak = product(8192, torch.bfloat16)
    done = operations(training(ours, found[0], autocast=True))
    runs = {
        key: training(torch.compile(model), loss, autocast=True)
        for (key, model), loss in zip(models.items(), found)
    }
    print(torch.cuda.get_device_name())
    return report_training("GPT-2 small training", runs, turns, 16 * 1024, done, peak, 8192)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=15, help="how often each is timed")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--nanogpt", type=Path, help="nanoGPT's model.py")
    parser.add_argument(
        "--record", type=Path, help="write the results to this JSON file; models not run stay in it"
    )
    args = parser.parse_args()
    where = {"machine": machine(), "threads": 2, "turns": args.turns}
    kept = {}
    if args.record and args.record.exists():
        *how, kept = json.loads(args.record.read_text()).values()
        if how != [*where.values()]:
            if set(args.models) != set(MODELS):
                parser.error(f"{args.record} was measured with {how}, this is {where}: run all models")
            kept = {}
    torch.set_num_threads(2)
    torch.manual_seed(0)
    print(f"{machine()}, 2 threads, {args.turns} turns: median (quartiles)")
    results = {name: measure(name, args.turns, args.nanogpt) for name in args.models}
    if torch.cuda.is_available():
        results["GPT-2 on a GPU"] = measure_gpu(args.turns, args.nanogpt)
    if args.record:
        record = where | {"results": kept | results}
        args.record.parent.mkdir(parents=True, exist_ok=True)
        args.record.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
