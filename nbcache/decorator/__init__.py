"""`cached` functions: options, the key of a call, the wrapper."""
