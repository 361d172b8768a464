"""Settings of At a Glance per data set; `zoo fit at-a-glance data=NAME` reads NAME.yaml."""
