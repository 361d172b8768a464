"""Adversarial methods that render each frame by itself: from a reference face, the target face and an audio window."""

from __future__ import annotations

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.methods.adversarial import AdversarialMethod, Step, Term, Terms
from zoo.methods.losses.reconstruction import lip_weights, weighted_l1
from zoo.methods.nn.masked import draw_clips


class FramewiseMethod(AdversarialMethod):
    """Subclasses implement :meth:`render`; training windows, whole clips and the L1 terms are made of it."""

    @abstractmethod
    def render(
        self,
        reference: Float[Tensor, "N 3 H W"],
        target: Float[Tensor, "N 3 H W"],
        features: Float[Tensor, "N 1 bands columns"],
    ) -> Float[Tensor, "N 3 H W"]:
        """Frames, RGB in [0, 1].

        Args:
            reference: the identity, RGB in [0, 1].
            target: the true frames, of which no more may be used than the method declares.
            features: of each frame's audio window (:meth:`features`).
        """

    def reconstruct(self, batch: Batch) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.methods.method.TalkingFaceMethod.reconstruct`."""
        return self.render_window(Step(batch=batch)).view_as(batch.frames)

    def render_window(self, step: Step) -> Float[Tensor, "N 3 H W"]:
        """Render all frames of a step's windows, one after another, and keep in ``step`` what belongs to each.

        That is ``reference``, ``real``, ``features`` and ``generated``, of ``B T`` rows, and ``sound`` (B T context).
        """
        frames = step.batch.frames
        step.sound = step.batch.given.audio_windows(self.input_spec.context)
        step.reference = step.batch.given.stills[:, :1].expand_as(frames).flatten(0, 1)
        step.real = frames.flatten(0, 1)
        step.features = self.features(step.sound.flatten(0, 1))
        step.generated = self.render(step.reference, step.real, step.features)
        return step.generated

    def l1_terms(self, step: Step, lip_weight: float, weight: float = 1.0) -> Terms:
        """The L1 with weight on the lips; the plain L1 is logged beside it.

        Args:
            step: after :meth:`render_window`.
            lip_weight: of the lip region against 1 elsewhere.
            weight: of the term.
        """
        height, width = step.real.shape[-2:]
        weights = lip_weights(step.batch.landmarks.flatten(0, 1), (height, width), lip_weight)
        yield Term("reconstruction", weighted_l1(step.generated, step.real, weights), weight)
        yield Term("l1", (step.generated - step.real).abs().mean(), 0)

    def expert_term(self, step: Step, name: str, weight: float) -> Term:
        """The frozen expert's loss of rendered windows of five frames (:class:`zoo.methods.losses.sync.SyncLoss`)."""
        return Term(name, self.sync_loss(step.generated.view_as(step.batch.frames), step.sound), weight)

    def generate(self, request: Request) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.methods.method.TalkingFaceMethod.generate`. Some frames at a time: memory does not grow."""
        context = self.input_spec.context
        return draw_clips(
            lambda still, target, sound: self.render(still, target, self.features(sound)), request, context
        )
