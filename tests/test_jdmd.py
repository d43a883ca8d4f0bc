"""Joint distribution matching distillation: against closed forms, and on networks small enough to train in seconds."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from backend.model import CausalDiT, GeneratorConfig
from backend.training.jdmd.dmd import answers, dmd_loss
from backend.training.jdmd.flow import Condition, Flow, draw_sigmas, flow_loss, noised, per_clip
from backend.training.jdmd.joint import Joint, Settings, Stream
from backend.training.jdmd.rollout import roll_out
from backend.training.runs import Checkpoint, cosine

SHAPE = 3, 2, 4, 4  # latents, channels, height, width


def config(prediction: str) -> GeneratorConfig:
    return GeneratorConfig(
        dim=32,
        ffn_dim=64,
        num_heads=2,
        num_layers=2,
        freq_dim=16,
        latent_channels=2,
        text_dim=0,
        text_len=0,
        prediction=prediction,
    )


class Gaussian:
    """What a noisy latent was before, where all of them are drawn from one normal distribution: exact."""

    def __init__(self, mean: float, deviation: float) -> None:
        self.mean, self.deviation = mean, deviation

    def x0(self, noisy: Tensor, sigma: Tensor, _condition: Condition) -> Tensor:
        level, kept = per_clip(sigma), 1 - per_clip(sigma)
        variance = kept**2 * self.deviation**2 + level**2
        return self.mean + kept * self.deviation**2 / variance * (noisy - kept * self.mean)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("level", [0.2, 0.5, 0.9])
def test_the_gradient_is_that_of_the_divergence_of_two_gaussians(level: float) -> None:
    """KL(student || teacher) at a noise level, of N(m, s^2): its derivatives by the student's m and s."""
    student, teacher = (0.7, 0.6), (-0.4, 1.1)
    base = random(2000, *SHAPE)
    base = ((base - base.mean()) / base.std()).repeat(2, 1, 1, 1, 1)
    x0 = student[0] + student[1] * base
    sigma = torch.full((len(x0),), level)
    condition = Condition.nothing(x0)
    noise = random(2000, *SHAPE, seed=1)
    noise = torch.cat([noise, -noise])  # So that it has no share in the means.
    real, fake = answers(x0, condition, Gaussian(*teacher), Gaussian(*student), sigma, noise)
    gradient = (fake - real) * ((1 - level) / level) ** 2

    mean, deviation = (torch.tensor(value, requires_grad=True) for value in student)
    variance, other = ((1 - level) ** 2 * s**2 + level**2 for s in (deviation, torch.tensor(teacher[1])))
    apart = (1 - level) ** 2 * (mean - teacher[0]) ** 2
    divergence = 0.5 * (torch.log(other / variance) + (variance + apart) / other - 1)
    by_mean, by_deviation = torch.autograd.grad(divergence, (mean, deviation))
    assert float(gradient.mean()) == pytest.approx(float(by_mean), rel=0.02)
    assert float((gradient * base).mean()) == pytest.approx(float(by_deviation), rel=0.02)


