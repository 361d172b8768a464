"""The versions of the contract between the zoo and its plugins, and what becomes of plugins written for older ones."""

from __future__ import annotations

from dataclasses import dataclass

from zoo import __version__

OURS = "talking-face-zoo"
"""The zoo's own distribution."""


@dataclass(frozen=True)
class Api:
    """What became of one version of the contract (docs/publish.md tells the policy).

    Attributes:
        first: the first release of the zoo that runs it.
        end: the first release that does not any more; empty as long as that is not decided.
        change: what a plugin must change to keep the next version; empty for the newest.
    """

    first: str
    end: str = ""
    change: str = ""


API_VERSION = 2
"""The contract as it is now. It grows when a plugin written for the old one would break."""

OLDEST = 1
"""The oldest that this zoo runs; those between it and :data:`API_VERSION` are deprecated."""

APIS: dict[int, Api] = {
    1: Api(
        first="0.1",
        change="a method's generate() takes a Request, and its spec's modes replace shown; everything else only says "
        "api_version=2 (docs/publish.md)",
    ),
    2: Api(first="0.2"),
}
"""Every version that there ever was."""


def refusal(version: int, dist: str) -> str:
    """Why this zoo does not run a plugin, and which releases fit; empty where it does.

    Args:
        version: the ``api_version`` it was written for.
        dist: the distribution it came with.
    """
    if OLDEST <= version <= API_VERSION:
        return ""
    told = f"written for api_version {version}, this zoo runs {OLDEST} to {API_VERSION}"
    if version > API_VERSION:
        return f"{told}; upgrade {OURS} (this is {__version__})"
    past = APIS.get(version)
    fits = f", or install '{OURS}>={past.first},<{past.end}', which runs it" if past else ""
    return f"{told}; upgrade {dist}{fits}"


def notice(version: int, dist: str) -> str:
    """What to say of a plugin that this zoo still runs while there is a newer contract; empty where there is none."""
    if version == API_VERSION:
        return ""
    api = APIS[version]
    until = f"which {OURS} {api.end} will not run" if api.end else "and there is a newer one"
    return f"written for api_version {version}, {until}; upgrade {dist} (for its authors: {api.change})"
