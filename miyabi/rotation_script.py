r"""How a host cuts logs that have grown, as shell text that loses no byte, whenever it is killed. Pure.

A log is cut in two steps, and at each moment the archive and the log, one after the other, are the whole:

1. All but the log's last block is compressed into ``NAME.STAMP.part``, compared with the log, written to the disk, and
   called ``NAME.STAMP.headN`` (N bytes). Then ``fallocate`` takes these blocks out of the file (ext4, XFS and others):
   what is appended meanwhile stays, and a process that writes to the log never notices.
2. What is left is a piece of a block. A log that somebody is writing keeps it. Of any other it is copied to
   ``NAME.STAMP.tail``, and the log is truncated.

Where ``fallocate`` cannot do its part, the second step follows at once and takes all that came after the head. Head and
tail together become the archive. Of one that was killed, a head (or tail) with which the log still begins is removed,
since it was not cut off yet; any other is all that there is of these bytes, and becomes an archive.
"""

from __future__ import annotations

import shlex

from miyabi.host_lock import alone
from miyabi.host_paths import DIGEST, FILE_TOOLS, LATER, STAMP
from miyabi.rotation import JUDGING, LEFTOVERS
from miyabi.shell import HOST_ENVIRONMENT, pattern

# Copies a log from an offset to its end into a file, writes that to the disk, copies what has come since, and truncates
# the log in the same breath, unless somebody has removed the copy. Arguments: log, copy, offset.
_PERL = r"""use strict; use IO::Handle; my ($log, $copy, $from) = @ARGV;
sub failed { print STDERR "$_[0]: $!\n"; exit 1 }
open(my $in, "+<", $log) or failed($log); open(my $out, ">>", $copy) or failed($copy);
defined sysseek($in, $from, 0) or failed($log);
my $synced = 0;
while (1) {
  my $count = sysread($in, my $bytes, 1 << 20); defined $count or failed($log);
  for (my $done = 0; $done < $count;) {
    my $more = syswrite($out, $bytes, $count - $done, $done); defined $more or failed($copy); $done += $more;
  }
  next if $count;
  if ($synced++) { (stat $out)[3] or failed($copy); truncate($in, 0) or failed($log); exit 0 }
  $out->sync or failed($copy);
}"""

_PYTHON = r"""import os, sys
log, copy, start = sys.argv[1], sys.argv[2], int(sys.argv[3])
try:
    source = os.open(log, os.O_RDWR); target = os.open(copy, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.lseek(source, start, os.SEEK_SET)
    synced = False
    while True:
        data = os.read(source, 1 << 20)
        if not data and synced and os.fstat(target).st_nlink: os.ftruncate(source, 0); sys.exit(0)
        if not data and synced: sys.exit(copy + ": it was removed")
        if not data: os.fsync(target); synced = True
        while data: data = data[os.write(target, data):]
except OSError as error:
    sys.exit(log + ": " + str(error.strerror))"""

# Where there is neither, the log is copied twice: much, and then what came meanwhile.
_CUT = rf"""cut_off() {{
  if command -v perl >/dev/null 2>&1 && perl -e 1 2>/dev/null; then perl -e {shlex.quote(_PERL)} "$@"
  elif command -v python3 >/dev/null 2>&1 && python3 -c 1 2>/dev/null; then python3 -c {shlex.quote(_PYTHON)} "$@"
  else
    tail -c "+$(($3 + 1))" "$1" >"$2" && flushed "$2" || return 1
    _have=$(($3 + $(length "$2")))
    tail -c "+$((_have + 1))" "$1" >>"$2" && : >"$1"
  fi
}}
length() ( set -f; set -- $(ls -lnd "$1"); echo "$5" )"""

# kind: "pack" where the holes of a sparse log are left out, else "head". end: ".gz", or nothing without gzip.
_ARCHIVE = r"""squeezed() { if [ "$kind" = pack ]; then tr -d '\000'; else cat; fi; }
packed() { if [ -n "$end" ]; then gzip -nc; else cat; fi; }
unpacked() { if [ -n "$end" ]; then gzip -dc 2>/dev/null; else cat; fi; }
begins_with() {
  _has=$(head -c "$2" "$log" 2>/dev/null | squeezed | digest)
  [ -n "$_has" ] && [ "$_has" = "$(unpacked <"$1" | digest)" ]
}
dressed() { _worn=$(worn "$log"); chmod "${_worn%%-*}" "$1"; }
old_logs() {
  for _old in "$log".$STAMP*; do
    case ${_old#"$log".} in $STAMP|$STAMP.gz|${STAMP}_[0-9]*) ;; *) continue;; esac
    case $_old in *.part|*.tail|*.head*|*.pack*) ;; *) [ ! -f "$_old" ] || "$@" "$_old";; esac
  done
}
newest() { _newest=${1#"$log".}; _newest=${_newest%.gz}; }
count() { have=$((have + 1)); }
oldest_away() { [ "$have" -le "$keep" ] || { rm -f "$1"; have=$((have - 1)); }; }
thinned() { have=0; old_logs count; old_logs oldest_away; }
# The head and the tail of one cut become an archive; where only one of them is there, it is the archive.
joined() {
  if [ -s "$at.tail" ]; then
    { [ -z "$head" ] || cat "$head"; packed <"$at.tail"; } >"$at.part" && flushed "$at.part" || return 1
    [ -z "$end" ] || gzip -t <"$at.part" || return 1
    dressed "$at.part"; mv -f "$at.part" "$at$end" || return 1
  elif [ -n "$head" ]; then dressed "$head"; mv -f "$head" "$at$end" || return 1
  fi
  rm -f "$at.tail" ${head:+"$head"}
}"""

