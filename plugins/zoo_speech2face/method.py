"""Speech2Face: a GAN of windows of face shape and sound, and in-painting by back-propagation to z."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils import parametrize

from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.media.clip import NUM_LANDMARKS
from zoo.methods.adversarial import AdversarialMethod, Group, Step, Term, Terms, Turn
from zoo.methods.landmarks import LandmarkMethod
from zoo.registry.spec import InputSpec
from zoo_speech2face.components import Moments
from zoo_speech2face.config import Speech2FaceConfig, Speech2FaceOptions
from zoo_speech2face.networks import Discriminator, Generator
from zoo_speech2face.shapes import MOVING, bundle
from zoo_speech2face.sound import FRONTENDS, levelled
from zoo_speech2face.windows import around, joined

LEAST_SPREAD = 0.15
"""Share of the first component's spread that the others have at least (ours), so that noise is not taken for speech."""

WINDOWS_AT_ONCE = 4096
"""Windows for which z is sought at once, so that memory does not grow with a clip's length."""


class Speech2Face(LandmarkMethod, AdversarialMethod):
    """Equations 1 to 5 of the paper; shapes become pictures by a warp of the photograph."""

    config: Speech2FaceConfig
    monitor = "val/shape"
    short_windows = "keep"
    shape_mean: Tensor
    shape_basis: Tensor
    shape_scale: Tensor
    sound_mean: Tensor
    sound_basis: Tensor
    sound_scale: Tensor

    def build(self, config: Speech2FaceConfig) -> None:
        """Front end, both networks, and the statistics of shapes and sounds."""
        self.frontend = FRONTENDS[config.sound]()
        numbers = config.components + config.sound_components
        self.generator = Generator(config.latent, config.width, config.window, numbers, config.recurrent)
        self.discriminator = Discriminator(config.width, config.window, numbers)
        for name, count, size in (
            ("shape", config.components, 2 * len(MOVING)),
            ("sound", config.sound_components, self.frontend.bands),
        ):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_basis", torch.eye(size)[:count].clone())
            self.register_buffer(f"{name}_scale", torch.ones(count))

    @property
    def input_spec(self) -> InputSpec:
        """Whole clips of landmarks and sound to train on; a face to warp."""
        side = self.config.size
        return InputSpec(
            crop="face", size=(side, side), frames=None, context=self.frontend.samples, identity="first", pictures=False
        )

    def players(self) -> dict[str, list[Group]]:
        """Two learning rates."""
        return {
            "generator": [Group([self.generator], self.config.learning_rate)],
            "discriminator": [Group([self.discriminator], self.config.discriminator_rate)],
        }

    # ---- windows of face shape and sound ----------------------------------------------------------------------------

    def fit_statistics(self, batches: Iterable[Batch]) -> None:
        """The deformable point model, and principal components of the sound."""
        shapes, sounds = Moments(2 * len(MOVING)), Moments(self.frontend.bands)
        for batch in batches:
            windows = levelled(batch.given.audio_windows(self.frontend.samples))
            for points, sound, length in zip(batch.landmarks, windows, batch.length.tolist(), strict=True):
                shapes.add(bundle(points[:length]).offsets)
                sounds.add(self.features(sound[:length]))
        for name, moments in (("shape", shapes), ("sound", sounds)):
            scale = getattr(self, f"{name}_scale")
            mean, basis, spread = moments.components(len(scale))
            getattr(self, f"{name}_mean").copy_(mean)
            getattr(self, f"{name}_basis").copy_(basis)
            scale.copy_(spread.clamp_min(LEAST_SPREAD * float(spread[0])))

    def coefficients(self, landmarks: Float[Tensor, "T 68 2"]) -> Float[Tensor, "T K"]:
        """Of mouth and jaw, in standard deviations."""
        offsets = bundle(landmarks, self.shape_mean, self.shape_basis).offsets
        return (offsets - self.shape_mean) @ self.shape_basis.T / self.shape_scale

    def sounds(self, request: Request) -> Float[Tensor, "B T A"]:
        """The sound of every frame, in standard deviations, at most three of them; however loud the clip is."""
        windows = levelled(request.audio_windows(self.frontend.samples))
        found = self.features(windows.flatten(0, 1)).view(*windows.shape[:2], -1)
        return ((found - self.sound_mean) @ self.sound_basis.T / self.sound_scale).clamp(-3, 3)

    def windows_of(self, batch: Batch) -> Float[Tensor, "N F D"]:
        """All windows of the clips of a batch: coefficients of the shape, then of the sound."""
        sounds, found = self.sounds(batch.given), []
        for points, sound, length in zip(batch.landmarks, sounds, batch.length.tolist(), strict=True):
            both = torch.cat([self.coefficients(points[:length]), sound[:length]], 1)
            found.append(around(both, self.config.window))
        return torch.cat(found)

    # ---- training: equation 1 ---------------------------------------------------------------------------------------

    def turns(self, step: Step) -> Iterator[Turn]:
        """Both networks, several times with other windows: the clips of one batch hold many."""
        step.windows = self.windows_of(step.batch)
        for _ in range(self.config.updates):
            yield from super().turns(step)

    def generator_terms(self, step: Step) -> Terms:
        """The discriminator takes what is generated for real."""
        step.real = step.windows[torch.randint(len(step.windows), (self.config.windows,), device=step.windows.device)]
        z = torch.randn(len(step.real), self.config.latent, device=step.real.device)
        step.generated = self.generator(z)
        logits = self.discriminator(step.generated)
        yield Term("g_adversarial", -logits.mean() if self.config.loss == "hinge" else F.softplus(-logits).mean())

    def discriminator_terms(self, step: Step) -> Terms:
        """It tells windows of the training data from generated ones."""
        real, generated = self.discriminator(step.real), self.discriminator(step.generated)
        if self.config.loss == "hinge":
            yield Term("d_real", F.relu(1 - real).mean())
            yield Term("d_generated", F.relu(1 + generated).mean())
        else:
            yield Term("d_real", F.softplus(-real).mean())
            yield Term("d_generated", F.softplus(generated).mean())

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Distance of in-painted points from the true ones in distances of the eyes, logged as ``val/shape``."""
        found = self.offsets(batch.given, Speech2FaceOptions())
        errors = [
            (made[:length] - bundle(points[:length], self.shape_mean, self.shape_basis).offsets.view(length, -1, 2))
            .norm(dim=-1)
            .mean()
            for made, points, length in zip(found, batch.landmarks, batch.length.tolist(), strict=True)
        ]
        self.log("val/shape", torch.stack(errors).mean(), prog_bar=True, sync_dist=True, batch_size=len(batch.clip))

    # ---- in-painting: equations 2 to 5 ------------------------------------------------------------------------------

    def inpaint(self, sounds: Float[Tensor, "B T A"], options: Any) -> Float[Tensor, "B T K"]:
        """Mouth and jaw that go with a sound, from all windows of a clip; those that show a frame are averaged."""
        size, (clips, frames) = self.config.window, sounds.shape[:2]
        known = around(sounds, size).flatten(0, 1)
        was_training = self.training
        self.eval()
        with parametrize.cached():  # the norms of the discriminator once
            z = torch.cat([self.project(part, options) for part in torch.split(known, WINDOWS_AT_ONCE)])
        with torch.no_grad():
            shapes = self.generator(z)[..., : self.config.components]
        self.train(was_training)
        return joined(shapes.view(clips, frames, size, -1))

    @torch.enable_grad()
    def project(self, known: Float[Tensor, "N F A"], options: Any) -> Float[Tensor, "N Z"]:
        """The z of windows whose sound is known (eq. 5); each is found for itself."""
        z = torch.zeros(len(known), self.config.latent, device=known.device, requires_grad=True)
        optimiser = torch.optim.Adam([z], options.step_size)
        for _ in range(options.steps):
            made = self.generator(z)
            contextual = (made[..., self.config.components :] - known).abs().mean((1, 2))
            perceptual = F.logsigmoid(-self.discriminator(made))  # log(1 - D)
            loss = contextual + options.perceptual * perceptual + options.prior * z.square().mean(1)
            (z.grad,) = torch.autograd.grad(loss.sum(), z)
            optimiser.step()
        return z.detach()

    def offsets(self, request: Request, options: Speech2FaceOptions) -> Float[Tensor, "B T P 2"]:
        """How far mouth and jaw are from the closed mouth, in distances of the eyes."""
        shapes = self.inpaint(self.sounds(request), options) * self.shape_scale @ self.shape_basis + self.shape_mean
        return shapes.view(*shapes.shape[:2], -1, 2)

    def motion(self, request: Request) -> Float32[Tensor, "B T 68 2"]:
        """In-paint; what speech does not move stays where it is."""
        options = request.options or Speech2FaceOptions()
        found = self.offsets(request, options)
        moved = found.new_zeros(*found.shape[:2], NUM_LANDMARKS, 2)
        moved[:, :, list(MOVING)] = options.strength * found
        return moved
