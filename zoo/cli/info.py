"""``zoo info NAME``: one method, expert, data set or metric, with its settings and where their values come from."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from zoo.support.printable import say

HELP = "show one method, expert, data set or metric with its settings"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from zoo.cli import complete
    from zoo.cli.list import GROUPS

    parser.add_argument("name", help="as in `zoo list`").completer = complete.names(*GROUPS)  # type: ignore[attr-defined]
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the spec and the settings of a method or an expert, or the variants of a metric."""
    from zoo.cli.output import print_json, print_table
    from zoo.registry import config
    from zoo.registry.spec import MethodSpec, MetricSpec, TrainableSpec

    spec = _find(args.name)
    facts = {**dataclasses.asdict(spec), "settings": [], "recipes": []}
    if isinstance(spec, MetricSpec):
        from zoo.evaluation.metrics.choose import describe

        facts["variants"] = describe(spec.name)
    if isinstance(spec, MethodSpec):
        del facts["shown"]
        facts["modes"] = {mode: str(uses) for mode, uses in spec.modes}
        facts["options"] = settings(spec.choices()) if spec.options else []
    if isinstance(spec, TrainableSpec):
        facts["settings"] = settings(spec.settings())
        facts["recipes"] = sorted(config.recipes(spec))
    if args.json:
        print_json(facts)
        return 0
    for key, value in facts.items():
        if value and key not in ("settings", "options", "variants", "target", "config"):
            say(f"{key.replace('_', ' '):16}{_text(value)}")
    if facts.get("variants"):
        say()
        print_table(("option", "default", "values"), facts["variants"])
        say(f"use it: zoo score --pred MADE --real REAL --metrics {spec.name} OPTION=VALUE")
    if facts.get("options") and isinstance(spec, MethodSpec):
        rows = [(f"options.{s['name']}", str(s["default"]), s["help"], s["source"]) for s in facts["options"]]
        say()
        print_table(("option", "default", "what it does", "source"), rows)
    if facts["settings"]:
        rows = [(f"model.{s['name']}", str(s["default"]), s["help"], s["source"]) for s in facts["settings"]]
        say()
        print_table(("setting", "default", "what it does", "source"), rows)
        say(f"run it: zoo fit {spec.name}    on your data: zoo fit {spec.name} data=folder data.root=STORE")
        say(f"all settings with a recipe's values: zoo fit {spec.name} --print-config, or with data=... as well")
    return 0


def _find(name: str) -> Any:
    from zoo import registry
    from zoo.registry import api

    dist, _, bare = name.rpartition(":")
    having = [e for e in registry.entries() if e.name == bare and e.group in registry.GROUPS and dist in ("", e.dist)]
    groups = list(registry.GROUPS)
    # Of several kinds the zoo's own comes first.
    having.sort(key=lambda entry: (entry.dist != api.OURS, groups.index(entry.group)))
    return registry.get(having[0].group if having else "zoo.methods", name)


def settings(defaults: Any) -> list[dict[str, Any]]:
    """Name, default, help and source of each field of a settings dataclass, and the values it may have."""
    return [
        {
            "name": field.name,
            "default": getattr(defaults, field.name),
            "help": field.metadata.get("help", ""),
            "source": field.metadata.get("source", ""),
            "choices": list(field.metadata.get("choices", ())),
        }
        for field in dataclasses.fields(defaults)
    ]


def _text(value: Any) -> str:
    if isinstance(value, dict) and "authors" not in value:
        return "; ".join(f"{key}: {text}" for key, text in value.items())
    if isinstance(value, dict):
        return f"{value['authors']}: {value['title']}. {value['venue']} {value['year']}. {value['url']}"
    return ", ".join(map(_text, value)) if isinstance(value, (list, tuple)) else str(value)
