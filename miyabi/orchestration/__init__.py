"""The state that an orchestration of agents keeps in a workspace: judged, healed and rebuilt. Pure."""
