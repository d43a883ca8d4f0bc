"""The schedule against its formula, and sampling with a generator that knows the answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from backend.model import (
    Cache,
    Cancelled,
    CausalDiT,
    GeneratorConfig,
    Prediction,
    Schedule,
    TextKeyValues,
    add_noise,
    predict_x0,
    sample_block,
)

SHAPE = (1, 3, 4, 2, 2)
TRUTH = torch.linspace(-1, 1, 48).reshape(SHAPE)
RENDER = TRUTH.flip(0) * 0.5
EMPTY = Cache(())


class Oracle(CausalDiT):
    """Stands in for a generator: its output always leads to TRUTH. It keeps what it was asked."""

    def __init__(self, prediction: Prediction = "flow") -> None:
        nn.Module.__init__(self)
        self.config = GeneratorConfig(8, 8, 1, 1, 8, latent_channels=4, text_dim=0, prediction=prediction)
        self.asked: list[tuple[Tensor, float]] = []

    def denoise(
        self,
        noisy: Tensor,
        mask: Tensor,
        render: Tensor,
        timestep: Tensor,
        cache: Cache,
        text: TextKeyValues | None,
    ) -> Tensor:
        self.asked.append((noisy, timestep.item()))
        if self.config.prediction == "render_residual":
            return TRUTH - render
        return (noisy - TRUTH) / (timestep / 1000)


def sample(
    dit: CausalDiT,
    renoise: Callable[[int], Tensor] = lambda step: torch.full(SHAPE, float(step)),
    cancelled: Callable[[], bool] = lambda: False,
) -> Tensor:
    mask, noise = torch.zeros(1, 3, 4, 2, 2), torch.full(SHAPE, 9.0)
    return sample_block(dit, EMPTY, mask, RENDER, noise, renoise, None, cancelled)


def test_sigmas_follow_the_formula() -> None:
    schedule = Schedule()
    for step in range(1000):
        even = 1 - step / 1000
        assert schedule.sigmas[step].item() == pytest.approx(5 * even / (1 + 4 * even), abs=1e-6)
        assert schedule.timesteps[step].item() == pytest.approx(1000 * schedule.sigmas[step].item(), abs=1e-3)
    assert schedule.steps.tolist() == pytest.approx([1000, 937.5, 2500 / 3, 625], abs=1e-3)
    assert Schedule((1000, 500)).steps.tolist() == pytest.approx([1000, 2500 / 3], abs=1e-3)


@settings(max_examples=30)
@given(st.floats(0, 1100))
def test_a_timestep_has_the_sigma_of_the_nearest(timestep: float) -> None:
    schedule = Schedule()
    nearest = min(schedule.timesteps.tolist(), key=lambda known: abs(known - timestep))
    assert schedule.sigma(timestep) == pytest.approx(nearest / 1000, abs=1e-6)


@settings(max_examples=30)
@given(st.floats(0.01, 1))
def test_flow_takes_the_noise_away_again(sigma: float) -> None:
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    noisy = add_noise(TRUTH, noise, sigma)
    assert noisy.dtype == torch.float32
    got = predict_x0("flow", noise - TRUTH, noisy, RENDER, sigma)
    torch.testing.assert_close(got, TRUTH, atol=1e-5, rtol=0)
    assert got.dtype == torch.float32


def test_render_residual_is_added_to_the_render() -> None:
    got = predict_x0("render_residual", TRUTH - RENDER, torch.zeros(SHAPE), RENDER, 1.0)
    torch.testing.assert_close(got, TRUTH, atol=1e-6, rtol=0)


@pytest.mark.parametrize("prediction", ["flow", "render_residual"])
def test_a_block_goes_through_the_four_noise_levels(prediction: Prediction) -> None:
    dit = Oracle(prediction)
    torch.testing.assert_close(sample(dit), TRUTH, atol=1e-5, rtol=0)
    assert [timestep for _, timestep in dit.asked] == pytest.approx([1000, 937.5, 2500 / 3, 625], abs=1e-3)
    assert (dit.asked[0][0] == 9).all()
    for step, sigma in enumerate([0.9375, 5 / 6, 0.625]):
        expected = (1 - sigma) * TRUTH + sigma * step
        torch.testing.assert_close(dit.asked[step + 1][0], expected, atol=1e-4, rtol=0)


def test_cancelling_ends_between_two_steps() -> None:
    dit = Oracle()
    with pytest.raises(Cancelled):
        sample(dit, cancelled=lambda: len(dit.asked) == 2)
    assert len(dit.asked) == 2


def test_other_schedules() -> None:
    dit = Oracle()
    mask, noise = torch.zeros(1, 3, 4, 2, 2), torch.zeros(SHAPE)
    schedule = Schedule((1000, 500))
    got = sample_block(dit, EMPTY, mask, RENDER, noise, lambda _: noise, None, schedule=schedule)
    torch.testing.assert_close(got, TRUTH, atol=1e-5, rtol=0)
    assert len(dit.asked) == 2
