"""Why the service cannot do what it is asked: errors that carry the code of docs/protocol.md."""

from __future__ import annotations


class ServiceError(Exception):
    """A request cannot be served: `code` and HTTP `status` of docs/protocol.md, and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def not_found(what: str) -> ServiceError:
    return ServiceError(404, "not_found", f"The backend has no such {what}; it may have been restarted.")


def cancelled_error() -> ServiceError:
    return ServiceError(409, "cancelled", "The take was cancelled.")


def out_of_memory(
    message: str = "There is not enough memory: close other programs, or choose a smaller size.",
) -> ServiceError:
    return ServiceError(507, "out_of_memory", message)


def device_lost(said: str) -> ServiceError:
    return ServiceError(
        503,
        "device_lost",
        f"The graphics driver failed ({said}), so the backend ends: start it again, then continue the take.",
    )
