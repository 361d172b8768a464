"""Every installed distribution that brings something: what, for which contract, and whether it can be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from zoo import registry
from zoo.registry import Record, Status
from zoo.registry.api import OURS

WORST: tuple[Status, ...] = ("broken", "refused", "claimed", "deprecated", "ok")
"""From bad to good: a distribution is as good as its worst part."""

SLOW_S = 0.5
"""Seconds from which on the import of a spec is named: every list waits for all of them."""


def remark(record: Record) -> str:
    """What its user or its author should know of a plugin, in one line: why it cannot be used, or what is not well."""
    told = [record.error, record.notice]
    if record.heavy:
        told.append(f"its spec imports {' and '.join(record.heavy)}, which slows every list")
    elif record.seconds > SLOW_S:
        told.append(f"its spec takes {record.seconds:.1f} s to import, which slows every list")
    return "; ".join(filter(None, told))


@dataclass(frozen=True)
class Distribution:
    """What one distribution brings.

    Attributes:
        name: of the distribution.
        version: of the distribution.
        records: one for everything that it brings.
    """

    name: str
    version: str
    records: list[Record] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """That of its worst part."""
        return min((record.status for record in self.records), key=WORST.index)

    @property
    def api_versions(self) -> list[int]:
        """The contracts that its parts were written for, where they can be told."""
        return sorted({record.spec.api_version for record in self.records if record.spec})

    def adds(self) -> dict[str, list[str]]:
        """Names by kind: ``{"method": ["lipgan", ...], ...}``."""
        found: dict[str, list[str]] = {}
        for record in self.records:
            found.setdefault(registry.kind_of(record.entry.group), []).append(record.entry.name)
        return found

    def problems(self) -> list[str]:
        """What is wrong or will be, one line each; parts with the same trouble share one."""
        parts: dict[str, list[str]] = {}
        for record in self.records:
            told = remark(record)
            if told:
                parts.setdefault(told, []).append(f"{registry.kind_of(record.entry.group)} {record.entry.name}")
        return [f"{', '.join(names)}: {told}" for told, names in parts.items()]


def distributions() -> list[Distribution]:
    """All of them by name, the zoo's own first; their specs are loaded, their classes are not."""
    found: dict[tuple[str, str], Distribution] = {}
    for group in (*registry.GROUPS, *registry.RESOURCES):
        for record in registry.records(group):
            key = record.entry.dist, record.entry.version
            found.setdefault(key, Distribution(*key)).records.append(record)
    return sorted(found.values(), key=lambda dist: (dist.name != OURS, dist.name, dist.version))


def plain(dists: Sequence[Distribution]) -> list[dict[str, object]]:
    """The same for machines."""
    return [
        {
            "dist": dist.name,
            "version": dist.version,
            "status": dist.status,
            "api_versions": dist.api_versions,
            "adds": dist.adds(),
            "parts": [
                {
                    "kind": registry.kind_of(record.entry.group),
                    "name": record.entry.name,
                    "target": record.entry.target,
                    "api_version": record.spec.api_version if record.spec else None,
                    "status": record.status,
                    "reason": remark(record) or None,
                }
                for record in dist.records
            ],
        }
        for dist in dists
    ]
