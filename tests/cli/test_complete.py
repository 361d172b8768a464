"""Completion in a real bash: verbs, names, settings and their values."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMPLETE = r"""
eval "$(register-python-argcomplete zoo)"
while IFS= read -r line; do
  COMP_LINE="$line" COMP_POINT=${#line} COMP_TYPE=9 COMP_KEY=9
  COMP_WORDS=($line); [[ "$line" == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]}-1)) COMPREPLY=()
  _python_argcomplete zoo "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
  echo "${COMPREPLY[*]}"
done
"""

EXPECTED = {
    "zoo f": "fit",
    "zoo ": "list info fit test score predict data doctor version",
    "zoo fit lip": "lipgan",
    "zoo info synth": "synthgrid",
    "zoo data prepare g": "grid",
    "zoo data prepare fold": "folder",
    "zoo data ver": "verify",
    "zoo list m": "methods metrics",
    "zoo benchmark --suite gr": "grid",
    "zoo fit lipgan data=": "folder grid synthgrid",  # bash splits words at "="
    "zoo fit lipgan seed=1 data.b": "data.batch_size=",
    "zoo fit lipgan model.wi": "model.width=",
    "zoo fit lipgan model.frontend=": "mel mfcc",
    "zoo fit lipgan logger=w": "wandb",
    "zoo test lipgan trainer.prec": "trainer.precision=",
    "zoo fit lipgan --pr": "--print-config",
    "zoo score --metrics lse_": "lse_c lse_d",
    "zoo score --metrics lmd,cp": "lmd,cpbd",
    "zoo fit nothing model.": "",
}


def test_completion_in_bash(environment: dict[str, str]):
    scripts = Path(sys.executable).parent
    if not (shutil.which("bash") and (scripts / "zoo").exists()):
        pytest.skip("needs bash and the installed `zoo` script")
    env = {**environment, "PATH": f"{scripts}:{environment['PATH']}", "ZOO_PLUGINS": ""}
    done = subprocess.run(
        ["bash", "-c", COMPLETE], env=env, input="\n".join(EXPECTED) + "\n", capture_output=True, text=True, check=False
    )
    answers = [answer.split() for answer in done.stdout.splitlines()]
    assert done.stderr == ""
    assert len(answers) == len(EXPECTED)
    for (line, expected), answer in zip(EXPECTED.items(), answers, strict=True):
        assert set(answer) >= set(expected.split()), line
        assert bool(answer) == bool(expected), line
