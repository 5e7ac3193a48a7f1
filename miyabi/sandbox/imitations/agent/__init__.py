"""imitation of a coding agent for the sandbox: it plays Claude Code or Codex, and whatever can become of one."""
