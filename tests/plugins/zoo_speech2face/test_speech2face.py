"""Speech2Face: shapes without the head, windows, the losses of eq. 1 to 5, in-painting, and a photograph that talks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from zoo_speech2face.config import Speech2FaceConfig, Speech2FaceOptions
from zoo_speech2face.method import Speech2Face
from zoo_speech2face.shapes import MOVING, bundle
from zoo_speech2face.windows import around, joined

from tests.helpers.batches import request, window_batch
from tests.helpers.inputs import drawn, photograph, save_picture
from tests.helpers.steps import at_step
from zoo import registry
from zoo.data.batch import Batch
from zoo.face.crop import upright
from zoo.face.mouth import lip_gap
from zoo.media import audio
from zoo.media.audio import read_audio
from zoo.media.clip import NUM_LANDMARKS
from zoo.media.video import read_video, write_video
from zoo.methods.adversarial import Step
from zoo.methods.trainable import build, load_checkpoint, own_weights, save_weights
from zoo.synthesis.conditions import Conditions
from zoo.synthesis.predict import predict, read_face

pytestmark = pytest.mark.usefixtures("one_thread")

SPEC = registry.method("speech2face")
FEW = Speech2FaceConfig(width=16, window=5, windows=32)


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Two drawn clips, without pictures."""
    clips = [drawn(number) for number in (0, 1)]
    frames = min(len(clip.frames) for clip in clips)
    module = Speech2Face(FEW)
    start, stop = audio.frame_window(0, frames, module.input_spec.context)
    empty = torch.zeros(2, frames, 3, 0, 0)
    return window_batch(
        empty,
        empty[:, :1],
        torch.stack([audio.cut(clip.wave, start, stop) for clip in clips]),
        torch.stack([clip.landmarks[:frames] for clip in clips]),
        context=module.input_spec.context,
    )


@pytest.fixture
def module(batch: Batch) -> Speech2Face:
    """With the statistics of these clips."""
    made: Speech2Face = build(SPEC, FEW, seed=0)
    made.fit_statistics([batch])
    return made


def test_a_bundle_knows_the_mouth_whatever_the_head_does(batch: Batch):
    still = batch.landmarks[0, :1]
    shapes = upright(still).expand(60, -1, -1).clone()
    opening = torch.linspace(0, 6, 60).sin().abs()
    shapes[:, 6:11, 1] += 0.2 * opening[:, None]
    shapes[:, [55, 56, 57, 58, 59, 65, 66, 67], 1] += 0.2 * opening[:, None]
    turn, size = torch.linspace(-0.3, 0.3, 60), torch.linspace(30, 60, 60)
    spin = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], 1).view(-1, 2, 2) * size[:, None, None]
    moving = torch.einsum("tij,tpj->tpi", spin, shapes) + torch.linspace(0, 90, 60)[:, None, None]
    offsets = bundle(moving).offsets.view(60, -1, 2)
    chin = list(MOVING).index(8)
    assert (offsets[:, chin, 1] - 0.2 * opening).sub(offsets[0, chin, 1]).abs().max() < 0.01
    assert offsets[:, chin, 0].abs().max() < 0.01


def test_windows_come_apart_and_together():
    frames = torch.randn(2, 9, 3)
    windows = around(frames, 5)
    assert windows.shape == (2, 9, 5, 3)
    assert torch.equal(windows[:, :, 2], frames)
    assert torch.equal(windows[:, 0, 0], frames[:, 0])
    # Beyond the ends the first and last frame are held, so the mean there is not the frame itself.
    torch.testing.assert_close(joined(windows)[:, 2:-2], frames[:, 2:-2])


