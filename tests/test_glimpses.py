import math

import pytest
import torch
import torch.nn.functional as F

from transformer_essentials.glimpses import (
    LOOKERS,
    PIXELS,
    PLACES,
    Glimpser,
    Looks,
    blur,
    board_batches,
    boards,
    foveate,
    glimpse_loss,
    picture,
    saliency,
    scanpath,
    score,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------- an eye for photographs


def test_blur_keeps_the_mean_and_a_flat_image():
    image = torch.rand(3, 16, 24, generator=generator())
    torch.testing.assert_close(blur(torch.full((1, 7, 9), 0.3), 4), torch.full((1, 7, 9), 0.3))
    torch.testing.assert_close(blur(image, 16)[:, :, :4], blur(image, 16)[:, :1, :1].expand(3, 16, 4))
    assert blur(image, 4).var() < 0.25 * image.var()


def test_foveate_is_sharp_where_it_looks_and_as_coarse_as_it_says_elsewhere():
    image = torch.rand(3, 40, 60, generator=generator())
    seen = foveate(image, 10, 20, fovea=5)
    torch.testing.assert_close(seen[:, 10, 20], image[:, 10, 20])
    # 15 pixels away, three times the fovea, the grain is 4 pixels; 5 away it is 2
    torch.testing.assert_close(seen[:, 10, 35], blur(image, 4)[:, 10, 35])
    torch.testing.assert_close(seen[:, 15, 20], blur(image, 2)[:, 15, 20])
    # in between it lies between two levels, by the logarithm of the grain
    share = math.log2(1 + 8 / 5)
    between = blur(image, 2) + (share - 1) * (blur(image, 4) - blur(image, 2))
    torch.testing.assert_close(seen[:, 10, 28], between[:, 10, 28])


def test_saliency_finds_the_odd_one_and_nothing_on_a_plain_wall():
    assert saliency(torch.full((3, 64, 64), 0.4)).abs().max() < 1e-3
    image = torch.full((3, 64, 64), 0.4)
    image[0, 40:48, 16:24] = 1.0  # a red square
    (y, x), *_ = scanpath(saliency(image), 1, 8)
    assert 40 <= y < 48 and 16 <= x < 24
    assert saliency(image).max() == 1


def test_scanpath_goes_down_and_does_not_return():
    map_ = torch.zeros(20, 30)
    map_[3, 4], map_[3, 6], map_[15, 20], map_[10, 10] = 0.9, 0.8, 0.7, 0.6
    assert scanpath(map_, 3, radius=5) == [(3, 4), (15, 20), (10, 10)]
    assert map_[3, 4] == torch.tensor(0.9)  # the map itself is left alone


# ---------------------------------------------------------------- boards


def test_boards_hold_the_digit_its_twins_and_louder_things():
    digits = torch.rand(200, PIXELS, generator=generator(1)) * 0.6
    board, where = boards(digits, digits, generator(2), twins=2, loud=3)
    assert board.shape == (200, PLACES, PIXELS)
    torch.testing.assert_close(board[torch.arange(200), where], digits)
    mean = board.mean(-1)
    assert ((mean == 0).sum(1) == 10).all()
    assert ((mean > 0.6).sum(1) == 3).all()  # 0.3 + 0.5
    assert (((mean > 0) & (mean < 0.6)).sum(1) == 3).all()
    assert set(where.tolist()) == set(range(PLACES))
    pixels = digits.sort(-1).values  # a twin is somebody's pixels in another order
    twins = (mean > 0) & (mean < 0.6)
    twins[torch.arange(200), where] = False
    for twin in board[twins][:10].sort(-1).values:
        assert (pixels - twin).abs().amax(-1).min() == 0


def test_too_many_pieces():
    with pytest.raises(ValueError, match="16 places, given 1 . 10 . 6"):
        boards(torch.zeros(1, PIXELS), torch.zeros(1, PIXELS), generator(), twins=10, loud=6)


def test_picture_puts_the_places_in_rows():
    board = torch.arange(PLACES)[:, None].expand(PLACES, PIXELS).float()
    image = picture(board)
    assert image.shape == (32, 32)
    assert image[::8, ::8].flatten().tolist() == list(range(16))
    board = torch.rand(2, PLACES, PIXELS, generator=generator())
    torch.testing.assert_close(picture(board)[1, 8:16, 24:32], board[1, 7].view(8, 8))


def test_batches_repeat_with_their_seed():
    digits, labels = torch.rand(20, PIXELS, generator=generator()), torch.arange(20)
    (a, x), (b, y), (c, _) = (next(board_batches(digits, labels, 8, seed)) for seed in (0, 0, 1))
    assert torch.equal(a, b) and torch.equal(x, y) and not torch.equal(a, c)


# ---------------------------------------------------------------- the network


def some_boards(n=12):
    digits = torch.rand(n, PIXELS, generator=generator(1)) * 0.6
    return boards(digits, digits, generator(2))


@pytest.mark.parametrize("looker", LOOKERS)
def test_forward_is_the_equations(looker):
    torch.manual_seed(0)
    model = Glimpser(looker, looks=3, width=8, seed=5).double().eval()
    board = some_boards()[0].double()
    looks = model(board)
    first = torch.rand(12, PLACES, generator=generator(5)).argsort(-1)
    for b in range(12):
        state, seen = torch.zeros(8, dtype=torch.double), torch.zeros(PLACES, dtype=torch.double)
        edge = torch.tensor([place.mean() for place in board[b]])
        loudest = sorted(range(PLACES), key=lambda j: -edge[j])
        for n in range(3):
            if looker == "salient":
                place = loudest[n]
            elif looker == "random" or n == 0:
                place = int(first[b, n])
            else:
                scores = torch.stack([
                    model.query(state) @ model.key(torch.stack([edge[j], seen[j]]))
                    for j in range(PLACES)
                ])  # fmt: skip
                place = int(scores.argmax())
                p = scores.exp() / scores.exp().sum()
                torch.testing.assert_close(looks.log_probs[b, n - 1], p[place].log())
                torch.testing.assert_close(looks.expected[b, n - 1], model.expect(state)[0])
                torch.testing.assert_close(looks.entropy[b, n - 1], -(p * p.log()).sum())
            assert looks.places[b, n] == place
            spot = F.one_hot(torch.tensor(place), PLACES).double()
            glimpse = torch.relu(model.see(torch.cat([board[b, place], edge, spot])))
            state = model.rnn(glimpse[None], state[None])[0]
            seen[place] = 1
        torch.testing.assert_close(looks.logits[b], model.name(state))
    assert (looks.log_probs is None) == (looker != "learned")


def test_random_and_salient_never_return():
    board, _ = some_boards(40)
    for looker in ("random", "salient"):
        places = Glimpser(looker, looks=6)(board).places
        assert all(len(set(row.tolist())) == 6 for row in places)


def test_draws_follow_the_distribution_in_training_and_the_highest_is_taken_after():
    torch.manual_seed(0)
    model = Glimpser(looks=2, seed=3)
    board = some_boards(1)[0].expand(4000, -1, -1)
    looks = model.train()(board)
    start = looks.places[:, 0] == 0
    p = torch.zeros(PLACES)
    p[looks.places[start, 1]] = looks.log_probs[start, 0].exp().detach()
    share = F.one_hot(looks.places[start, 1], PLACES).float().mean(0)
    assert (p - share).abs().max() < 0.08 and p.sum() > 0.9
    chosen = model.eval()(board)
    taken = chosen.places[chosen.places[:, 0] == 0, 1]
    assert set(taken.tolist()) == {int(p.argmax())}


def test_loss_and_where_its_gradients_go():
    torch.manual_seed(0)
    board, _ = some_boards()
    labels = torch.arange(12) % 10
    model = Glimpser(seed=1)
    loss = glimpse_loss(model, (board, labels), openness=0.2)
    again = Glimpser(seed=1)
    again.load_state_dict(model.state_dict())
    looks = again(board)
    reward = (looks.logits.argmax(-1) == labels).float()
    by_hand = F.cross_entropy(looks.logits, labels)
    for n in range(3):
        surprise = reward - looks.expected[:, n]
        by_hand = by_hand - (surprise.detach() * looks.log_probs[:, n]).mean()
        by_hand = by_hand + (surprise**2).mean() / 3  # a mean over looks too
        by_hand = by_hand - 0.2 * looks.entropy[:, n].mean()
    torch.testing.assert_close(loss, by_hand)
    loss.backward()
    assert model.query.weight.grad.abs().sum() > 0  # by REINFORCE alone
    model.zero_grad()
    F.cross_entropy(model(board).logits, labels).backward()
    assert model.query.weight.grad is None  # the answer gives the choice no gradient


def test_score_counts():
    class Fixed(torch.nn.Module):
        def forward(self, board):
            logits = F.one_hot(torch.tensor([1, 2, 3, 4]), 10).float()
            return Looks(logits, torch.tensor([[0, 5], [1, 1], [2, 3], [9, 8]]), None, None, None)

    named, found = score(Fixed(), None, torch.tensor([1, 2, 0, 0]), torch.tensor([5, 1, 0, 0]))
    assert (named, found) == (0.5, 0.5)


def test_wiping_the_marks_changes_where_it_looks():
    torch.manual_seed(0)
    model = Glimpser().eval()
    with torch.no_grad():  # a mind that shuns what it has seen
        model.key[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]] * 8))
        model.key[2].weight.copy_(torch.tensor([[1.0, -5.0] + 14 * [0.0]] * 16))
        model.key[2].bias.zero_(), model.key[0].bias.zero_()
        model.query.weight.zero_(), model.query.bias.fill_(1.0)
    board, _ = some_boards(30)
    assert all(len(set(row.tolist())) == 4 for row in model(board).places)
    forgetful = model(board, forget=True).places
    assert all(len(set(row[1:].tolist())) == 1 for row in forgetful)  # the brightest, for ever


def test_unknown_looker():
    with pytest.raises(ValueError, match="learned.*given 'lucky'"):
        Glimpser("lucky")
