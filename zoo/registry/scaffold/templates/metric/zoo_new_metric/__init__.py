"""NewMetric, a metric for the talking-face zoo."""
