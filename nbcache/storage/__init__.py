"""How results are kept: bytes and digests, no functions or cells."""
