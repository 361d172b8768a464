"""Settings of the flow network per data set."""
