"""Suites that come with the zoo; `zoo benchmark --suite NAME` reads NAME.yaml."""
