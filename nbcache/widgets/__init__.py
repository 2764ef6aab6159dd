"""What can be shown in a notebook: the panel and its table."""
