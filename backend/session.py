"""A session: one running take or preview, a block at a time, with all causal state in it.

One block of tiny at 256x144, n = 9 frames first, then 12:

    cameras (n)                      -> render: colour (n,3,144,256) with holes, known (n,144,256)     constraint
    render, holes completed          -> picture (n,3,144,256)                                         complete
    picture, known                   -> render latents (1,3,C,18,32), mask latents (1,3,4,18,32)       encode
    reference at these times         -> reference latents (1,3,C,18,32)                                 encode
    reference | previous prediction  -> cache (the generator reads the prompt here, if it reads text)   prefill
    noise of (seed, block)           -> latents (1,3,C,18,32) in four steps                             denoise
    latents                          -> frames (n,3,144,256)                                            decode
    frames, render                   -> frames with the reference's detail -> uint8 (n,144,256,3)       finish

Where the plan says so and the next cameras are known, the stages up to `encode` of the next block run beside this one's
from `denoise` on: what they make is a function of cameras and streams alone.

A step that fails or is cancelled leaves the session as it was before, so the same block can be asked for
again. `state` is the state between two blocks, `snapshot` the same as bytes: a session that goes to it goes on bit for
bit as the one it was taken of would have.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from .beside import Beside, side_stream
from .codec import Codec, Decoder, Encoder
from .constraint import compile_loops
from .constraint.geometry import depth_of_triangles
from .constraint.mask import mask_latents
from .constraint.splat import Render
from .constraint.views import choose_views
from .context import MovingContext, ReferenceContext, StillContext, render_world, scaled
from .finish import finish
from .model.accelerate import Show
from .model.sampler import Cancelled, sample_block
from .presets import LoadedPreset
from .protocol.blocks import block_size
from .protocol.cameras import Cameras
from .remember import Memory, recall, remember, visible
from .residency import Residency
from .state import State, StateError, dump, load
from .world import World

Cancel = Callable[[], bool]
StageOf = Callable[[str], AbstractContextManager[None]]
SNAPSHOT_FORM = "inspatio-session"
MAX_SIDE = 4096
"""Largest width or height of a generated frame, in pixels."""


class SessionError(ValueError):
    """A session cannot be made, stepped or restored with what it was given; the message says why."""


@dataclass(frozen=True)
class CameraBlock:
    """The target cameras of one block: times (n,), intrinsics (n, 3, 3), world_to_camera (n, 4, 4), float64.

    A time is a scene frame of the reference: the moment of a moving world that the frame shows.
    """

    times: Tensor
    intrinsics: Tensor
    world_to_camera: Tensor

    def equals(self, other: CameraBlock) -> bool:
        """Whether these are the very same cameras."""
        return all(torch.equal(mine, vars(other)[name]) for name, mine in vars(self).items())


@dataclass(frozen=True)
class Block:
    """What a step yields: frames uint8 (n, H, W, 3), coverage (n,) 0..1, milliseconds per stage."""

    frames: np.ndarray
    coverage: list[float]
    milliseconds: dict[str, float]


@dataclass(frozen=True)
class _Prepared:
    """What a block is denoised from, and the states of the streams that it came through.

    render: with what is remembered, `reached` (n, H, W): what the reference alone reaches. depth (n, H, W): the
    geometry's, where the session remembers.
    """

    cameras: CameraBlock
    render: Render
    reached: Tensor
    depth: Tensor | None
    completed: Tensor | None
    latents: Tensor
    mask: Tensor
    reference: Tensor
    render_state: dict[str, Tensor]
    reference_state: dict[str, Tensor]


class Session:
    """Generates the blocks of one take in order; see the module's docstring."""

    _encoder: Encoder
    _decoder: Decoder
    _ahead: _Prepared | None

    def __init__(
        self,
        preset: LoadedPreset,
        world: World,
        width: int,
        height: int,
        seed: int,
        prompt: str | None = None,
        keep_reference_detail: bool = True,
        quality: str = "final",
        remember: bool = False,
    ) -> None:
        """Raises SessionError for a size that the preset cannot have, PresetError where weights are missing.

        remember: what is generated in holes is shown again later. Raises SessionError for a world without geometry.
        """
        check_size(preset.preset.multiple, width, height)
        if remember and world.geometry is None:
            raise SessionError(
                "Remember needs a reference with geometry: capture it again with geometry, or switch Remember off."
            )
        self._preset = preset
        self._autoencoder = preset.autoencoder(quality)
        self._residency = Residency(
            preset.plan, preset.networks, preset.dit, self._autoencoder.codec, preset.device
        )
        self._world = world
        self._height, self._width = height, width
        self._seed = seed
        self._prompt = " ".join((prompt or "").split())
        self._residency.use("generator")
        self._text = preset.text(self._prompt)
        self._residency.use(None)
        self._keep_reference_detail = keep_reference_detail
        self._context = _context(self._residency.codec, world, height, width, preset.device.torch_device)
        # A block that remembers waits for the frames of the one before it.
        self._ahead_planned = preset.plan.ahead and not remember
        self._side = side_stream(preset.device.torch_device) if self._ahead_planned else None
        self._geometry = (
            world.geometry.to(preset.device.torch_device) if remember and world.geometry is not None else None
        )
        self._has_sky = remember and bool(world.depth.isinf().any())
        self._state = self._start()
        self._take_up(self._state)

    @property
    def digest(self) -> str:
        """Changes with the weights that the session uses."""
        return self._autoencoder.digest

    @property
    def next_block(self) -> int:
        """Number of the block that the next step generates."""
        return self._state.block

    def warm_up(self, show: Show = lambda text, share: None, cancelled: Cancel = lambda: False) -> None:
        """Have the first block take no longer than later ones, once for all takes of this shape. Before the first step.

        The warp's loops and layers are compiled, then two blocks are generated that nobody sees. Raises Cancelled when
        asked to.
        """
        if self._preset.warp == "surface":
            compile_loops(lambda: show("Compiling the warp", 0.0))
        accelerator, device = self._preset.accelerator, self._preset.device.torch_device
        shape = self._width, self._height, self._autoencoder.digest, self._world.kind, self._preset.plan
        if accelerator is None or not accelerator.warms_up or shape in accelerator.warm:
            return
        self._residency.use("generator")
        try:
            accelerator.warm_up(
                self._height // 8, self._width // 8, lambda text, share: show(text, share * 2 / 3), cancelled
            )
        finally:
            self._residency.use(None)
        if device.type == "cuda":
            for block, text in enumerate(("the first block", "a later block")):
                show(f"Trying {text}", (2 + block / 2) / 3)
                self.step(self._first_camera(block), cancelled)
            self._state = self._start()
            self._take_up(self._state)
        accelerator.warm.add(shape)

    def _start(self) -> State:
        """The state before the first block."""
        if self._geometry is None:
            return State()
        return State(memory=Memory.empty(self._height, self._width, self._geometry.device))

    def _first_camera(self, block: int) -> CameraBlock:
        """Cameras of a block that stand where the reference's first view does."""
        world, count = self._world, block_size(block)
        rows, columns = world.size
        lens = scaled(world.intrinsics[:1], self._width / columns, self._height / rows)
        return CameraBlock(
            world.frames[:1].expand(count),
            lens.expand(count, -1, -1),
            world.world_to_camera[:1].expand(count, -1, -1),
        )

    @torch.inference_mode()
    def step(
        self,
        cameras: CameraBlock,
        cancelled: Cancel = lambda: False,
        following: CameraBlock | None = None,
    ) -> Block:
        """Generate the next block. following: the cameras of the block after it, if they are known.

        Raises SessionError for a wrong number of cameras, Cancelled when asked to.
        """
        expected = block_size(self._state.block)
        if len(cameras.times) != expected:
            raise SessionError(f"Block {self._state.block} has {expected} frames, got {len(cameras.times)}.")
        try:
            with _interruptible(self._networks(), cancelled):
                return self._step(cameras, cancelled, following)
        except BaseException:
            self._take_up(self._state)
            self._residency.use(None)
            raise

    def _step(self, cameras: CameraBlock, cancelled: Cancel, following: CameraBlock | None) -> Block:
        block, device = self._state.block, self._preset.device.torch_device
        clock = _Stages(cancelled, device, self._residency)
        now = self._prepared(cameras, clock.stage)
        with clock.stage("prefill"):
            cache = self._preset.dit.prefill(now.reference, self._state.previous, self._text)
        beside = self._begin_beside(following)
        try:
            with clock.stage("denoise"):
                x0 = sample_block(
                    self._preset.dit,
                    cache,
                    now.mask,
                    now.latents,
                    self._noise(block, 0, now.latents),
                    lambda step: self._noise(block, step + 1, now.latents),
                    self._text,
                    cancelled,
                    schedule=self._preset.schedule,
                )
                del cache  # The largest thing there is, and the decoder needs the room.
            with clock.stage("decode"):
                frames = self._decoder.push(x0)[0].float()
            with clock.stage("finish"):
                memory, render = self._remembered(frames, now)
                if self._keep_reference_detail:
                    recalled = None if memory is None else render.known & ~now.reached
                    frames = finish(frames, render, now.completed, recalled)
                codes = _codes(frames)
                pictures = np.ascontiguousarray(rearrange(codes, "n c h w -> n h w c").cpu().numpy())
        finally:
            ahead = None if beside is None else beside.result()
        self._state = State(
            block + 1, x0, now.render_state, now.reference_state, self._decoder.state(), memory
        )
        if beside is not None and ahead is None:
            self._take_up(self._state)  # Its streams may have gone on before it failed.
        self._ahead = ahead
        return Block(pictures, now.reached.float().mean(dim=(1, 2)).tolist(), clock.milliseconds)

    def _prepared(self, cameras: CameraBlock, stage: StageOf) -> _Prepared:
        """The next block's, which may have been prepared beside the one before, for the very same cameras."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.cameras.equals(cameras):
            for name in ("render", "complete", "encode"):
                with stage(name):
                    pass
            return ahead
        if ahead is not None:
            self._take_up(self._state)  # Its streams have gone on for other cameras.
        return self._prepare(self._state.block, cameras, stage)

    def _prepare(self, block: int, cameras: CameraBlock, stage: StageOf) -> _Prepared:
        with stage("render"):
            render = render_world(
                self._world,
                cameras.times,
                cameras.intrinsics,
                cameras.world_to_camera,
                self._height,
                self._width,
                self._preset.device.torch_device,
                self._preset.warp,
            )
            depth, memory, reached = None, self._state.memory, render.known
            if self._geometry is not None and memory is not None:
                placed = cameras.intrinsics, cameras.world_to_camera
                depth = depth_of_triangles(self._geometry, *placed, (self._height, self._width))
                if not self._has_sky:  # Beyond stand-ins there may be anything.
                    depth = torch.where(depth.isinf(), 0.0, depth)
                render = visible(render, depth)
                reached = render.known
                render = recall(memory, render, depth, *placed)
        with stage("complete"):
            completion = self._preset.completion
            completed = None if completion is None else completion.complete(render)
        with stage("encode"):
            picture = render.colour if completed is None else completed
            latents = self._encoder.push(picture[None])
            mask = mask_latents(render.known, first=block == 0)[None]
            reference = self._context.latents(block, cameras.times, self._views(render))
        states = self._encoder.state(), self._context.state()
        return _Prepared(cameras, render, reached, depth, completed, latents, mask, reference, *states)

    def _remembered(self, frames: Tensor, now: _Prepared) -> tuple[Memory | None, Render]:
        """The memory after a block of generated frames (n, 3, H, W), and the render that these are finished with.

        What the block's own keyframes show of its frames counts there as recalled: a place looks the same all through
        a block, and as it will when the camera comes back.
        """
        if self._state.memory is None or now.depth is None:
            return None, now.render
        placed = now.cameras.intrinsics, now.cameras.world_to_camera
        return remember(self._state.memory, _codes(frames), now.render, now.depth, *placed)

    def _begin_beside(self, following: CameraBlock | None) -> Beside[_Prepared] | None:
        """Begin to prepare the block after this one, if the plan says so."""
        if following is None or not self._ahead_planned:
            return None
        number = self._state.block + 1
        return Beside(lambda: self._prepare(number, following, lambda name: nullcontext()), self._side)

    def _networks(self) -> list[nn.Module]:
        """The networks that a step runs through."""
        networks = self._preset.dit, self._autoencoder.codec, self._preset.completion
        return [network for network in networks if isinstance(network, nn.Module)]

    def _views(self, render: Render) -> list[int]:
        """The view that each of the block's three context latents shows."""
        if self._world.kind != "stills":
            return [0, 0, 0]
        return list(choose_views(render.per_view_known))

    def _noise(self, block: int, step: int, like: Tensor) -> Tensor:
        """Noise of a block: of its start (step 0), or added after `step` denoising steps. Same on every device."""
        key = hashlib.sha256(f"inspatio {self._seed} {block} {step}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(key[:8], "little") >> 1)
        return torch.randn(like.shape, generator=generator).to(like)

    @property
    def state(self) -> State:
        """The state after the last finished block: it may be kept, and be gone back to."""
        return self._state

    def go_to(self, state: State) -> None:
        """Go on from a state of this session's, wherever it has been kept."""
        bring, states = self._preset.device.bring, self._residency.keeps_state_on
        state = state.moved(bring, bring if states.type != "cpu" else lambda tensor: tensor)
        self._take_up(state)
        self._state = state

    @property
    def snapshot_bytes(self) -> int:
        """About how large a snapshot would be now."""
        return self._state.bytes

    def snapshot(self) -> bytes:
        """The state after the last finished block, as safetensors."""
        return dump(self._state, self._identity())

    def restore(self, data: bytes) -> None:
        """Go on from a snapshot. Raises SessionError for one of another session, or one that is damaged."""
        try:
            self.go_to(load(data, self._identity(), self._height, self._width))
        except StateError as error:
            raise SessionError(str(error)) from None
        except (KeyError, RuntimeError, ValueError) as error:
            self._take_up(self._state)
            raise SessionError(f"The saved state is damaged ({error}): start a new take.") from None

    def _identity(self) -> dict[str, str]:
        """What a snapshot must have in common with the session that takes it up."""
        remembers = {} if self._geometry is None else {"remember": "true"}
        return {
            **remembers,
            "form": SNAPSHOT_FORM,
            "preset": self._autoencoder.digest,
            "size": f"{self._width}x{self._height}",
            "seed": str(self._seed),
            "prompt": hashlib.sha256(self._prompt.encode()).hexdigest(),
        }

    def _take_up(self, state: State) -> None:
        """Fresh codec streams that stand where `state` does."""
        codec = self._residency.codec
        self._ahead = None
        self._encoder, self._decoder = codec.encoder(), codec.decoder()
        self._context.restart()
        if state.block:
            self._encoder.restore(state.render)
            self._decoder.restore(state.decoder)
            self._context.restore(state.reference)


def camera_block(cameras: Cameras) -> CameraBlock:
    """Cameras as the tensors that a session takes."""
    return CameraBlock(
        torch.tensor(cameras.times, dtype=torch.float64),
        torch.tensor(cameras.intrinsics, dtype=torch.float64).view(-1, 3, 3),
        torch.tensor(cameras.world_to_camera, dtype=torch.float64).view(-1, 4, 4),
    )


def _codes(frames: Tensor) -> Tensor:
    """Pictures in [-1, 1] as 8-bit codes."""
    return ((frames.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def check_size(multiple: int, width: int, height: int) -> None:
    """Raises SessionError unless both sides are multiples of `multiple`, at most MAX_SIDE; offers the nearest size."""
    near = [
        min(max(multiple, multiple * round(side / multiple)), MAX_SIDE // multiple * multiple)
        for side in (width, height)
    ]
    if near != [width, height]:
        raise SessionError(
            f"Width and height must be multiples of {multiple}, at most {MAX_SIDE}, got {width}x{height}: "
            f"{near[0]}x{near[1]} is the nearest size."
        )


def _context(codec: Codec, world: World, height: int, width: int, device: torch.device) -> ReferenceContext:
    kind = MovingContext if world.kind == "moving" else StillContext
    return kind(codec, world, height, width, device)


@contextmanager
def _interruptible(networks: list[nn.Module], cancelled: Cancel) -> Iterator[None]:
    """Ask `cancelled` before every layer of generator and autoencoder, so that long passes end soon, too."""

    def check(*_: object) -> None:
        if not torch.compiler.is_compiling() and cancelled():
            raise Cancelled

    hooks = [module.register_forward_pre_hook(check) for network in networks for module in network.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Stages:
    """Times the stages of a step, has what each uses in its place, and ends the step when it is cancelled."""

    def __init__(self, cancelled: Cancel, device: torch.device, residency: Residency) -> None:
        self._cancelled = cancelled
        self._residency = residency
        self._device = device
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        if self._cancelled():
            raise Cancelled
        start = time.perf_counter()
        self._residency.stage(name)
        yield
        if self._device.type == "cuda":  # A kernel's launch returns before its work is done.
            torch.cuda.current_stream(self._device).synchronize()
        self.milliseconds[name] = round((time.perf_counter() - start) * 1000, 2)