def test_statistics_make_coefficients_of_unit_spread(module: Speech2Face, batch: Batch):
    windows = module.windows_of(batch)
    assert windows.shape == (batch.landmarks.shape[0] * batch.landmarks.shape[1], FEW.window, 20)
    first = windows[:, FEW.window // 2, 0]
    assert float(first.std()) == pytest.approx(1, abs=0.1)
    assert module.shape_basis @ module.shape_basis.T == pytest.approx(torch.eye(8), abs=1e-5)
    # Eight coefficients hold what mouth and jaw do.
    offsets = torch.cat([bundle(points).offsets for points in batch.landmarks]) - module.shape_mean
    rest = offsets - offsets @ module.shape_basis.T @ module.shape_basis
    assert rest.square().sum() < 0.1 * offsets.square().sum()


@pytest.mark.parametrize("loss", ["hinge", "minimax"])
def test_equation_1(loss: str, batch: Batch):
    module: Speech2Face = build(SPEC, Speech2FaceConfig(width=16, window=5, windows=32, loss=loss), seed=0)
    module.fit_statistics([batch])
    module.eval().requires_grad_(False)  # the same power iteration in both
    step = Step(batch=batch, number=0, adversarial=True, windows=module.windows_of(batch))
    torch.manual_seed(0)
    (generated,) = module.generator_terms(step)
    real, fake = module.discriminator(step.real), module.discriminator(step.generated)
    terms = {term.name: float(term.value) for term in module.discriminator_terms(step)}
    if loss == "minimax":  # D's part of eq. 1, with the generator's -log D (Goodfellow et al. 2014, section 3)
        assert float(generated.value) == pytest.approx(float(-fake.sigmoid().log().mean()), rel=1e-5)
        assert terms["d_real"] == pytest.approx(float(-real.sigmoid().log().mean()), rel=1e-5)
        assert terms["d_generated"] == pytest.approx(float(-(1 - fake.sigmoid()).log().mean()), rel=1e-5)
    else:
        assert float(generated.value) == pytest.approx(float(-fake.mean()), rel=1e-5)
        assert terms["d_real"] == pytest.approx(float((1 - real).clamp_min(0).mean()), rel=1e-5)
        assert terms["d_generated"] == pytest.approx(float((1 + fake).clamp_min(0).mean()), rel=1e-5)


def test_both_networks_take_several_turns_with_other_windows(module: Speech2Face, batch: Batch):
    at_step(module, 0, 10)
    step = Step(batch=batch, number=0, adversarial=True)
    seen = []
    for turn in module.turns(step):
        list(turn.terms(step))
        seen.append((turn.total, step.real.clone()))
    assert [total for total, _ in seen] == ["g_loss", "d_loss"] * FEW.updates
    assert not torch.equal(seen[0][1], seen[2][1])


class Linear(nn.Module):
    """A generator that is linear and makes every frame of a window alike, so that in-painting has one answer."""

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.shapes, self.sounds = (torch.randn(4, count, generator=random) for count in (2, 6))

    def forward(self, z: Tensor) -> Tensor:
        """``(N, 3, 8)``: two numbers of shape, six of sound."""
        return torch.cat([z @ self.shapes, z @ self.sounds], 1)[:, None].expand(-1, 3, -1)


def test_in_painting_finds_the_shape_that_goes_with_the_sound():
    module: Speech2Face = build(
        SPEC, Speech2FaceConfig(width=16, window=3, components=2, sound_components=6, latent=4), seed=0
    )
    module.generator = Linear()
    z = torch.tensor([[1.0, -0.5, 0.3, 0.8], [-0.2, 0.9, -0.7, 0.1]])
    made = module.generator(z)
    sound = made[:, :1, 2:].expand(-1, 7, -1)  # two clips of seven frames
    found = module.inpaint(sound, Speech2FaceOptions(steps=1500, step_size=0.02, perceptual=0.0, prior=0.0))
    torch.testing.assert_close(found, made[:, :1, :2].expand(-1, 7, -1), atol=0.02, rtol=0)


def test_long_clips_are_projected_in_parts(module: Speech2Face, batch: Batch, monkeypatch: pytest.MonkeyPatch):
    sounds = module.sounds(batch.given)[:, :20]
    at_once = module.inpaint(sounds, Speech2FaceOptions(steps=10))
    monkeypatch.setattr("zoo_speech2face.method.WINDOWS_AT_ONCE", 7)
    torch.testing.assert_close(module.inpaint(sounds, Speech2FaceOptions(steps=10)), at_once, atol=1e-4, rtol=0)


def test_statistics_are_those_of_all_frames_at_once(module: Speech2Face, batch: Batch):
    """Found in parts, they are the principal components of a singular value decomposition."""
    values = torch.cat([bundle(points).offsets for points in batch.landmarks]).double()
    centred = values - values.mean(0)
    _, spread, axes = torch.linalg.svd(centred, full_matrices=False)
    torch.testing.assert_close(module.shape_mean.double(), values.mean(0), atol=1e-6, rtol=0)
    along = (module.shape_basis.double() * axes[:8]).sum(1).abs()  # either may point the other way
    torch.testing.assert_close(along, torch.ones(8, dtype=torch.float64), atol=1e-4, rtol=0)
    wanted = (spread[:8] / len(values) ** 0.5).clamp_min(0.15 * spread[0] / len(values) ** 0.5)
    torch.testing.assert_close(module.shape_scale.double(), wanted, atol=1e-5, rtol=0)


def test_loudness_is_of_no_matter(module: Speech2Face, batch: Batch):
    given = batch.given
    assert given.sound is not None
    softer = module.sounds(replace(given, sound=0.3 * given.sound))
    torch.testing.assert_close(softer, module.sounds(given), atol=1e-3, rtol=0)


def test_the_perceptual_loss_makes_windows_that_convince(module: Speech2Face, batch: Batch):
    """Equation 5: with a larger lambda the discriminator believes more of what is found."""
    sounds = module.sounds(batch.given)[:, :20]
    believed = []
    for weight in (0.0, 1.0):
        kept: list[Tensor] = []
        handle = module.generator.register_forward_hook(lambda *given, kept=kept: kept.append(given[2].detach()))
        module.inpaint(sounds, Speech2FaceOptions(steps=30, perceptual=weight))
        handle.remove()
        believed.append(float(module.eval().discriminator(kept[-1]).mean().detach()))
    assert believed[1] > believed[0]


def test_windows_without_pictures_are_asked_for(module: Speech2Face):
    assert not module.input_spec.pictures
    assert module.input_spec.frames is None


@pytest.mark.parametrize("settings", [{"sound": "raw"}, {"recurrent": True}, {}])
def test_every_configuration_takes_a_step_that_reaches_every_parameter(
    settings: dict[str, object], batch: Batch, monkeypatch: pytest.MonkeyPatch
):
    module: Speech2Face = build(
        SPEC, Speech2FaceConfig(**{**vars(FEW), "updates": 1, "loss": "minimax", **settings}), seed=0
    )  # type: ignore[arg-type]
    if settings.get("sound") == "raw":
        start, stop = audio.frame_window(0, batch.landmarks.shape[1], module.input_spec.context)
        batch = window_batch(
            batch.frames, batch.given.stills, batch.given.sound[:, : stop - start], batch.landmarks,  # type: ignore[index]
            context=module.input_spec.context,
        )  # fmt: skip
    module.fit_statistics([batch])
    at_step(module, 0, 10)
    optimisers = module.configure_optimizers()
    monkeypatch.setattr(module, "optimizers", lambda: optimisers)
    monkeypatch.setattr(module, "manual_backward", lambda loss: loss.backward())
    logged: dict[str, float] = {}
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.update({name: float(value)}))
    before = {name: value.clone() for name, value in module.named_parameters()}
    module.training_step(batch, 0)
    for name, value in module.named_parameters():
        assert value.isfinite().all(), name
        assert not torch.equal(value, before[name]), name
    assert {"train/g_loss", "train/d_loss", "train/d_real", "train/d_generated"} <= set(logged)


