"""Settings of the static baseline per data set; `zoo fit temporal-gan-static data=NAME` reads NAME.yaml."""
