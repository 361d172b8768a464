"""Settings of LipGAN per data set; `zoo fit lipgan data=NAME` reads NAME.yaml."""