def test_its_motion_is_of_mouth_and_jaw_alone(module: Speech2Face, batch: Batch):
    given = request(torch.rand(2, 1, 3, 256, 256), batch.given.sound, 10)
    motion = module.motion(given)
    assert motion.shape == (2, 10, NUM_LANDMARKS, 2)
    others = [number for number in range(NUM_LANDMARKS) if number not in MOVING]
    assert (motion[:, :, others] == 0).all()
    assert (motion[:, :, list(MOVING)].abs().amax((1, 2, 3)) > 0).all()


def test_a_photograph_talks_and_stays_as_sharp_as_it_is(module: Speech2Face, tmp_path: Path):
    weights, picture, out = tmp_path / "w.safetensors", photograph(), tmp_path / "talk.mp4"
    save_weights(module, weights)
    face = save_picture(tmp_path / "face.png", picture)
    sound, clip = tmp_path / "sound.mp4", drawn()
    write_video(sound, clip.frames[:12], wave=clip.wave[None, : 12 * 640])
    done = predict("speech2face", weights, face=face, out=out, given=Conditions(sound=sound), progress=False)
    assert done.frames == 12
    frames = read_video(out).frames
    assert frames.shape[2:] == picture.shape[1:]
    off = (frames.float() - picture.float()).abs().mean(1)
    assert float(off[:, : picture.shape[1] // 4].mean()) < 1.5, "above the face nothing moves"


@pytest.mark.grid
def test_the_weights_that_come_with_it_hear_real_speech(grid_root: Path):
    """Against dlib's landmarks of a clip of GRID: the lips open when they do, and at least half as far."""
    path = own_weights(SPEC)
    assert path.stat().st_size < 5_000_000
    module = load_checkpoint(path, "speech2face")
    assert isinstance(module, Speech2Face)
    clip = sorted((grid_root / "s1").glob("*.mpg"))[0]
    face = read_face(clip, progress=False)
    count = len(face.frames)
    given = request(
        torch.rand(1, 1, 3, 256, 256), audio.cut(read_audio(clip), 0, audio.num_samples(count))[None], count
    )
    moved = upright(face.landmarks)[:1] + module.motion(given)[0]
    made, real = lip_gap(moved), lip_gap(face.landmarks)
    assert float(torch.corrcoef(torch.stack([made, real]))[0, 1]) > 0.5
    assert float(made.std()) > 0.5 * float(real.std())
