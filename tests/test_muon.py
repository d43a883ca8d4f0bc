"""Our Muon against torch's, and what it is made of against the singular values."""

import pytest
import torch
from torch import nn

from backend.training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (16, 16)])
def test_singular_values_come_near_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    found = torch.linalg.svdvals(orthogonal(matrix, torch.float32))
    assert found.min() > 0.6 and found.max() < 1.3
    assert torch.linalg.svdvals(matrix).max() / torch.linalg.svdvals(matrix).min() > 1.9


def test_it_steps_as_torchs_does():
    """Theirs orthogonalises in bfloat16: each step may be off by as much as that rounds."""
    generator = torch.Generator().manual_seed(2)
    start = torch.randn(12, 40, generator=generator)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    mine = Muon([ours], lr=0.05, weight_decay=0.1)
    other = torch.optim.Muon([theirs], lr=0.05, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(6):
        gradient = torch.randn(12, 40, generator=generator)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step()
        other.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.02 * moved


def test_it_goes_on_from_what_it_kept():
    start = torch.randn(6, 9, generator=torch.Generator().manual_seed(3))
    gradients = [torch.randn(6, 9, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]
    whole, first = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    unbroken, broken = Muon([whole], lr=0.1), Muon([first], lr=0.1)
    for number, gradient in enumerate(gradients):
        if number == 2:
            kept = broken.state_dict()
            broken = Muon([first], lr=0.1)
            broken.load_state_dict(kept)
        whole.grad = first.grad = gradient
        unbroken.step()
        broken.step()
    assert torch.equal(whole, first)
