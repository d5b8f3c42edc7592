"""What stops a job under way, whatever its kind: the message is all that a reader needs, a traceback adds nothing."""

from __future__ import annotations


class JobStopped(RuntimeError):
    """A job could not go on. The message says why, what became of its data, and what to do."""
