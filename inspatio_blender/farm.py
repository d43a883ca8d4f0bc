"""A job for a render farm: an Open Job Description bundle that generates shots. Knows nothing of Blender.

    FOLDER/template.yaml            what runs: a task for each shot, or a step for each piece of one that is cut
    FOLDER/parameter_values.yaml    what the farm's own settings are, to be changed by hand
    FOLDER/asset_references.yaml    every file that the job reads
    FOLDER/shots/SHOT/              shot folders, as `export.py` makes them
    FOLDER/takes/SHOT/take_001/     where the frames come to lie

A shot is causal: a frame needs all before it, so a shot is one task, and shots run side by side. A long one may be cut
where its take's state is kept: then each piece is a step that goes on where the one before has ended, on whatever
machine. Every task may be run again: it goes on with its take, and does nothing where that is there.

All paths are relative to FOLDER. It comes into being whole, and nothing is ever overwritten.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..backend.protocol.blocks import NEXT_BLOCK, blocks_of
from ..backend.protocol.files import REFERENCE_FILE, SHOT_FILE, Shot, read_reference
from .export import ExportError, export_shot, numbered
from .versions import REFERENCE_FOLDER, Tell

SHOTS_FOLDER, TAKES_FOLDER = "shots", "takes"
MAX_SHOTS = 1024
"""Most tasks of a step, by the specification."""
MAX_PIECES = 256
"""Most pieces of a shot: each is a step that begins a process and loads the weights."""
NOTICE_S = 30
"""Seconds that a task has to put its take away when it is cancelled."""
STEP_LETTERS = 64
NAME_LETTERS = 128


@dataclass(frozen=True)
class Work:
    """One shot of a job: the shot, the folder of its reference, and whether it takes a GPU to generate it.

    name: of its folder, no other's. keeps_state: whether it can be cut: the state of a take of the largest kind is too
    large to be kept, so every piece would generate those before it again.
    """

    name: str
    shot: Shot
    reference: Path
    needs_gpu: bool
    keeps_state: bool

    def pieces(self, every: int) -> list[float]:
        """The scene frames at which the pieces end that it is cut into, each of at most `every` frames; 0: one piece.

        A piece is of whole blocks, and of one at least.
        """
        spans = blocks_of(len(self.shot.cameras))
        frames = self.shot.cameras.frames
        if not every or not self.keeps_state:
            return [frames[-1]]
        every = max(every, len(frames) // MAX_PIECES + NEXT_BLOCK)
        ends: list[float] = []
        count = 0
        for span, following in zip(spans, [*spans[1:], None], strict=True):
            count += span.count
            if following is None or count + following.count > every:
                ends.append(frames[span.stop - 1])
                count = 0
        return ends


def export_job(
    name: str, works: Sequence[Work], parent: Path, every: int = 0, tell: Tell = lambda _line, _share: None
) -> Path:
    """The folder `name` below `parent` that holds the job; where there is one already, a number is added to its name.

    every: how many frames of a shot are a task at most, 0: all. `tell` hears how far it is, and ends it by raising.
    Raises ExportError, and FileFormatError for a reference of which something is missing.
    """
    if len(works) > MAX_SHOTS:
        raise ExportError(f"A job has at most {MAX_SHOTS} shots, these are {len(works)}: export some of them")
    temporary = parent / f".{name}.{os.getpid()}.tmp"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        (temporary / SHOTS_FOLDER).mkdir(parents=True)
        for number, work in enumerate(works):

            def tell_part(line: str, share: float, number: int = number) -> None:
                tell(line, (number + share) / len(works))

            export_shot(work.shot, work.reference, temporary / SHOTS_FOLDER, work.name, tell_part)
        for file, content in (
            ("template.yaml", template(name, works, every)),
            ("parameter_values.yaml", parameter_values()),
            ("asset_references.yaml", asset_references(works)),
        ):
            (temporary / file).write_text(yaml(content) + "\n", encoding="utf-8")
        folder = next(path for path in numbered(parent, name) if not os.path.lexists(path))
        os.rename(temporary, folder)
        return folder
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ExportError(f"No job can be exported to {parent}: {reason}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def template(name: str, works: Sequence[Work], every: int) -> dict[str, Any]:
    """The job template, of the revision 2023-09 without extensions."""
    whole: dict[bool, list[str]] = {}
    chains: list[dict[str, Any]] = []
    taken: set[str] = set()
    for work in works:
        ends = work.pieces(every)
        if len(ends) == 1:
            whole.setdefault(work.needs_gpu, []).append(work.name)
        else:
            chains += _chain(work, ends, taken)
    steps = [
        _step(
            "Shots (GPU)" if needs_gpu else "Shots",
            "{{Task.Param.Shot}}",
            needs_gpu,
            parameterSpace={"taskParameterDefinitions": [{"name": "Shot", "type": "STRING", "range": names}]},
        )
        for needs_gpu, names in whole.items()
    ]
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "name": _plain(f"InSpatio {name}")[:NAME_LETTERS],
        "description": "Generates the shots of a film from their references: a task for each, or a chain of steps.",
        "parameterDefinitions": [
            _folder(
                "Shots", SHOTS_FOLDER, "IN", "Shot folders", "The shots, with their cameras and references."
            ),
            _folder(
                "Takes", TAKES_FOLDER, "OUT", "Takes", "Where the frames are written, a folder for each shot."
            ),
            {
                "name": "InspatioCommand",
                "type": "STRING",
                "default": "inspatio",
                "minLength": 1,
                "description": "The command inspatio of the worker: a name on its PATH, or a whole path.",
                "userInterface": {"control": "LINE_EDIT", "label": "Command on the workers"},
            },
        ],
        "steps": [*steps, *chains],
    }


def parameter_values() -> dict[str, Any]:
    """What Deadline Cloud reads beside the template."""
    values = {
        "InspatioCommand": "inspatio",
        "deadline:targetTaskRunStatus": "READY",
        "deadline:maxFailedTasksCount": 20,
        "deadline:maxRetriesPerTask": 5,
        "deadline:priority": 50,
    }
    return {"parameterValues": [{"name": name, "value": value} for name, value in values.items()]}


def asset_references(works: Sequence[Work]) -> dict[str, Any]:
    """Every file that the job reads, found as who generates finds it: shot.json, its reference.json, its views.

    What it writes is said by the parameter Takes.
    """
    names: list[str] = []
    for work in works:
        folder = f"{SHOTS_FOLDER}/{work.name}"
        version = f"{folder}/{REFERENCE_FOLDER}/{work.reference.name}"
        names += [f"{folder}/{SHOT_FILE}", f"{version}/{REFERENCE_FILE}"]
        names += [f"{version}/{name}" for name in read_reference(work.reference).file_names]
    return {
        "assetReferences": {
            "inputs": {"filenames": names, "directories": []},
            "outputs": {"directories": []},
            "referencedPaths": [],
        }
    }


def yaml(content: Any, indent: str = "") -> str:
    """Dictionaries, lists, strings and whole numbers as YAML in blocks; strings are quoted, so that none is misread."""
    if isinstance(content, dict) and content:
        return "\n".join(f"{indent}{key}:{_nested(value, indent)}" for key, value in content.items())
    if isinstance(content, list) and content:
        items = (yaml(item, f"{indent}  ") for item in content)
        return "\n".join(f"{indent}- {item.removeprefix(f'{indent}  ')}" for item in items)
    return f"{indent}{_scalar(content)}"


def _nested(value: Any, indent: str) -> str:
    if isinstance(value, (dict, list)) and value:
        return "\n" + yaml(value, f"{indent}  ")
    return f" {_scalar(value)}"


def _scalar(value: Any) -> str:
    """A scalar, or an empty collection. JSON's form is YAML's, but for characters that YAML wants escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in text)


