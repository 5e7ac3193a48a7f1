"""Incidents, alerts, channels and signals."""
