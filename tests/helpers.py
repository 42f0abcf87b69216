"""What the tests of the library share: float64 numbers, noise on every parameter, copied weights.

With the initialisation that layers start from (biases 0, norms 1) a dropped bias or a swapped
norm would pass; `randomise` adds N(0, 0.3) to everything, so that each parameter matters.
"""

import pytest
import torch
from torch import nn

torch.set_num_threads(1)  # the models are tiny, and one thread gives the same sums every time

TINY = 1e-12  # what float64 may differ by when the same sum is taken in another order


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def randn(*shape, grad=False):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=grad)


def randomise(module, std=0.3):
    """The module in float64, not training, N(0, std) added to every parameter."""
    module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(std * torch.randn_like(parameter))
    return module


def same(found, expected, tolerance=TINY):
    """Equal in shape and type, and in value to 1e-12."""
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def gradients(output, inputs):
    """Of a sum of squares, so that the gradient depends on the value."""
    return torch.autograd.grad(output.square().sum(), list(inputs))


def copy_attention(ours, theirs: nn.MultiheadAttention) -> list:
    """Copy our weights into PyTorch's; return pairs (our parameter, how to find it in theirs).

    The second of a pair takes gradients of theirs, by name, to the gradient that ours must have.
    """
    pairs, D = [], theirs.embed_dim
    with torch.no_grad():
        for i, part in enumerate("qkv"):
            layer, rows = getattr(ours, part), slice(i * D, (i + 1) * D)
            if theirs.in_proj_weight is None:  # keys and values of another width
                getattr(theirs, f"{part}_proj_weight").copy_(layer.weight)
                pairs.append((layer.weight, lambda g, part=part: g[f"{part}_proj_weight"]))
            else:
                theirs.in_proj_weight[rows] = layer.weight
                pairs.append((layer.weight, lambda g, rows=rows: g["in_proj_weight"][rows]))
            if layer.bias is not None:
                theirs.in_proj_bias[rows] = layer.bias
                pairs.append((layer.bias, lambda g, rows=rows: g["in_proj_bias"][rows]))
    return pairs + copy_same(ours.o, theirs.out_proj, "out_proj.")


def copy_same(ours: nn.Module, theirs: nn.Module, prefix: str) -> list:
    """The same for modules whose parameters have the same names."""
    theirs.load_state_dict(ours.state_dict())
    return [(p, lambda g, name=prefix + n: g[name]) for n, p in ours.named_parameters()]


def copy_block(ours, theirs, prefix="") -> list:
    """The same for a Block and one of PyTorch's encoder or decoder layers."""

    def within(part, pairs):
        def inside(find):
            return lambda g: find(
                {n.removeprefix(part): v for n, v in g.items() if n.startswith(part)}
            )

        return [(p, inside(find)) for p, find in pairs]

    cross = hasattr(ours, "cross")
    pairs = within(prefix + "self_attn.", copy_attention(ours.attention, theirs.self_attn))
    if cross:
        attention = copy_attention(ours.cross, theirs.multihead_attn)
        pairs += within(prefix + "multihead_attn.", attention)
    norms = ["attention_norm", *(["cross_norm"] if cross else []), "ff_norm"]
    names = [(norm, f"norm{i}") for i, norm in enumerate(norms, 1)]
    for our, their in [*names, ("ff.up", "linear1"), ("ff.down", "linear2")]:
        pairs += copy_same(
            ours.get_submodule(our), theirs.get_submodule(their), f"{prefix}{their}."
        )
    return pairs


def same_gradients(our_output, their_output, pairs, theirs: nn.Module, inputs=()):
    """Gradients of all our parameters, and of (our input, their input), agree with theirs."""
    named = dict(theirs.named_parameters())
    found = gradients(our_output, [p for p, _ in pairs] + [ours for ours, _ in inputs])
    expected = gradients(their_output, list(named.values()) + [their for _, their in inputs])
    by_name = dict(zip(named, expected))
    for (_, find), gradient in zip(pairs, found):
        same(gradient, find(by_name), 1e-10)
    for gradient, expectation in zip(found[len(pairs) :], expected[len(named) :]):
        same(gradient, expectation, 1e-10)
