"""What both processes say in the same words."""


def slowness(seconds_per_frame: float, fps: float) -> str:
    """How slow a device is, said before it starts: for a film of so many frames a second."""
    seconds = seconds_per_frame * fps
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"About {seconds / size:.0f} {unit} per second of film on this device"
    return f"About {seconds:.0f} s per second of film on this device"
