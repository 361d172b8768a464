"""Settings of Wav2Lip per data set; `zoo fit wav2lip data=NAME` reads NAME.yaml."""
