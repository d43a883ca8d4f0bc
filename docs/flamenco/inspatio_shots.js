// A job type of Flamenco: the shots of a job that InSpatio's Export Job wrote. See docs/farm.md.
// Put this file into the folder "scripts" beside flamenco-manager.

const JOB_TYPE = {
    label: "InSpatio Shots",
    description: "Generates the shots of a job that Export Job wrote: a task for each, or a chain where one is cut",
    settings: [
        {
            key: "job", type: "string", subtype: "dir_path", required: true, visible: "submission",
            label: "Job", description: "The folder that Export Job wrote, on the shared storage",
        },
        {
            key: "shots", type: "string", required: true, visible: "submission",
            eval: "', '.join(sorted(folder.name for folder in Path(abspath(settings.job), 'shots').iterdir()))",
            evalInfo: { showLinkButton: true, description: "The shots of the job" },
            label: "Shots",
            description: "Names of its shots, and the frames to cut a long one at: Shot_1@96@192, Shot_2",
        },
        {
            key: "command", type: "string", required: true, default: "{inspatio}", visible: "hidden",
            description: "The command of the workers; the Manager's variable says where it is on each system",
        },
    ],
};

function compileJob(job) {
    for (const [shot, ...cuts] of shotsOf(job.settings.shots)) {
        let before = null;
        for (const until of [...cuts, null]) {
            const piece = until === null ? shot : `${shot}-to-${until}`;
            const task = author.Task(piece, "misc");
            task.addCommand(author.Command("exec", {
                exe: job.settings.command,
                args: argumentsOf(job.settings.job, shot, until),
            }));
            if (before !== null) {
                task.addDependency(before);
            }
            job.addTask(task);
            before = task;
        }
    }
}

// "A@9@21, B" is [["A", "9", "21"], ["B"]].
function shotsOf(text) {
    const shots = text.split(",").map((shot) => shot.trim().split("@")).filter(([name]) => name);
    if (!shots.length) {
        throw new Error("No shots are named: give the names of folders in the job's folder shots");
    }
    for (const [name, ...cuts] of shots) {
        if (/[\\/]/.test(name) || name === ".." || cuts.some((cut) => !/^-?\d+(\.\d+)?$/.test(cut))) {
            throw new Error(`${[name, ...cuts].join("@")} is no shot: write NAME, or NAME@FRAME@FRAME`);
        }
    }
    return shots;
}

// The take's number is given, so a task that is run again goes on with its take.
function argumentsOf(folder, shot, until) {
    const args = ["shot", `${folder}/shots/${shot}`, "--out", `${folder}/takes/${shot}`, "--take", "1"];
    return until === null ? args : [...args, "--until", until];
}