def test_a_student_of_two_numbers_becomes_its_teacher() -> None:
    mean, deviation = torch.nn.Parameter(torch.tensor(2.0)), torch.nn.Parameter(torch.tensor(0.3))
    optimizer = torch.optim.Adam([mean, deviation], lr=0.05)
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        x0 = mean + deviation * torch.randn((16, *SHAPE), generator=generator)
        critic = Gaussian(float(mean.detach()), float(deviation.detach()))
        loss = dmd_loss(x0, Condition.nothing(x0.detach()), Gaussian(-1.0, 0.8), critic, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(mean.detach()) == pytest.approx(-1.0, abs=0.1)
    assert float(deviation.detach()) == pytest.approx(0.8, abs=0.1)


def test_guidance_goes_beyond_the_condition() -> None:
    class Told:
        """Answers 1 where there is a render, 0 where there is none."""

        def x0(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
            return torch.full_like(noisy, float(condition.render.any()))

    x0 = random(2, *SHAPE)
    condition = Condition(x0, torch.ones(2, 3, 4, 4, 4), torch.ones_like(x0))
    sigma = torch.full((2,), 0.5)
    for guidance in (1.0, 2.5):
        real, fake = answers(x0, condition, Told(), Told(), sigma, x0, guidance)
        assert (real == guidance).all() and (fake == 1).all()


def test_levels_lie_within_their_bounds_and_towards_noise() -> None:
    sigma = draw_sigmas(4000, torch.Generator().manual_seed(0))
    assert sigma.min() >= 0.02 and sigma.max() <= 0.98 and 0.65 < sigma.mean() < 0.85
    x0, noise = random(2, *SHAPE), random(2, *SHAPE, seed=1)
    torch.testing.assert_close(noised(x0, torch.tensor([0.0, 1.0]), noise), torch.stack([x0[0], noise[1]]))


def test_a_critic_follows_what_the_student_makes() -> None:
    """A critic trained on clips of one kind, then of another, says what each of them was."""
    torch.manual_seed(0)
    flow = Flow(CausalDiT(config("flow")))
    optimizer = torch.optim.AdamW(flow.dit.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    for value in (1.5, -1.0):
        for _ in range(250):
            x0 = value + 0.1 * torch.randn((8, *SHAPE), generator=generator)
            loss = flow_loss(flow, x0, Condition.nothing(x0), generator)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            x0 = torch.full((8, *SHAPE), value)
            sigma = torch.full((8,), 0.7)
            answer = flow.x0(noised(x0, sigma, random(8, *SHAPE, seed=9)), sigma, Condition.nothing(x0))
        assert float((answer - value).abs().mean()) < 0.35, value


def test_a_clip_is_two_blocks_at_most() -> None:
    x0 = random(1, 9, 2, 4, 4)
    with pytest.raises(ValueError, match="9"):
        Flow(CausalDiT(config("flow"))).velocity(x0, torch.tensor([0.5]), Condition.nothing(x0))


def student() -> CausalDiT:
    torch.manual_seed(4)
    dit = CausalDiT(config("render_residual"))
    for parameter in dit.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return dit


def conditions(blocks: int = 2) -> Condition:
    count = 3 * blocks
    return Condition(
        random(2, count, 2, 4, 4), random(2, count, 4, 4, 4, seed=1), random(2, count, 2, 4, 4, seed=2)
    )


def test_a_rollout_is_what_the_sampler_makes() -> None:
    """Block after block with its own block before in the cache, each by `sample_block` with the same noise."""
    from backend.model.sampler import sample_block

    dit, condition = student(), conditions()
    with torch.no_grad():
        made = roll_out(dit, condition, torch.Generator().manual_seed(7), last_step=3)
    generator, previous = torch.Generator().manual_seed(7), None
    for block in range(2):
        part = condition.part(slice(3 * block, 3 * block + 3))
        noise = torch.randn(part.render.shape, generator=generator)
        with torch.no_grad():
            cache = dit.prefill(part.reference, previous, None)
            previous = sample_block(
                dit,
                cache,
                part.mask,
                part.render,
                noise,
                lambda _, part=part: torch.randn(part.render.shape, generator=generator),
                None,
            )
        torch.testing.assert_close(made[:, 3 * block : 3 * block + 3], previous, atol=1e-5, rtol=1e-4)


def test_gradients_go_through_the_last_step_of_each_block_alone() -> None:
    dit, condition = student(), conditions()
    made = roll_out(dit, condition, torch.Generator().manual_seed(7), last_step=2)
    with torch.no_grad():
        again = roll_out(dit, condition, torch.Generator().manual_seed(7), last_step=2)
    torch.testing.assert_close(made.detach(), again)
    second = torch.autograd.grad(made[:, 3:].sum(), list(dit.parameters()), retain_graph=True)
    both = torch.autograd.grad(made.sum(), list(dit.parameters()))
    assert any(not torch.allclose(a, b) for a, b in zip(second, both, strict=True))
    # The second block's gradient is that of its last step with what came before held fixed.
    from backend.model import Schedule, add_noise

    schedule, generator = Schedule(), torch.Generator().manual_seed(7)
    previous = None
    for block in range(2):
        part = condition.part(slice(3 * block, 3 * block + 3))
        noisy = torch.randn(part.render.shape, generator=generator)
        with torch.no_grad():
            cache = dit.prefill(part.reference, previous, None)
        for step in range(3):
            timestep = schedule.steps[step].expand(2)
            with torch.set_grad_enabled(step == 2 and block == 1):
                x0 = part.render + dit.denoise(noisy, part.mask, part.render, timestep, cache, None)
            if step < 2:
                noisy = add_noise(
                    x0, torch.randn(x0.shape, generator=generator), schedule.sigma(schedule.steps[step + 1])
                )
        previous = x0.detach()
    expected = torch.autograd.grad(x0.sum(), list(dit.parameters()), allow_unused=True)
    for got, want in zip(second, expected, strict=True):
        torch.testing.assert_close(got, torch.zeros_like(got) if want is None else want, atol=1e-4, rtol=1e-3)


def flow(seed: int) -> Flow:
    torch.manual_seed(seed)
    return Flow(CausalDiT(config("flow")))


def draw(generator: torch.Generator) -> Condition:
    x0 = torch.randn((2, 6, 2, 4, 4), generator=generator)
    return Condition(x0, torch.randn((2, 6, 4, 4, 4), generator=generator), x0)


def draw_nothing(generator: torch.Generator) -> Condition:
    return Condition.nothing(torch.randn((2, 6, 2, 4, 4), generator=generator))


def joint(weight: float = 0.5, also_free: bool = True) -> Joint:
    streams = [Stream("rerender", draw, flow(1), flow(2), 1.0, guidance=1.5)]
    if also_free:
        streams.append(Stream("free", draw_nothing, flow(3), flow(4), weight))
    return Joint(student(), streams, Settings(critic_steps=2))


def weights(trained: Joint) -> list[Tensor]:
    return [p.detach().clone() for p in trained.model.parameters()] + list(trained.average.weights.values())


def test_a_resumed_run_equals_an_unbroken_one(tmp_path: Path) -> None:
    unbroken, broken = joint(), joint()
    for number in range(3):
        unbroken.step(number)
    broken.step(0)
    Checkpoint(tmp_path / "jdmd.pt", broken.model, broken.optimizers, broken.average).save(1, 0.0)
    again = joint()
    kept = Checkpoint(tmp_path / "jdmd.pt", again.model, again.optimizers, again.average)
    for number in range(kept.step, 3):
        again.step(number)
    for one, other in zip(weights(unbroken), weights(again), strict=True):
        assert torch.equal(one, other)


def test_a_joint_weight_of_nothing_is_re_rendering_alone() -> None:
    none, alone, both = joint(0.0), joint(also_free=False), joint(0.5)
    for number in range(2):
        for trained in (none, alone, both):
            trained.step(number)
    for one, other in zip(none.student.parameters(), alone.student.parameters(), strict=True):
        assert torch.equal(one, other)
    assert any(
        not torch.equal(one, other)
        for one, other in zip(both.student.parameters(), alone.student.parameters(), strict=True)
    )


def test_one_batch_is_learnt_by_heart() -> None:
    """A teacher that knows one clip for each of two references alone: the student comes to make them."""
    goal = torch.tensor([1.0, -1.0])[:, None, None, None, None].expand(2, *SHAPE)
    condition = Condition(goal, torch.zeros(2, 3, 4, 4, 4), torch.zeros(2, *SHAPE))

    class Knows(Flow):
        def x0(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
            return goal

    torch.manual_seed(4)
    dit = CausalDiT(config("render_residual"))
    stream = Stream("rerender", lambda _: condition, Knows(flow(1).dit), flow(2), 1.0)
    trained = Joint(dit, [stream], Settings(student_rate=6e-3, critic_rate=1e-2, critic_steps=3))

    def error(last_step: int) -> float:
        with torch.no_grad():
            made = roll_out(dit, condition, torch.Generator().manual_seed(1), last_step=last_step)
        return float((made - goal).square().mean())

    assert error(3) > 1
    for number in range(100):
        trained.step(number, cosine(number / 100))
    for step in range(4):
        assert error(step) < 0.1, step
