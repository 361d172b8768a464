"""``zoo doctor``: what is installed, what is broken and how to mend it."""

from __future__ import annotations

import argparse
import sys

HELP = "check the installation and name broken plugins"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks of broken plugins")


def run(args: argparse.Namespace) -> int:
    """Print findings; exit code 1 where something is broken."""
    from zoo.cli.output import print_json

    findings = plugin_findings() + package_findings() + machine_findings()
    if args.json:
        print_json(findings)
    else:
        for finding in findings:
            print(f"{'ok    ' if finding['ok'] else 'BROKEN'}  {finding['what']}: {finding['message']}")
            if args.verbose and finding.get("detail"):
                print(finding["detail"], file=sys.stderr)
    return 0 if all(finding["ok"] for finding in findings) else 1


Finding = dict[str, object]


def plugin_findings() -> list[Finding]:
    """One finding per plugin: its distribution, and the reason where it cannot be used."""
    from zoo import registry

    found: list[Finding] = []
    for group in registry.GROUPS:
        for record in registry.records(group):
            entry = record.entry
            heavy = [name for name in ("torch", "pytorch_lightning") if name in sys.modules]
            found.append(
                {
                    "what": f"{group.removeprefix('zoo.').removesuffix('s')} {entry.name}",
                    "ok": record.ok,
                    "message": f"{entry.dist} {entry.version} ({entry.target})"
                    + (f": {record.error}" if record.error else "")
                    + (f"; its spec imports {' and '.join(heavy)}, which slows every command" if heavy else ""),
                    "detail": record.detail,
                }
            )
    return found


def package_findings() -> list[Finding]:
    """Whether torch and its companions import together, and whether Lightning's namespaces are mixed."""
    from zoo import runs

    names = ("torch", "torchvision", "torchaudio", "pytorch_lightning", "kornia", "av", "dlib", "facenet_pytorch")
    found = [_import(name) for name in names]
    if "lightning" in runs.versions(("lightning",)):
        found.append(
            {
                "what": "lightning",
                "ok": False,
                "message": "`lightning` is installed beside `pytorch_lightning`; classes of one are strangers to the "
                "other: pip uninstall lightning",
            }
        )
    return found


def _import(name: str) -> Finding:
    from contextlib import redirect_stdout
    from importlib import import_module

    try:
        with redirect_stdout(sys.stderr):  # standard output may be JSON
            module = import_module(name)
    except (Exception, SystemExit) as error:
        mend = (
            "install torch, torchvision and torchaudio of one release set"
            if name.startswith("torch")
            else f"pip install {name}"
        )
        return {"what": name, "ok": False, "message": f"cannot be imported ({error}); {mend}"}
    return {"what": name, "ok": True, "message": str(getattr(module, "__version__", "installed"))}


def machine_findings() -> list[Finding]:
    """Accelerators, landmark model, voice, room on the disk."""
    import shutil
    from pathlib import Path

    from zoo.data.module import cache_folder

    found: list[Finding] = []
    try:
        import torch

        gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        found.append(
            {"what": "devices", "ok": True, "message": ", ".join(gpus) or f"CPU, {torch.get_num_threads()} threads"}
        )
    except Exception as error:
        found.append({"what": "devices", "ok": False, "message": str(error)})
    cache = cache_folder()
    existing = next(folder for folder in [cache, *cache.parents] if folder.exists())
    free = shutil.disk_usage(existing).free / 2**30
    found.append(
        {
            "what": "disk",
            "ok": free > 2,
            "message": f"{free:.0f} GiB free for {cache}" + ("" if free > 2 else "; set ZOO_CACHE to a larger disk"),
        }
    )
    writable = _writable(Path.cwd())
    found.append({"what": "folder", "ok": writable, "message": f"{Path.cwd()} is {'' if writable else 'not '}writable"})
    return found


def _writable(folder: object) -> bool:
    import os

    return os.access(str(folder), os.W_OK)
