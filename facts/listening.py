"""Shell text that connects to a port, for the sections that ask whether one answers."""

from __future__ import annotations

# connects HOST PORT SECONDS: 0 when the port took the connection, 124 when there was no answer in time, 1 when it did
# not, 127 when there is nothing to connect with; what is printed says why. A tool that cannot connect at all (a bash
# without /dev/tcp, a nc without -z) leaves it to the next one.
CONNECTS = r"""newline='
'
connects() {
  said='there is no bash, perl, python3 or nc to connect with'; code=127
  for tool in bash perl python3 nc; do
    command -v "$tool" >/dev/null 2>&1 || continue
    said=$(case $tool in
    bash) bounded "$3" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2";;
    perl) bounded "$3" perl -MIO::Socket::IP -e 'IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1],
      Type => IO::Socket::IP::SOCK_STREAM) or print "$@\n" and exit 1' "$1" "$2";;
    python3) bounded "$3" python3 -IS -c 'import socket, sys
try: socket.create_connection(sys.argv[1:])
except OSError as error: sys.exit(str(error))' "$1" "$2";;
    nc) bounded "$3" nc -z -w "$3" "$1" "$2" </dev/null;;
    esac 2>&1); code=$?
    case $code in 0|124) return "$code";; esac
    said=${said%%"$newline"*}
    case $said in
    *[Rr]efused*|*'timed out'*|*nreachable*|*'No route'*|*'not known'*|*resol*|*ddress*|*eset*) return 1;;
    esac
  done
  [ "$code" -eq 127 ] || [ -z "$said" ] || code=127
  [ -n "$said" ] || said=refused
  return "$code"
}
"""
