"""Results of earlier caching packages, taken over: a module a format, `FORMATS` all."""
