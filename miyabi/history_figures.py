"""The history in figures, each in a question of its own: what the page, the metrics and the reports ask for. Pure.

Dear to import, as the history is: only where it is asked.
"""

from miyabi.history_incident_figures import incident_stories, last_predictions
from miyabi.history_look_figures import agent_times, availability_of_hosts, usage_series
from miyabi.history_repair_figures import deeds, learned, level_figures

__all__ = [
    "agent_times",
    "availability_of_hosts",
    "deeds",
    "incident_stories",
    "last_predictions",
    "learned",
    "level_figures",
    "usage_series",
]
