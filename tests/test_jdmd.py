"""Joint distribution matching distillation: against closed forms, and on networks small enough to train in seconds."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from backend.model import CausalDiT, GeneratorConfig
from backend.training.jdmd.condition import Condition, per_clip
from backend.training.jdmd.dmd import answers, dmd_loss
from backend.training.jdmd.flow import Flow, draw_sigmas, flow_loss, noised
from backend.training.jdmd.joint import Joint, Settings, Stream
from backend.training.jdmd.rollout import roll_out
from backend.training.jdmd.spread import Spread
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


def test_a_network_that_says_nothing_answers_the_best_guess() -> None:
    """Of clips that are normal around their render, or around zero where there is none: exact, channel by channel."""
    torch.manual_seed(0)
    dit = CausalDiT(config("flow"))
    for parameter in dit.head.head.parameters():
        torch.nn.init.zeros_(parameter)
    render, mask = torch.full((1, *SHAPE), 0.5), torch.ones(1, 3, 4, 4, 4)
    mask[..., :2] = -1  # the left half is a hole
    scale = torch.tensor([0.3, 0.9])[:, None, None].repeat(1, 4, 4)
    scale[..., :2] *= 2
    examples = [
        {"truth": render[0] + scale * random(*SHAPE, seed=seed), "render": render[0], "mask": mask[0]}
        for seed in range(60)
    ]
    spread = Spread.of(examples)
    covered, holes, nothing = spread.local()[:, 0].sqrt()
    torch.testing.assert_close(covered, torch.tensor([0.3, 0.9]), rtol=0.07, atol=0)
    torch.testing.assert_close(holes, torch.tensor([0.6, 1.8]), rtol=0.07, atol=0)
    # Grain, to the last digit: what is far away tells nothing then.
    torch.testing.assert_close(spread.power()[:2], torch.ones_like(spread.power()[:2]), rtol=0, atol=0.6)
    spread.squares.copy_(spread.counts.expand_as(spread.squares))
    flow, sigma, noisy = Flow(dit, spread), torch.tensor([0.6]), random(1, *SHAPE, seed=99)
    told, freely = Condition(render, mask, render), Condition.nothing(render)
    for condition, mean, left, right in (
        (told, 0.5, holes, covered),
        (freely, 0.0, nothing, nothing),
    ):
        answer = flow.x0(noisy, sigma, condition)
        for channel in range(2):
            for columns, deviation in ((slice(0, 2), left), (slice(2, 4), right)):
                exact = Gaussian(mean, float(deviation[channel])).x0(noisy, sigma, condition)
                place = (..., channel, slice(None), columns)
                torch.testing.assert_close(answer[place], exact[place], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        noisy - 0.6 * flow.velocity(noisy, sigma, told), flow.x0(noisy, sigma, told), atol=1e-5, rtol=1e-5
    )
    # What the network says of the clip moves what is expected of it, at every level of noise.
    torch.nn.init.constant_(dit.head.head.bias, 0.25)
    exact = Gaussian(0.75, float(covered[0])).x0(noisy, sigma, told)
    torch.testing.assert_close(
        flow.x0(noisy, sigma, told)[:, :, 0, :, 2:], exact[:, :, 0, :, 2:], atol=1e-5, rtol=1e-5
    )
    closer = Spread.of(examples, lambda index: 0.5 * (examples[index]["truth"] + render[0]))
    torch.testing.assert_close(closer.local()[1], spread.local()[1] / 4)
    torch.nn.init.zeros_(dit.head.head.bias)
    # The error is counted in units of how uncertain the guess is: 1 on the mean.
    generator = torch.Generator().manual_seed(0)
    losses = [flow_loss(flow, each["truth"][None], told, generator).item() for each in examples]
    assert sum(losses) / len(losses) == pytest.approx(1.0, abs=0.1)


def smooth(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Clips (count, 6, 1, 8, 8) that are normal and smooth over time and picture, and their covariance (384, 384)."""
    place = torch.arange(8.0)
    near = torch.exp(-(place[:, None] - place).abs() / 6) + 0.05 * torch.eye(8)
    covariance = torch.kron(torch.kron(near[:6, :6], near), near)
    drawn = random(count, 384, seed=seed) @ torch.linalg.cholesky(covariance).T
    return drawn.view(count, 6, 1, 8, 8), covariance


def test_a_guess_knows_what_is_smooth_from_grain() -> None:
    """Nearly as good as the exact answer of the distribution, with its whole covariance; also at another size."""
    drawn, covariance = smooth(200, 1)
    spread = Spread.of([{"truth": clip} for clip in drawn])
    x0, noise, sigma = smooth(50, 2)[0], random(50, 6, 1, 8, 8, seed=3), torch.full((50,), 0.6)
    noisy = noised(x0, sigma, noise)
    exact = 0.4 * covariance @ torch.linalg.inv(0.16 * covariance + 0.36 * torch.eye(384))
    best = (noisy.view(50, -1) @ exact.T - x0.view(50, -1)).square().mean()
    nothing = torch.zeros_like(x0)
    guess, deviation = spread.guess(nothing, noisy, sigma, Condition.nothing(x0))
    error = (guess - x0).square().mean()
    assert error < 1.15 * best, (error, best)
    assert float(deviation.square().mean()) == pytest.approx(float(error), rel=0.15)
    grain = Spread.of([{"truth": clip} for clip in drawn])
    grain.squares.copy_(grain.counts.expand_as(grain.squares))
    assert error < 0.5 * (grain.guess(nothing, noisy, sigma, Condition.nothing(x0))[0] - x0).square().mean()
    part = (..., slice(0, 6), slice(1, 8))
    guess, _ = spread.guess(nothing[part], noisy[part], sigma, Condition.nothing(x0[part]))
    assert (guess - x0[part]).square().mean() < 1.3 * best


