"""Looking as choosing: a foveated image, a saliency map, and a network with hard glimpses.

The network follows the recurrent attention model of Mnih et al. (2014): it sees one place
sharply and the rest as a blur, keeps a state, and draws the place of its next look from a
distribution. The draw has no gradient, so the choice learns from reward by REINFORCE
(Williams, 1992). Simpler than theirs: its places are the 16 squares of a 4 x 4 board.

Shape letters: B batch, S places (16), P pixels of a place (64), N looks.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE, PLACES, PIXELS = 4, 16, 64  # a board of 4 x 4 places with 8 x 8 pixels each
LOOKERS = ("learned", "random", "salient")

# ---------------------------------------------------------------- an eye for photographs


def blur(image: Tensor, size: int) -> Tensor:
    """Averages over squares of ``size`` pixels, made smooth again: (C,Y,X) -> (C,Y,X)."""
    _, Y, X = image.shape
    coarse = F.avg_pool2d(image[None], size, ceil_mode=True, count_include_pad=False)
    return F.interpolate(coarse, (Y, X), mode="bilinear", align_corners=False)[0]


def foveate(image: Tensor, y: float, x: float, fovea: float) -> Tensor:
    """What an eye that looks at row y, column x has of the image: (C,Y,X) -> (C,Y,X).

    The grain (the side of the squares averaged over) is 1 + distance / fovea pixels, so it is
    twice as coarse ``fovea`` pixels away from where the eye looks, three times at twice that.
    """
    _, Y, X = image.shape
    rows, columns = torch.arange(Y)[:, None] - float(y), torch.arange(X) - float(x)
    level = torch.log2(1 + torch.hypot(rows, columns) / fovea)  # (Y,X)
    top = int(level.max()) + 1
    levels = torch.stack([image] + [blur(image, 2**n) for n in range(1, top + 1)])
    below = level.long()
    share = level - below
    at = torch.arange(Y)[:, None], torch.arange(X)
    sharp, coarse = (levels.transpose(1, -1).transpose(1, 2)[n, at[0], at[1]]
                     for n in (below, below + 1))  # (Y,X,C) each  # fmt: skip
    return (sharp + share[..., None] * (coarse - sharp)).permute(2, 0, 1)


def saliency(image: Tensor, centres=(4, 8), surround: int = 4) -> Tensor:
    """How much each pixel differs from its surroundings, 0 to 1: (3,Y,X) -> (Y,X).

    Centre minus surround, in brightness and in two pairs of opposite colours, as in Itti et
    al. (1998), who also use orientations. A surround is ``surround`` times as wide.
    """
    red, green, blue = image
    channels = torch.stack([(red + green + blue) / 3, red - green, blue - (red + green) / 2])
    total = torch.zeros_like(red)
    for centre in centres:
        contrast = (blur(channels, centre) - blur(channels, centre * surround)).abs()
        total += (contrast / contrast.amax((1, 2), keepdim=True).clamp(min=0.01)).sum(0)
    return total / total.max().clamp(min=1)


def scanpath(salient: Tensor, n: int, radius: float) -> list[tuple[int, int]]:
    """The n most salient places (row, column), each put out before the next is sought."""
    Y, X = salient.shape
    left, path = salient.clone(), []
    for _ in range(n):
        y, x = divmod(int(left.argmax()), X)
        path.append((y, x))
        distance = torch.hypot(torch.arange(Y)[:, None] - float(y), torch.arange(X) - float(x))
        left[distance < radius] = -1.0
    return path


# ---------------------------------------------------------------- boards with a hidden digit


def boards(
    digits: Tensor, others: Tensor, generator: torch.Generator, twins: int = 2, loud: int = 3
) -> tuple[Tensor, Tensor]:
    """Each digit (B,P) on a board of its own, among clutter: -> (B,S,P) and its place (B,).

    The clutter is made of ``others`` (·,P) with their pixels shuffled: ``twins`` are as bright
    as a digit, ``loud`` pieces are brighter. The remaining places are empty.
    """
    if 1 + twins + loud > PLACES:
        raise ValueError(f"a board has {PLACES} places, given 1 + {twins} + {loud} pieces")
    B = len(digits)
    board, row = torch.zeros(B, PLACES, PIXELS), torch.arange(B)
    at = torch.rand(B, PLACES, generator=generator).argsort(-1)  # (B,S), a shuffle each
    board[row, at[:, 0]] = digits
    for n in range(1, 1 + twins + loud):
        piece = others[torch.randint(len(others), (B,), generator=generator)]
        piece = piece[:, torch.randperm(PIXELS, generator=generator)]
        board[row, at[:, n]] = piece if n <= twins else (piece + 0.5).clamp(max=1)
    return board, at[:, 0]


def picture(board: Tensor) -> Tensor:
    """The board as one image: (…,S,P) -> (…,32,32)."""
    tiles = board.unflatten(-1, (8, 8)).unflatten(-3, (SIDE, SIDE))
    return tiles.transpose(-3, -2).flatten(-4, -3).flatten(-2)


def board_batches(
    digits: Tensor, labels: Tensor, size: int = 128, seed: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Fresh boards (B,S,P) with their labels (B,), without end."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        chosen = torch.randint(len(digits), (size,), generator=generator)
        yield boards(digits[chosen], digits, generator)[0], labels[chosen]


# ---------------------------------------------------------------- the network


class Looks(NamedTuple):
    """What came of looking at a batch of boards."""

    logits: Tensor  # (B,10), the answer after the last look
    places: Tensor  # (B,N)
    log_probs: Tensor | None  # (B,N-1) of the places that were drawn; None if none was
    expected: Tensor | None  # (B,N-1), the reward that the network expected before each draw
    entropy: Tensor | None  # (B,N-1), in nats, of the distribution that each was drawn from


class Glimpser(nn.Module):
    """A recurrent network that looks at a few places of a board, then names the digit.

    looker says who chooses the places after the first, which is drawn evenly: the network
    ("learned"), chance without repeats ("random"), or brightness, the brightest first, the
    first look included ("salient"). All else is the same for the three.
    """

    def __init__(self, looker: str = "learned", looks: int = 4, width: int = 64, seed: int = 0):
        super().__init__()
        if looker not in LOOKERS:
            raise ValueError(f"looker must be one of {LOOKERS}, given {looker!r}")
        self.looker, self.looks = looker, looks
        self.see = nn.Linear(PIXELS + 2 * PLACES, width)
        self.rnn = nn.GRUCell(width, width)
        self.name = nn.Linear(width, 10)
        self.key = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16))
        self.query = nn.Linear(width, 16)
        self.expect = nn.Linear(width, 1)
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, board: Tensor, forget: bool = False) -> Looks:
        """board (B,S,P) -> :class:`Looks`. While training, places are drawn; afterwards the
        most probable is taken. With ``forget`` the marks of places already seen are wiped."""
        B, row = len(board), torch.arange(len(board))
        edge = board.mean(-1)  # (B,S), the corner of the eye: one grey value a place
        order = torch.rand(B, PLACES, generator=self.generator).argsort(-1)
        if self.looker == "salient":
            order = edge.argsort(-1, descending=True)
        state, seen = board.new_zeros(B, self.rnn.hidden_size), torch.zeros_like(edge)
        places, log_probs, expected, entropy = [], [], [], []
        for n in range(self.looks):
            place = order[:, n]
            if n and self.looker == "learned":
                picture = torch.stack([edge, seen * (not forget)], -1)  # (B,S,2)
                scores = (self.key(picture) @ self.query(state)[..., None])[..., 0]  # (B,S)
                log_p = scores.log_softmax(-1)
                place = log_p.argmax(-1)
                if self.training:
                    place = torch.multinomial(log_p.detach().exp(), 1, generator=self.generator)[:, 0]
                log_probs.append(log_p[row, place])
                expected.append(self.expect(state.detach())[:, 0])
                entropy.append(-(log_p.exp() * log_p).sum(-1))
            glimpse = torch.cat([board[row, place], edge, F.one_hot(place, PLACES)], -1)
            state = self.rnn(self.see(glimpse).relu(), state)
            seen = seen.scatter(1, place[:, None], 1.0)
            places.append(place)
        drawn = [torch.stack(x, 1) if x else None for x in (log_probs, expected, entropy)]
        return Looks(self.name(state), torch.stack(places, 1), *drawn)


def glimpse_loss(
    model: Glimpser, batch: tuple[Tensor, Tensor], openness: float = 0.03
) -> Tensor:
    """Cross-entropy of the answer, plus REINFORCE for the places (Mnih et al., 2014, section 3).

    The reward is 1 for a right answer and 0 for a wrong one. From it is subtracted what the
    network expected, which learns by squared error to predict the reward. ``openness`` times
    the entropy of the choices is rewarded too, lest the network settle before it has looked
    around (Williams & Peng, 1991; not in Mnih et al.).
    """
    board, labels = batch
    looks = model(board)
    loss = F.cross_entropy(looks.logits, labels)
    if looks.log_probs is None:
        return loss
    reward = (looks.logits.argmax(-1) == labels).float()[:, None]  # (B,1)
    surprise = reward - looks.expected  # (B,N-1)
    return (
        loss
        - (surprise.detach() * looks.log_probs).sum(1).mean()
        + surprise.square().mean()
        - openness * looks.entropy.sum(1).mean()
    )


@torch.no_grad()
def score(model: Glimpser, board: Tensor, labels: Tensor, where: Tensor, **options):
    """The share of boards named rightly, and of boards on which the digit was looked at."""
    model.eval()
    looks = model(board, **options)
    named = (looks.logits.argmax(-1) == labels).float().mean().item()
    return named, (looks.places == where[:, None]).any(1).float().mean().item()
