"""Settings of Speech2Face per data set; `zoo fit speech2face data=NAME` reads NAME.yaml."""
