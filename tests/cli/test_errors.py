"""Asked wrongly, interrupted or out of room: one line on standard error and the right exit code."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.cli import main
from zoo.cli import version as version_verb

Zoo = Callable[..., "subprocess.CompletedProcess[str]"]


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a command line that must fail, which must be one line."""
    try:
        code = main.run(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    return code, err.rstrip()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "zoo: the following arguments are required: VERB (see `zoo --help`)"),
        ("fitt lipgan", "zoo: argument VERB: invalid choice: 'fitt' (choose from "),
        ("--foo list", "zoo list: unknown argument --foo (see `zoo list --help`)"),
        ("list --foo", "zoo list: unknown argument --foo (see `zoo list --help`)"),
        ("list method", "zoo list: argument what: invalid choice: 'method' (choose from "),
        ("info", "zoo info: the following arguments are required: name (see `zoo info --help`)"),
        ("info lipgan seed=1", "zoo info: unknown argument seed=1 (see `zoo info --help`)"),
        ("info lipgn", "zoo info: no method is called 'lipgn'; did you mean lipgan?"),
        ("fit", "zoo fit: the following arguments are required: method (see `zoo fit --help`)"),
        ("fit lipgan --config", "zoo fit: argument --config: expected one argument (see `zoo fit --help`)"),
        ("fit lipgan --config no.yaml", "zoo fit: no.yaml: cannot be read (No such file or directory)"),
        ("fit lipgan --epochs=3", "zoo fit: unknown argument --epochs=3 (see `zoo fit --help`)"),
        ("fit lipgan widht", "zoo fit: command line: 'widht' is not of the form key=value"),
        (
            "fit lipgan model.widht=1",
            "zoo fit: command line: unknown setting 'model.widht'; did you mean 'model.width'?",
        ),
        ("fit lipgan logger=foo", "zoo fit: command line: logger: 'foo' is none of csv, wandb, tensorboard"),
        ("fit lipgan data=gird", "zoo fit: no dataset is called 'gird'; did you mean grid?"),
        ("test lipgan --ckpt c data=gird", "zoo test: no dataset is called 'gird'; did you mean grid?"),
        (
            "fit lipgan --resume runs/a/weights.safetensors",
            "zoo fit: --resume runs/a/weights.safetensors: weights alone cannot go on; give the run's folder or its "
            "checkpoints/last.ckpt, or start anew from them with init=runs/a/weights.safetensors",
        ),
        ("test lipgan", "zoo test: the following arguments are required: --ckpt (see `zoo test --help`)"),
        ("data", "zoo data: the following arguments are required: ACTION (see `zoo data --help`)"),
        (
            "data synth --clips many --out o",
            "zoo data synth: argument --clips: 'many' is not a whole number from 1 on (see `",
        ),
        (
            "data synth --clips 0 --out o",
            "zoo data synth: argument --clips: '0' is not a whole number from 1 on (see `",
        ),
        ("data prepare gird --root r --out o", "zoo data: no dataset is called 'gird'; did you mean grid?"),
    ],
)
def test_asked_wrongly(capsys: pytest.CaptureFixture[str], line: str, expected: str):
    code, err = ask(capsys, *line.split())
    assert err.startswith(expected)
    assert code == 2


def test_settings_may_stand_after_options():
    args = main.parse(["fit", "lipgan", "seed=1", "--config", "c.yaml", "model.width=-1", "data=grid"])
    assert args.overrides == ["seed=1", "model.width=-1", "data=grid"]


def test_interrupted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(version_verb, "run", interrupt)
    assert ask(capsys, "version") == (130, "zoo version: interrupted")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(28, "No space left on device"), "zoo version: the disk: No space left on device"),
        (PermissionError(13, "Permission denied", "/a b"), "zoo version: /a b: Permission denied"),
        (OSError("cannot\nread it"), "zoo version: cannot read it"),
        (ConnectionResetError(), "zoo version: ConnectionResetError"),
        (BrokenPipeError(32, "Broken pipe"), "zoo version: [Errno 32] Broken pipe"),
    ],
)
def test_errors_of_the_system(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: OSError, expected: str
):
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr(version_verb, "run", fail)
    assert ask(capsys, "version") == (1, expected)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_early(environment: dict[str, str], unbuffered: str):
    env = {**environment, "PYTHONUNBUFFERED": unbuffered}
    for verb in ("list", "list --json", "--help"):
        script = f"'{sys.executable}' -m zoo {verb} | true; sleep 0.1"
        done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, check=False)
        assert done.stderr == "", verb


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_to_a_full_disk(environment: dict[str, str], unbuffered: str):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    env = {**environment, "PYTHONUNBUFFERED": unbuffered}
    for verb in ("list", "version"):
        with open("/dev/full", "w") as full:
            command = [sys.executable, "-m", "zoo", verb]
            done = subprocess.run(command, env=env, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr == f"zoo {verb}: the disk: No space left on device\n"


def test_a_full_disk_under_data_synth(environment: dict[str, str], tmp_path: Path):
    """A limit on the size of files makes a real write fail, as a full disk does."""
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "data", "synth", "--clips", "3", "--workers", "1", "--out", tmp_path / "a store"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"zoo data: {tmp_path / 'a store'}: ")
    assert "Traceback" not in done.stderr


def hears_interrupts() -> None:
    """A shell starts background jobs, this test run perhaps, with SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_control_c_during_data_synth(environment: dict[str, str], tmp_path: Path):
    command = [sys.executable, "-m", "zoo", "data", "synth", "--clips", "500", "--workers", "1", "--out", tmp_path]
    started = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=hears_interrupts,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "store.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(started.pid, signal.SIGINT)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 130
    assert err.splitlines()[-1] == "zoo data: interrupted"
    assert "Traceback" not in err


def test_control_c_while_code_is_made_from_text(environment: dict[str, str], tmp_path: Path):
    """As in the middle of an import, where dataclasses are made; `python -m` would end by the signal."""
    (tmp_path / "interrupted.py").write_text(
        "import os, signal\n"
        "from zoo.cli import main, version\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "version.run = lambda args: exec('os.kill(os.getpid(), signal.SIGINT)')\n"
        "main.main(['version'])\n"
    )
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "zoo version: interrupted\n")


def test_lightning_refuses_a_setting(zoo: Zoo, tmp_path: Path):
    done = zoo("fit", "lipgan", "trainer.accelerator=cpu", "trainer.precision=foo", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("zoo fit: trainer: Precision 'foo' is invalid.")
    assert done.stderr.count("\n") == 1


def test_resume_without_a_run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    code, err = ask(capsys, "fit", "lipgan", "--resume", "last")
    assert code == 1
    assert "no run to resume; start one with `zoo fit lipgan data=synthgrid`" in err


@pytest.mark.parametrize("content", ["model: {width: ", "- a\n", "model: {widht: 1}\n", "\x00"])
def test_a_damaged_config_of_a_run(capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str):
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir()
    checkpoint.touch()
    (tmp_path / "config.yaml").write_text(content)
    code, err = ask(capsys, "fit", "lipgan", "--resume", str(tmp_path))
    assert code == 2
    assert f"{tmp_path / 'config.yaml'}: " in err
