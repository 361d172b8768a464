"""Faces: detectors, landmarks, tracking and crops, one interface over several backends."""
