"""Figures, the page, metrics, reports and predictions: what is seen of the history."""
