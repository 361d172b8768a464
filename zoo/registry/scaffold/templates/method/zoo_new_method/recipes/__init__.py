"""Settings of NewMethod per data set; `data=NAME` reads NAME.yaml."""