# A part that a process of the killed rotation still has open is left for the next run.
_FINISHING = r"""finished() {
  for at in "$log".$STAMP*.part; do [ ! -f "$at" ] || rm -f "$at"; done
  for each in "$log".$STAMP*.head* "$log".$STAMP*.pack* "$log".$STAMP*.tail; do
    [ -f "$each" ] || continue
    ! held "$each" || { echo "$each: still being written" >&2; return 1; }
    at=${each%.*}; end=; head=; bytes=; kind=head
    case $each in *.gz) end=.gz; at=${at%.*};; esac
    [ ! -f "$at" ] && [ ! -f "$at.gz" ] || { rm -f "$each"; continue; }
    case $each in
      *.tail) if command -v gzip >/dev/null 2>&1; then end=.gz; fi;;
      *) head=$each; bytes=${each#"$at".}; bytes=${bytes%.gz}; kind=${bytes%"${bytes#????}"}; bytes=${bytes#????}
        if begins_with "$head" "$bytes"; then rm -f "$at.tail" "$head"; continue; fi;;
    esac
    kind=head
    if [ -f "$at.tail" ] && (end=; begins_with "$at.tail" "$(length "$at.tail")"); then rm -f "$at.tail"; fi
    joined || return 1
  done
}"""

_ROTATING = r"""rotated() {
  log=$1; finished || return 1
  due "$log" "$least" || return 0
  mine "$log" || return 0
  set -- $(measured "$log"); size=$1; kind=head; [ "$2" -ge "$1" ] || kind=pack
  _block=$(block "$log"); bytes=$(((size - 1) / _block * _block))
  [ "$keep" -gt 0 ] || { emptied; return; }
  _newest=; old_logs newest; at=$log.$(later "$_newest"); head=; from=$bytes
  end=; if command -v gzip >/dev/null 2>&1; then end=.gz; fi
  if [ "$bytes" -gt 0 ]; then
    head=$at.$kind$bytes$end
    head -c "$bytes" "$log" | squeezed | packed >"$at.part" && begins_with "$at.part" "$bytes" \
      && flushed "$at.part" && mv "$at.part" "$head" || { failing "$at.part"; return 1; }
    if taken_out; then from=0; fi
  fi
  if [ "$from" -gt 0 ] || ! held "$log"; then
    if ! cut_off "$log" "$at.tail" "$from"; then
      # What is taken out already is an archive; what is not, stays in the log alone.
      rm -f "$at.tail"
      if [ "$from" -eq 0 ] && [ -n "$head" ]; then joined; else rm -f ${head:+"$head"}; fi
      echo "$log: it could not be cut" >&2; return 1
    fi
  fi
  joined || { echo "$at.tail: it could not be compressed" >&2; return 1; }
  thinned
}
taken_out() { fallocate -c -o 0 -l "$bytes" "$log" 2>/dev/null; }
failing() { rm -f "$1"; echo "$log: it could not be copied, and stays as it is" >&2; }
emptied() {
  if [ "$bytes" -eq 0 ] || ! taken_out || ! held "$log"; then : >"$log" || return 1; fi
  thinned
}"""


def rotation_script(path: str, max_size: int, keep: int) -> str:
    """The shell text that rotates the logs of ``path``, and finishes what one that was killed has left.

    + path: a path or a pattern
    + max_size: bytes; 0 is every log that is not empty
    + keep: how many old ones of each log stay

    A log that cannot be rotated stays as it is and makes the exit code 1; the others are rotated nevertheless.
    """
    script = f"""umask 077; LC_ALL=C; export LC_ALL; least={max(max_size, 1)}; keep={keep}; failed=0
STAMP={shlex.quote(STAMP)}
{FILE_TOOLS}
{DIGEST}
{LATER}
{JUDGING}
{_CUT}
{_ARCHIVE}
{_FINISHING}
{_ROTATING}
for each_part in {pattern(path)}{LEFTOVERS}; do
  [ -f "$each_part" ] || continue
  log=${{each_part%.$STAMP*}}; ( finished ) || failed=1
done
for each_log in {pattern(path)}; do
  case $each_log in *.gz|*.xz|*.bz2|*.zst|*.$STAMP|*.${{STAMP}}_[0-9]*|*.$STAMP.*) continue;; esac
  [ -f "$each_log" ] && due "$each_log" "$least" && mine "$each_log" || continue
  each_log=$(real "$each_log"; echo .) || continue
  ( rotated "${{each_log%.}}" ) || failed=1
done
exit "$failed\""""
    return f"{HOST_ENVIRONMENT}\n{alone('logs', script)}"
