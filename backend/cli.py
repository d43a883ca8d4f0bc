"""The command line: `inspatio serve | shot | scene | recover | download | doctor | bench`, also as `python -m backend`.

Exit codes: 0 done or asked to end, 1 failed, 2 bad arguments, 3 something needed is missing (`serve` says what in
one line of JSON, the others in a sentence), 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__, protocol
from .protocol.disk import write_whole
from .protocol.files import QUALITIES

if TYPE_CHECKING:
    from .download import Line
    from .recover import Asked

DONE, FAILED, BAD_ARGUMENTS, MISSING, INTERRUPTED = 0, 1, 2, 3, 130
SHORTEST_TOKEN = 16


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    parsed = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if parsed.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        return parsed.run(parsed)
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="inspatio", description="Generates what a moving camera sees in the world of a reference."
    )
    parser.add_argument("--version", action="version", version=f"inspatio {__version__}")
    parser.add_argument("--verbose", action="store_true", help="log more")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve the add-on; the token is read from INSPATIO_TOKEN")
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: this machine only)"
    )
    serve.add_argument("--port", type=int, default=0, help="port (default: one that is free)")
    serve.add_argument("--parent", type=int, metavar="PID", help="end when this process is gone")
    serve.set_defaults(run=_serve)

    shot = commands.add_parser("shot", help="generate a shot folder without Blender")
    shot.add_argument("folder", type=Path, help="holds shot.json and its reference; takes are written there")
    shot.add_argument("--preset", help="another preset than the shot's")
    shot.add_argument("--seed", type=int, help="another seed than the shot's")
    shot.add_argument("--quality", choices=QUALITIES, help="another quality than the shot's")
    shot.add_argument(
        "--continue",
        dest="number",
        type=int,
        nargs="?",
        const=0,
        metavar="TAKE",
        help="finish a stopped take: the one of this number, or the newest",
    )
    shot.add_argument(
        "--less-memory", action="store_true", help="need less of the device's memory than would fit, slower"
    )
    shot.set_defaults(run=_shot)

    _add_recover(commands)

    download = commands.add_parser("download", help="download the weights of a preset, or go on with it")
    download.add_argument(
        "preset",
        help="inspatio-1.3b or inspatio-1.5-1.3b, or a depth network: depth, depth-indoor, depth-outdoor",
    )
    download.add_argument(
        "--folder",
        type=Path,
        help="where weights lie (default: INSPATIO_WEIGHTS, or a folder of this user's)",
    )
    download.add_argument("--offline", action="store_true", help="only say whether everything is there")
    download.add_argument(
        "--json", action="store_true", help="tell the progress in lines of JSON: line, share, or error"
    )
    download.set_defaults(run=_download)

    _add_scene(commands)

    doctor = commands.add_parser("doctor", help="check whether everything that is needed is here and works")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    doctor.add_argument("--mark", type=Path, help="file to write the findings to once everything works")
    doctor.add_argument(
        "--plans", action="store_true", help="print what takes need on devices of 24, 16, 12 and 8 GB instead"
    )
    doctor.set_defaults(run=_doctor)

    bench = commands.add_parser("bench", help="measure speed and memory of the whole pipeline")
    bench.add_argument("--out", type=Path, default=Path("out/bench.json"), help="file to write")
    bench.add_argument(
        "--merge", type=Path, action="append", default=[], help="JSON with keys measured elsewhere"
    )
    bench.add_argument("--frames", type=int, default=97, help="frames to generate (default: %(default)s)")
    bench.add_argument("--preset", default="tiny", help="preset to measure (default: %(default)s, over HTTP)")
    bench.add_argument("--coverage", action="store_true", help="how long coverage takes, and nothing else")
    released = bench.add_argument_group("presets of released weights: every stage, and its floor")
    released.add_argument("--random-weights", action="store_true", help="needs no weights: they are made up")
    released.add_argument("--size", default="832x480", help="width and height (default: %(default)s)")
    released.add_argument(
        "--scale", type=int, default=1, help="divide channels and layers by this, for a CPU"
    )
    released.add_argument("--quality", choices=("draft", "final"), default="draft")
    released.add_argument("--precision", choices=("bf16", "fp8", "float32"), help="default: the device's")
    released.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, help="compile layers (default: on a GPU)"
    )
    released.add_argument(
        "--ahead",
        action=argparse.BooleanOptionalAction,
        help="prepare the next block beside this one (default: on a GPU)",
    )
    released.add_argument("--compiled", type=Path, help="folder where compiled layers are kept")
    released.add_argument(
        "--count", action="store_true", help="only count, and say what that takes on an H100 at least"
    )
    bench.set_defaults(run=_bench)
    return parser


def _add_scene(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    scene = commands.add_parser("scene", help="read and write the release's scene folders")
    ways = scene.add_subparsers(required=True, metavar="import | export")
    taken = ways.add_parser("import", help="a scene folder of version 1.5 or 1 becomes a shot folder")
    taken.add_argument("folder", type=Path, help="the scene folder: what is in it tells its version")
    taken.add_argument("out", type=Path, help="the shot folder to make")
    taken.add_argument(
        "--trajectory",
        type=Path,
        help="version 1: its three lines, where they aren't in trajectory.txt there",
    )
    given = ways.add_parser("export", help="a shot folder becomes a scene folder")
    given.add_argument("folder", type=Path, help="holds shot.json and its reference")
    given.add_argument("out", type=Path, help="the scene folder to make")
    given.add_argument("--version", choices=("1.5", "1"), default="1.5", help="default: %(default)s")
    for way, run in ((taken, _scene_import), (given, _scene_export)):
        way.add_argument("--json", action="store_true", help="tell the progress in lines of JSON")
        way.set_defaults(run=run)


def _add_recover(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    recover = commands.add_parser(
        "recover", help="make a reference of photographs or a video, and their depth"
    )
    recover.add_argument(
        "pictures",
        type=Path,
        nargs="+",
        help="one to four pictures, a video, a folder of frames, or a views file",
    )
    recover.add_argument("out", type=Path, help="folder of the reference, new")
    depth = recover.add_argument_group("depth")
    depth.add_argument(
        "--depth",
        nargs="+",
        default=[],
        metavar="MAP",
        help="depth maps (EXR, 16-bit PNG, NPY), a folder of them, or a network: depth, depth-indoor, depth-outdoor",
    )
    depth.add_argument(
        "--encoding", default="planar", choices=("planar", "ray", "inverse"), help="what the maps hold"
    )
    depth.add_argument(
        "--range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="what 0 and 65535 stand for; LOW 0: 0 is no depth",
    )
    depth.add_argument(
        "--known",
        type=float,
        nargs=5,
        metavar=("U0", "V0", "U1", "V1", "DISTANCE"),
        help="two pixels of the first view, and how far apart they are in the world",
    )
    camera = recover.add_argument_group("cameras of pictures without a views file")
    lens = camera.add_mutually_exclusive_group()
    lens.add_argument(
        "--fov", type=float, metavar="DEGREES", help="field of view across (default: EXIF, or 50 mm)"
    )
    lens.add_argument("--focal", type=float, metavar="MM", help="focal length on 35 mm film")
    camera.add_argument(
        "--camera", default="moving", choices=("moving", "static"), help="how a video was taken"
    )
    camera.add_argument("--size", help="width x height of the views (default: the picture's, at most 1280)")
    camera.add_argument("--every", type=int, default=1, help="use every so many frames of a video")
    camera.add_argument("--frames", type=int, help="use so many frames at most")
    camera.add_argument(
        "--first", type=int, default=1, help="scene frame of the first one (default: %(default)s)"
    )
    recover.add_argument(
        "--json", action="store_true", help="tell the progress in lines of JSON: line, share, or error"
    )
    recover.set_defaults(run=_recover)


def _serve(parsed: argparse.Namespace) -> int:
    try:
        from .life import say, serve
        from .presets import PresetError
        from .service import Service
    except (ImportError, OSError) as error:
        _say_missing(error)
        return MISSING
    token = os.environ.pop(protocol.TOKEN_VARIABLE, "")
    if len(token) < SHORTEST_TOKEN:
        sys.stderr.write(
            f"Set {protocol.TOKEN_VARIABLE} to a secret of at least {SHORTEST_TOKEN} characters: "
            "clients have to send it.\n"
        )
        return BAD_ARGUMENTS
    keep_to_own_cores()
    service = Service()
    try:
        service.warm("tiny")
    except PresetError as error:
        say({"inspatio": "error", "error": "weights_missing", "message": str(error)})
        return MISSING
    try:
        serve(service, token, parsed.host, parsed.port, parsed.parent)
    except OSError as error:
        message = f"Cannot listen at {parsed.host}: {error}."
        say({"inspatio": "error", "error": "cannot_listen", "message": message})
        return BAD_ARGUMENTS


def _shot(parsed: argparse.Namespace) -> int:
    from .shots import ShotError, generate_shot

    keep_to_own_cores()
    live = sys.stdout.isatty()

    def show(line: str) -> None:
        sys.stdout.write(f"\r{line:<78}" if live else f"{line}\n")
        sys.stdout.flush()

    try:
        folder = generate_shot(
            parsed.folder,
            parsed.preset,
            parsed.seed,
            parsed.number,
            show,
            parsed.quality,
            less_memory=parsed.less_memory,
        )
    except ShotError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    finally:
        if live:
            sys.stdout.write("\n")
    sys.stdout.write(f"{folder}\n")
    return DONE


def _recover(parsed: argparse.Namespace) -> int:
    try:
        from .recover import RecoverError, from_pictures, read_views, recover
    except (ImportError, OSError) as error:
        _tell(parsed.json, error=_missing(error))
        return MISSING

    def show(line: str, share: float | None) -> None:
        if parsed.json:
            _tell(True, line=line, share=share)
        else:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    keep_to_own_cores()
    try:
        pictures = parsed.pictures
        is_views = len(pictures) == 1 and pictures[0].suffix.lower() == ".json"
        request = read_views(pictures[0]) if is_views else from_pictures(pictures, _asked_to_recover(parsed))
        recover(request, parsed.out.absolute(), show)
    except RecoverError as error:
        _tell(parsed.json, error=str(error))
        return FAILED
    return DONE


def _asked_to_recover(parsed: argparse.Namespace) -> Asked:
    from .protocol.sources import DEPTH_NETWORKS
    from .recover import Asked, RecoverError
    from .recover.depths import DepthForm

    size = None
    if parsed.size is not None:
        width, _, height = parsed.size.partition("x")
        if not (
            width.isdigit() and height.isdigit() and 16 <= int(width) <= 8192 and 16 <= int(height) <= 8192
        ):
            raise RecoverError(f"--size is width x height, such as 832x480, not {parsed.size!r}.")
        size = int(width), int(height)
    if parsed.every < 1 or (parsed.frames is not None and parsed.frames < 1):
        raise RecoverError("--every and --frames are 1 or more.")
    network = parsed.depth[0] if len(parsed.depth) == 1 and parsed.depth[0] in DEPTH_NETWORKS else ""
    return Asked(
        () if network else tuple(Path(path) for path in parsed.depth),
        network,
        DepthForm(parsed.encoding, tuple(parsed.range) if parsed.range else None),
        parsed.fov,
        parsed.focal,
        size,
        (tuple(parsed.known[:4]), parsed.known[4]) if parsed.known else None,
        parsed.every,
        parsed.first,
        parsed.frames,
        parsed.camera,
    )


def _download(parsed: argparse.Namespace) -> int:
    from .protocol.sources import SOURCES, weights_folder

    try:
        from .download import DownloadError, download
    except ImportError as error:
        _tell(parsed.json, error=_missing(error))
        return MISSING
    folder = (parsed.folder or weights_folder()).expanduser().absolute()
    live = sys.stdout.isatty() and not parsed.json

    def show(line: Line) -> None:
        if parsed.json:
            _tell(True, line=line.text, share=line.share)
            return
        sys.stdout.write(
            (f"\r{line.text:<110}" if live else line.text) + ("" if live and line.passing else "\n")
        )
        sys.stdout.flush()

    every = 0.2 if live else 0.5 if parsed.json else 5.0
    try:
        download(parsed.preset, folder, show, offline=parsed.offline, every=every)
        if parsed.preset in SOURCES:
            _encode_neutral_prompt(parsed.preset, folder, show)
    except DownloadError as error:
        _tell(parsed.json, error=str(error))
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Run the same command again: it goes on from here.\n")
        raise
    return DONE


def _scene_import(parsed: argparse.Namespace) -> int:
    def convert(show: Callable[[str, float], None]) -> list[str]:
        from .scene_folders import import_scene

        import_scene(parsed.folder, parsed.out, show, trajectory=parsed.trajectory)
        return []

    return _convert(parsed, convert)


def _scene_export(parsed: argparse.Namespace) -> int:
    def convert(show: Callable[[str, float], None]) -> list[str]:
        from .scene_folders import export_scene

        return export_scene(parsed.folder, parsed.out, show, version=parsed.version)

    return _convert(parsed, convert)


def _convert(parsed: argparse.Namespace, convert: Callable[[Callable[[str, float], None]], list[str]]) -> int:
    """Convert a folder, with progress; what is lost is told at the end, before the folder's name."""
    live = sys.stdout.isatty() and not parsed.json
    every, shown = (0.1 if live or parsed.json else 5.0), float("-inf")

    def tell(text: str, **said: object) -> None:
        sys.stdout.write(f"{json.dumps(said) if parsed.json else text}\n")
        sys.stdout.flush()

    def show(text: str, share: float) -> None:
        nonlocal shown
        if share < 1 and time.monotonic() - shown < every:
            return
        shown = time.monotonic()
        if live:
            sys.stdout.write(f"\r{text:<78}")
            sys.stdout.flush()
        else:
            tell(text, line=text, share=round(share, 4))

    def fail(sentence: str, code: int) -> int:
        if parsed.json:
            tell("", error=sentence)
        else:
            sys.stderr.write(f"{sentence}\n")
        return code

    # Who ends this with a signal, as Blender does, is left with nothing half made, too.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from .scene_folders import SceneFolderError

        lost = convert(show)
    except ImportError as error:
        return fail(_missing(error), MISSING)
    except SceneFolderError as error:
        return fail(str(error), FAILED)
    finally:
        signal.signal(signal.SIGTERM, before)
        if live:
            sys.stdout.write("\n")
    for sentence in lost:
        tell(sentence, lost=sentence)
    if not parsed.json:
        tell(str(parsed.out))
    return DONE


