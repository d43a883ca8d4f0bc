"""What goes wrong when a reference is recovered."""


class RecoverError(Exception):
    """There is no reference in what was given; the message names the file, says why and what to do."""
