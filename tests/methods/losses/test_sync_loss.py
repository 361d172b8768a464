"""The frozen sync expert as a loss: its value, its gradient, what it hears, and that it stays as it is."""

import math
from pathlib import Path

import pytest
import torch

from zoo import registry
from zoo.data.module import TalkingFaceData
from zoo.data.store.store import Store
from zoo.data.windows import Draw, Windows, collate
from zoo.experts.sync_expert.module import SyncExpert
from zoo.media import audio
from zoo.methods import trainable
from zoo.methods.losses.sync import LEAST_COSINE, SyncLoss
from zoo.registry.config import DataConfig
from zoo.registry.spec import InputSpec
from zoo.support.errors import DataError


@pytest.fixture(scope="module")
def loss() -> SyncLoss:
    return SyncLoss("synthgrid")


pytestmark = pytest.mark.usefixtures("one_thread")


def plain(loss: SyncLoss) -> SyncExpert:
    """The same expert with its normalisation still there."""
    path = trainable.find_weights(registry.expert("sync-expert"), "synthgrid")
    expert = trainable.load_checkpoint(path, "sync-expert").eval()
    assert isinstance(expert, SyncExpert)
    return expert


def test_it_is_the_cross_entropy_of_the_cosine_and_so_is_its_gradient(loss: SyncLoss):
    """Folding and pairing for speed change neither the value nor what flows back to the faces."""
    torch.manual_seed(0)
    expert, context = plain(loss), 6000
    faces = torch.rand(3, 5, 3, 96, 96)
    heard = audio.per_frame(torch.randn(3, context + 4 * 640) * 0.1, 5, context)
    ours, theirs = faces.clone().requires_grad_(), faces.clone().requires_grad_()
    value = loss(ours, heard)
    # The expert hears the middle of what the third frame hears, as long as its own window is.
    sound = heard[:, 2, (context - 3800) // 2 : (context + 3800) // 2]
    cosine = (expert.embed_faces(theirs) * expert.embed_sounds(sound)).sum(1)
    assert cosine.min() > LEAST_COSINE
    want = torch.nn.functional.binary_cross_entropy(cosine, torch.ones(3))
    assert value.item() == pytest.approx(want.item(), rel=1e-4)
    value.backward()
    want.backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert ours.grad[..., 48:, :].abs().sum() > 0
    assert (ours.grad[..., :48, :] == 0).all()  # the lower half is all it sees
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-3 * float(theirs.grad.abs().max()))
    assert all(p.grad is None and not p.requires_grad for p in loss.expert.parameters())


def test_descending_it_brings_faces_into_sync(loss: SyncLoss):
    torch.manual_seed(0)
    faces = torch.full((1, 5, 3, 96, 96), 0.5, requires_grad=True)
    heard = torch.randn(1, 5, 3800) * 0.1
    optimiser = torch.optim.Adam([faces], lr=0.02)
    first = loss(faces, heard).item()
    for _ in range(5):
        optimiser.zero_grad()
        loss(faces, heard).backward()
        optimiser.step()
    assert loss(faces, heard).item() < first - 0.05


def test_it_tells_real_clips_in_sync_from_others(loss: SyncLoss, tiny_store: Path):
    windows = Windows(Store(tiny_store), InputSpec(frames=5, context=3800))
    batch = collate([windows[Draw(k, (k, 5))] for k in range(6)]).unit()
    heard = batch.given.audio_windows(3800)
    assert loss(batch.frames, heard) < loss(batch.frames, heard.roll(1, 0)) - 0.3


def test_no_window_outweighs_the_others(loss: SyncLoss, monkeypatch: pytest.MonkeyPatch):
    """Embeddings without a common entry have a cosine of 0, whose logarithm has no end."""
    faces = torch.rand(2, 5, 3, 96, 96, requires_grad=True)
    monkeypatch.setattr(loss.expert, "embed_sounds", lambda sound: torch.zeros(2, loss.expert.network.dim))
    value = loss(faces, torch.zeros(2, 5, 3800))
    assert value.item() == pytest.approx(-math.log(LEAST_COSINE))
    value.backward()
    assert faces.grad is not None
    assert faces.grad.isfinite().all()


def test_reading_it_leaves_the_random_numbers_of_a_run_alone():
    torch.manual_seed(3)
    want = torch.rand(2)
    torch.manual_seed(3)
    expert = SyncLoss("synthgrid")
    assert torch.equal(torch.rand(2), want)
    assert expert.scores["dataset"] == "synthgrid"
    with pytest.raises(DataError, match="no weights of sync-expert"):
        SyncLoss("nobody.ckpt")


def test_an_expert_that_validation_asked_first_serves_training(loss: SyncLoss):
    with torch.inference_mode():
        late = SyncLoss("synthgrid")
    faces, heard = torch.rand(2, 5, 3, 96, 96, requires_grad=True), torch.randn(2, 5, 6000) * 0.1
    late(faces, heard).backward()
    assert faces.grad is not None
    assert faces.grad.abs().sum() > 0


@pytest.mark.parametrize(("name", "said"), [("grid", True), ("synthgrid", False)])
def test_it_says_that_it_knows_drawn_faces_only(
    loss: SyncLoss, name: str, said: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    told: list[str] = []
    monkeypatch.setattr("zoo.methods.losses.sync.rank_zero_warn", told.append)
    data = TalkingFaceData(DataConfig(name=name, root=str(tmp_path)), InputSpec(crop="face", size=(96, 96), frames=5))
    loss.check_data(data)
    wanted = (
        f"model.expert=synthgrid knows drawn faces only; `zoo fit sync-expert data=grid data.root={tmp_path}` makes"
    )
    assert [line.startswith(wanted) for line in told] == [True] * said
