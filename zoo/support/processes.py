"""How processes end."""

from __future__ import annotations

import signal


def death(code: int | None) -> str:
    """How a process ended, from its return code: negative for a signal; ``None`` where nobody knows.

    Example:
        >>> death(-9)
        'SIGKILL, out of memory?'
        >>> death(1)
        'exit code 1'
    """
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    return f"{name}, out of memory?" if name == "SIGKILL" else name
