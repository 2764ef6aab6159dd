"""Run the body of a cell ourselves, record what it shows, and show it again."""
