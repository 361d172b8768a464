"""Rules of face backends: ours keep them, and one that is broken fails the rule it breaks and no other."""

from __future__ import annotations

import pytest
from broken_faces import SPECS

from tests.helpers.paths import FOREIGN
from zoo.registry.spec import FaceSpec
from zoo.testing import kit
from zoo.testing.rules import hold

OURS = {
    "dlib detector": "zoo.face.dlib_backend:DlibDetector",
    "mtcnn detector": "zoo.face.mtcnn_backend:MtcnnDetector",
    "mesh detector": "zoo.face.mesh_backend:MeshDetector",
    "mesh landmarks": "zoo.face.mesh_backend:MeshLandmarker",
    "dlib landmarks": "zoo.face.dlib_backend:DlibLandmarker",
    "dlib embedder": "zoo.face.embed:DlibEmbedder",
}


def failures(spec: FaceSpec) -> dict[str, str]:
    """What every rule but those of specs alone has against it."""
    case = kit.make_case(spec)
    rules = [rule for rule in kit.rules_of(spec) if not rule.name.startswith("spec is")]
    assert len(rules) == 7
    with kit.usual_torch():
        return {check.name: check.got for check in (hold(case, rule) for rule in rules) if check.status == "failed"}


@pytest.mark.parametrize("name", OURS)
def test_ours_keep_all_rules(name: str):
    assert failures(FaceSpec(name="ours", summary="a test", target=OURS[name])) == {}


@pytest.mark.parametrize(
    ("name", "title", "got"),
    [
        ("Blind", "it finds faces", "0 boxes, none on the face"),
        ("Seer", "it finds faces", "1 faces in a black picture"),
        ("Turned", "it finds the points of a face", "away from dlib's"),
        ("Shaky", "the same answer twice", "another answer"),
        ("Grey", "it tells people apart", "one person's pictures lie 0 apart, two people's 0"),
        ("Asking", "no network access", "weights.example.org"),
        ("Nothing", "it is a face backend", "has neither detect() nor landmarks() nor embed()"),
    ],
)
def test_a_broken_one_is_found_out(name: str, title: str, got: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(FOREIGN))
    found = failures(SPECS[name])
    assert list(found) == [title]
    assert got in found[title]