def test_more_is_lacking_where_the_render_is_rich() -> None:
    render, mask, flat, rich = torch.zeros(3, 2, 16, 16), torch.ones(3, 4, 16, 16), slice(0, 6), slice(10, 16)
    render[..., 8:] = random(3, 2, 16, 8)
    size = torch.where(torch.arange(16) < 8, 0.05, 0.6)
    examples = [
        {"truth": render + size * random(3, 2, 16, 16, seed=seed), "render": render, "mask": mask}
        for seed in range(1, 9)
    ]
    spread = Spread.of(examples)
    least, *_, most = spread.local()[0].mean(dim=1).sqrt().tolist()
    assert least == pytest.approx(0.05, rel=0.1) and most == pytest.approx(0.6, rel=0.1)
    half, condition = torch.tensor([0.5]), Condition(render[None], mask[None], render[None])
    noisy = noised(examples[0]["truth"][None], half, random(1, 3, 2, 16, 16, seed=50))
    guess, deviation = spread.guess(render[None], noisy, half, condition)
    moved = (guess - render).square()
    assert moved[..., flat].mean().sqrt() < 0.02 and moved[..., rich].mean().sqrt() > 0.2
    assert deviation[..., flat].mean() < 0.06 and deviation[..., rich].mean() > 0.3


def test_what_is_counted_later_outweighs_what_was_before() -> None:
    x0, spread = random(4, *SHAPE), Spread(2)
    told = Condition(x0, torch.ones(4, 3, 4, 4, 4), torch.ones_like(x0))
    for deviation, times in ((1.0, 1), (0.1, 200)):
        for _ in range(times):
            spread.add(deviation * x0, told, torch.zeros_like(x0), kept=0.9)
    places = int(torch.nonzero(spread.local_counts[0, :, 0]).amax())
    assert float(spread.local()[0, places].mean()) == pytest.approx(0.01, rel=0.5)
    assert float(spread.power()[0].mean()) == pytest.approx(1, rel=0.3)


def test_a_critic_knows_the_spread_of_what_the_student_makes() -> None:
    """Counted before the first step, in place of its teacher's, and step by step: with it a run is taken up again."""

    def spread_flow(seed: int) -> Flow:
        spread = Spread(2)
        for each in range(20):
            x0 = 3 * random(2, 6, 2, 4, 4, seed=each)
            spread.add(x0, Condition.nothing(x0), torch.zeros_like(x0))
        return Flow(flow(seed).dit, spread)

    teacher, critic = spread_flow(1), spread_flow(1)
    trained = Joint(student(), [Stream("free", draw_nothing, teacher, critic, 1.0)], Settings(critic_steps=1))
    before = spread_flow(1).spread.local()
    trained.step(0)
    torch.testing.assert_close(teacher.spread.local(), before)
    first = critic.spread.local().clone()
    generator, condition = torch.Generator().manual_seed(0), draw_nothing(torch.Generator())
    with torch.no_grad():
        made = roll_out(trained.student, condition, generator)
    apart = float((made - critic.expected(condition, generator)).square().mean())
    assert float(before[2, 0].mean()) == pytest.approx(9, rel=0.2)
    assert float(first[2, 0].mean()) == pytest.approx(apart, rel=0.5) and not 6 < apart < 12
    trained.step(1)
    assert not torch.equal(critic.spread.local(), first)
    assert {"free_spread.squares", "free_spread.local_squares"} < set(trained.model.state_dict())


def test_a_critic_forgets_all_of_its_teachers_spread() -> None:
    """Kinds of latents that come up later in the counting, too: here the first batch has no holes."""

    def spread_flow(seed: int) -> Flow:
        spread = Spread(2)
        for mask in (0.0, 1.0):
            x0 = 3 * random(2, 6, 2, 4, 4)
            spread.add(x0, Condition(x0, x0.new_full((2, 6, 4, 4, 4), mask), x0), torch.zeros_like(x0))
        return Flow(flow(seed).dit, spread)

    drawn = []

    def draw(generator: torch.Generator) -> Condition:
        drawn.append(generator)
        condition = conditions()
        return replace(condition, mask=torch.full_like(condition.mask, float(len(drawn) == 1)))

    teacher, critic = spread_flow(1), spread_flow(1)
    Joint(student(), [Stream("rerender", draw, teacher, critic, 1.0)], Settings(critic_steps=1)).step(0)
    before, after = (each.spread.local().amax(dim=(1, 2)) for each in (teacher, critic))
    assert before[1] > 4 and after[1] < before[1] / 2


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
    trained = Joint(dit, [stream], Settings(student_rate=6e-3, critic_rate=3e-3, critic_steps=3))

    def error(last_step: int) -> float:
        with torch.no_grad():
            made = roll_out(dit, condition, torch.Generator().manual_seed(1), last_step=last_step)
        return float((made - goal).square().mean())

    assert error(3) > 1
    for number in range(100):
        trained.step(number, cosine(number / 100))
    for step in range(4):
        assert error(step) < 0.1, step
