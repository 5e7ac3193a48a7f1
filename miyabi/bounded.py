"""Shell text that lets a command take only so long. Pure."""

from __future__ import annotations

# macOS has no `timeout`: there perl's alarm outlives its exec, and where there is no perl either, a watcher looks every
# second; its sleep must not outlive it, hence the trap. Each way ends in 124 as GNU's `timeout` does: the alarm's own
# code is 142, that of busybox's `timeout` 143, that of a kill 137.
# `bounded 5 command...` is all that others use.
BOUNDED = r"""if command -v timeout >/dev/null 2>&1; then limited() { timeout "$@"; }
elif command -v perl >/dev/null 2>&1; then limited() { perl -e 'alarm shift; exec @ARGV or exit 127' "$@"; }
else limited() {
  _limit=$1; shift; "$@" & _pid=$!
  (exec >/dev/null 2>&1; trap 'kill -9 "$!"; exit' TERM
  while kill -0 "$_pid"; do
    [ "$_limit" -gt 0 ] || kill -9 "$_pid"; _limit=$((_limit - 1)); sleep 1 & wait "$!"
  done) & _watch=$!
  wait "$_pid" 2>/dev/null; _code=$?; kill "$_watch" 2>/dev/null; wait "$_watch" 2>/dev/null; return "$_code"
}; fi
bounded() { limited "$@"; _code=$?; case $_code in 137|142|143) return 124;; esac; return "$_code"; }"""
