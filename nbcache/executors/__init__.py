"""Where many calls are computed: in this process, in others, on a cluster."""