def _encode_neutral_prompt(preset: str, folder: Path, show: Callable[[Line], None]) -> None:
    """Have the text encoder's work done that a take without a prompt would wait for."""
    from .download import Line

    show(Line("Encoding the neutral prompt", passing=True))
    try:
        from .presets.released import keep_neutral_prompt
    except ImportError as error:
        show(Line(f"The neutral prompt will be encoded with the first take: {_missing(error)}"))
        return
    from .presets import PresetError

    try:
        keep_neutral_prompt(preset, folder)
    except (PresetError, MemoryError, RuntimeError) as error:
        show(Line(f"The neutral prompt will be encoded with the first take ({error})"))


def _tell(as_json: bool, **said: object) -> None:
    """A line of progress for another program, or an error for a person."""
    if as_json:
        sys.stdout.write(
            json.dumps({name: value for name, value in said.items() if value is not None}) + "\n"
        )
        sys.stdout.flush()
    else:
        sys.stderr.write(f"{said['error']}\n")


def _doctor(parsed: argparse.Namespace) -> int:
    from .doctor import examine, plans, report

    if parsed.plans:
        sys.stdout.write(plans())
        return DONE
    findings = examine()
    sys.stdout.write(report(findings, as_json=parsed.json))
    if any(finding.state == "fail" for finding in findings):
        return FAILED
    if parsed.mark is not None:
        write_whole(parsed.mark, report(findings, as_json=True).encode(), durable=True)
    return DONE


