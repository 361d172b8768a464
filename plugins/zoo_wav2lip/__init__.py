"""Wav2Lip: five frames at a time under a frozen sync expert (Prajwal et al., ACM Multimedia 2020)."""
