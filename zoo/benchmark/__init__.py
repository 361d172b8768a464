"""The benchmark: suites, cells, rows and leaderboards."""