def _chain(work: Work, ends: Sequence[float], taken: set[str]) -> list[dict[str, Any]]:
    """A step for each piece of a shot, after the one before; `taken` are names that steps have already."""
    steps: list[dict[str, Any]] = []
    before, first = "", work.shot.cameras.frames[0]
    for end in ends:
        piece = f", to frame {end:g}"
        title, number = f"{work.name[: STEP_LETTERS - len(piece)]}{piece}", 1
        while title in taken:
            number += 1
            piece = f", to frame {end:g} ({number})"
            title = f"{work.name[: STEP_LETTERS - len(piece)]}{piece}"
        taken.add(title)
        after = {"dependencies": [{"dependsOn": before}]} if before else {}
        text = f"Frames {first:g} to {end:g}" if before == "" else f"On to frame {end:g}"
        steps.append(
            _step(title, work.name, work.needs_gpu, end, description=f"{text} of {work.name}.", **after)
        )
        before = title
    return steps


def _step(name: str, shot: str, needs_gpu: bool, until: float | None = None, **more: Any) -> dict[str, Any]:
    """A step that makes the first take of a shot, as far as frame `until`."""
    options = [] if until is None else ["--until", repr(int(until) if until == int(until) else until)]
    gpu = {"hostRequirements": {"amounts": [{"name": "amount.worker.gpu", "min": 1}]}}
    run = {
        "command": "{{Param.InspatioCommand}}",
        "args": [
            "shot",
            f"{{{{Param.Shots}}}}/{shot}",
            "--out",
            f"{{{{Param.Takes}}}}/{shot}",
            "--take",
            "1",
            *options,
            "--openjd",
        ],
        "cancelation": {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": NOTICE_S},
    }
    return {"name": name, **more, **(gpu if needs_gpu else {}), "script": {"actions": {"onRun": run}}}


def _folder(name: str, default: str, flow: str, label: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "PATH",
        "objectType": "DIRECTORY",
        "dataFlow": flow,
        "default": default,
        "description": description,
        "userInterface": {"control": "CHOOSE_DIRECTORY", "label": label},
    }


def _plain(text: str) -> str:
    """Text in which nothing is a format string, and no letter controls anything."""
    return "".join(letter for letter in text if letter.isprintable()).replace("{{", "(").replace("}}", ")")
