"""``python -m tests.orchestration.write_schema`` writes docs/session-state.schema.json anew."""

from __future__ import annotations

import json
from pathlib import Path

from miyabi.orchestration.session_schema import session_json_schema

if __name__ == "__main__":
    text = json.dumps(session_json_schema(), indent=2, ensure_ascii=False) + "\n"
    (Path(__file__).parents[2] / "docs" / "session-state.schema.json").write_text(text)
