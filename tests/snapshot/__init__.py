"""Snapshots on the control machine, restore and adopt."""