def _bench(parsed: argparse.Namespace) -> int:
    from .bench import BenchError, measure

    try:
        if parsed.coverage:
            from .bench_coverage import measure as measure_coverage

            said = measure_coverage(parsed.out)
        elif parsed.preset == "tiny":
            said = measure(parsed.out, parsed.merge, parsed.frames)
        else:
            said = _stages(parsed)
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    sys.stdout.write(said)
    return DONE


def _stages(parsed: argparse.Namespace) -> str:
    from .bench import BenchError
    from .bench_released import Setting, count, measure

    keep_to_own_cores()
    width, _, height = parsed.size.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise BenchError(f"--size is width x height, such as 832x480, not {parsed.size!r}.")
    setting = Setting(
        parsed.preset,
        int(width),
        int(height),
        parsed.scale,
        parsed.quality,
        parsed.precision,
        parsed.compile,
        parsed.random_weights,
        parsed.ahead,
    )
    if parsed.count:
        return count(setting)
    return measure(setting, parsed.out, parsed.compiled, _say)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def keep_to_own_cores() -> None:
    """Keep torch to the cores that this process may run on: by itself it counts all that there are."""
    import torch

    if hasattr(os, "sched_getaffinity"):
        torch.set_num_threads(min(torch.get_num_threads(), len(os.sched_getaffinity(0))))


def _say_missing(error: Exception) -> None:
    """Tell the parent which package is missing; without `life`, which may be what cannot be imported."""
    said = {"inspatio": "error", "error": "package_missing", "message": _missing(error)}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _missing(error: Exception) -> str:
    lacks = (
        f"lacks {error.name}"
        if isinstance(error, ModuleNotFoundError)
        else f"cannot load a package ({error})"
    )
    root = Path(__file__).parent.parent
    return (
        f"The backend's Python {lacks}: press Set Up Backend in the add-on's preferences, or install what it needs "
        f'with "{sys.executable}" -m pip install "{root}".'
    )
