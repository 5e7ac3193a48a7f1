"""Reports of a day, a week or a month."""
