"""How good is a translation, an alignment, a language model?"""

import math

import sacrebleu


def bleu(hypotheses, references) -> float:
    """Corpus BLEU, 0 to 100, of token sequences against one reference each.

    Papineni et al. (2002) as sacrebleu computes it (Post, 2018), on the tokens as they are;
    lists of tokens are joined by spaces. A space that is a token, as in a date by characters,
    counts like any other.
    """
    hypotheses, references = list(hypotheses), list(references)
    if len(hypotheses) != len(references) or not references:
        raise ValueError(
            f"BLEU needs a reference for each translation: "
            f"{len(hypotheses)} translations, {len(references)} references"
        )
    joined = [[_joined(tokens) for tokens in side] for side in (hypotheses, references)]
    return sacrebleu.corpus_bleu(joined[0], [joined[1]], tokenize="none", force=True).score


def _joined(tokens) -> str:
    """Tokens with spaces between them, and none inside: sacrebleu splits wherever one is."""
    return " ".join("".join("▁" if c.isspace() else c for c in token) for token in tokens)


def hard_alignment(weights) -> set[tuple[int, int]]:
    """Each target word linked to the source word it looks at most: (T,S) -> {(source, target)}."""
    return {(int(row.argmax()), i) for i, row in enumerate(weights)}


def alignment_error_rate(predicted, sure, possible=None) -> float:
    """AER = 1 − (|A∩S| + |A∩P|) / (|A| + |S|), over a corpus; 0 is perfect, 1 is all wrong.

    ``predicted``, ``sure`` and ``possible`` are lists with a set of (source, target) links
    for each sentence; the possible ones contain the sure ones, and are the same by default
    (Och & Ney, 2003, section 5.1).
    """
    possible = sure if possible is None else possible
    hits = total = 0
    for a, s, p in zip(predicted, sure, possible, strict=True):
        a, s = set(a), set(s)
        hits += len(a & s) + len(a & (s | set(p)))
        total += len(a) + len(s)
    if total == 0:
        raise ValueError("alignment_error_rate needs at least one link")
    return 1 - hits / total


def perplexity(mean_nll: float) -> float:
    """exp of the mean negative log-likelihood per token, in nats: as unsure as among so many."""
    return math.exp(mean_nll)
