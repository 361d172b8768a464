"""Settings of the temporal GAN per data set; `zoo fit temporal-gan data=NAME` reads NAME.yaml."""
