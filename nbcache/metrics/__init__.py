"""Metrics: named functions whose values are kept, and that know what they depend on.

`metrics.Metrics` collects functions; each is a `metric.Metric`.  `names` spells a call
as one name, `task` makes a cached call of it (`nbcache.cache` takes it from there),
`live` says what a metric is now to whoever depends on it, `shelf` keeps values in plain
files where the metrics are not in a cache.
"""
