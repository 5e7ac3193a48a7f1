r"""Shell text that puts a new file in the place of one that other programs may be writing. Pure.

Linux can exchange two names at once (``RENAME_EXCHANGE``), macOS as well (``RENAME_SWAP``): the new file is in its
place, and the old one is held in the hand. Only then is it certain which one was replaced:

- A writer that renamed its own file into the place a moment before: what was taken out is not what was expected. Both
  names are exchanged back, and if yet another one came meanwhile, again, until the newest of theirs is in its place.
- A writer that writes into the old file itself: it is seen by its open descriptor (Linux, as far as the user may look)
  or by the file, which changes while it is held. Then the old file goes back as well.

Nothing is begun while a process has the file open for writing, or before it has stood still for a tenth of a second.

Where names cannot be exchanged, the file is looked at and replaced in one breath: a writer that renames its own file
into the place in that breath (a few microseconds with perl or python3, some milliseconds without) is written over.
"""

from __future__ import annotations

from shlex import quote

# Seconds for which a file stands still before it is replaced, and for which it is watched afterwards.
_STILL = 0.1

# Seconds that a process is given to close the file.
_PATIENCE = 2.0

# Both programs take: the new file, the file, its expected digest, and `exchange` or `rename`. They end with 0 when the
# new file is in its place (and what was there under the new one's name), with 76 when another program was faster, with
# 3 when they cannot do it in this way here, and with 1 and a reason when it did not work.
_PERL = rf"""use strict; use Config; use Digest::SHA; use Time::HiRes qw(stat sleep time);
my ($new, $file, $expected, $way) = @ARGV; my $aside = "$new.aside";
$SIG{{$_}} = "IGNORE" for qw(HUP INT TERM);
my %calls = ("x86_64" => 316, "aarch64" => 276, "arm64" => 276, "riscv64" => 276, "i[3-6]86" => 353, "arm" => 382,
  "powerpc" => 357, "ppc64" => 357, "s390x" => 347);
my @kinds = sort {{ length $b <=> length $a }} grep {{ $Config{{archname}} =~ /^$_/ }} keys %calls;
my $call = @kinds ? $calls{{$kinds[0]}} : 0;
exit 3 if $way eq "exchange" and ($^O ne "linux" or not $call);
sub known {{ my @is = stat $_[0]; @is ? join " ", @is[0, 1, 7, 9] : "" }}
sub digest {{ my $sha = Digest::SHA->new(256); eval {{ $sha->addfile($_[0], "b"); 1 }} ? $sha->hexdigest : "" }}
sub exchange {{ syscall($call, -100, $new, -100, $file, 2) == 0 }}
sub faster {{ unlink $aside; print "$_[0]\n"; exit 76 }}
sub failed {{ my $why = "$!"; unlink $aside; print "$why\n"; exit 1 }}
sub held {{
  my ($device, $inode) = (stat $_[0])[0, 1]; return 0 unless $inode;
  for my $open (glob "/proc/[0-9]*/fd/*") {{
    my @is = stat $open; next unless @is and $is[1] == $inode and $is[0] == $device;
    (my $info = $open) =~ s{{/fd/}}{{/fdinfo/}}; open(my $in, "<", $info) or next;
    while (<$in>) {{ return 1 if /^flags:\s*[0-7]*[123]$/ }}
  }} return 0
}}
sub closed {{ my $end = time + {_PATIENCE}; while (held($_[0])) {{ return 0 if time > $end; sleep 0.05 }} return 1 }}
my $is = known($file); my $ours = known($new);
faster("it was written meanwhile") if digest($file) ne $expected;
my $age = time - (stat $file)[9];
sleep {_STILL} - $age if $age >= 0 and $age < {_STILL};
closed($file) or faster("a process is writing it");
faster("it was written meanwhile") if known($file) ne $is;
if ($way eq "exchange") {{ exchange() or exit 3 }}
else {{
  # Without another name for the old file, nobody can see whether it is still being written.
  unlink $aside; link $file, $aside;
  faster("it was written meanwhile") if known($file) ne $is;
  rename $new, $file or failed();
  rename $aside, $new or exit 0;
}}
sub back {{
  my ($in, $out) = ($ours, known($new));
  while (1) {{
    if ($way eq "exchange") {{ exchange() or failed() }} else {{ rename $new, $file or failed(); last }}
    my $now = known($new); last if $now eq $in; ($in, $out) = ($out, $now);
  }}
  faster($_[0]);
}}
back("it was written meanwhile") if known($new) ne $is;
sleep {_STILL};
closed($new); back("it was written meanwhile") if known($new) ne $is or digest($new) ne $expected;
exit 0;"""

_PYTHON = rf"""import ctypes, glob, hashlib, os, re, signal, sys, time
new, file, expected, way = sys.argv[1:]
aside = new + ".aside"
for each in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM): signal.signal(each, signal.SIG_IGN)
libc = ctypes.CDLL(None, use_errno=True)
swap, swap_in = getattr(libc, "renameat2", None), getattr(libc, "renamex_np", None)
if way == "exchange" and swap is None and swap_in is None: sys.exit(3)
def exchange():
    one, other = os.fsencode(new), os.fsencode(file)
    return (swap(-100, one, -100, other, 2) if swap is not None else swap_in(one, other, 2)) == 0
def known(path):
    try: status = os.stat(path)
    except OSError: return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
def digest(path):
    found = hashlib.sha256()
    try:
        with open(path, "rb") as content:
            for part in iter(lambda: content.read(1 << 20), b""): found.update(part)
    except OSError: return ""
    return found.hexdigest()
def end(code, words=""):
    try: os.unlink(aside)
    except OSError: pass
    if words: print(words)
    sys.exit(code)
def held(path):
    wanted = known(path)
    for each in glob.iglob("/proc/[0-9]*/fd/*") if wanted else ():
        try:
            if known(each)[:2] != wanted[:2]: continue
            with open(each.replace("/fd/", "/fdinfo/")) as told:
                if re.search("^flags:\\s*[0-7]*[123]$", told.read(), re.M): return True
        except (OSError, TypeError): continue
    return False
def closed(path):
    over = time.monotonic() + {_PATIENCE}
    while held(path):
        if time.monotonic() > over: return False
        time.sleep(0.05)
    return True
def renamed(one, other):
    try: os.rename(one, other)
    except OSError as error: end(1, error.strerror)
def back():
    put, taken = ours, known(new)
    while True:
        if way != "exchange": renamed(new, file); break
        if not exchange(): end(1, os.strerror(ctypes.get_errno()))
        now = known(new)
        if now == put: break
        put, taken = taken, now
    end(76, MEANWHILE)
MEANWHILE = "it was written meanwhile"
before, ours = known(file), known(new)
if digest(file) != expected: end(76, MEANWHILE)
age = time.time() - before[3] / 1e9
if 0 <= age < {_STILL}: time.sleep({_STILL} - age)
if not closed(file): end(76, "a process is writing it")
if known(file) != before: end(76, MEANWHILE)
if way == "exchange":
    if not exchange(): sys.exit(3)
else:
    try: os.unlink(aside)
    except OSError: pass
    try: os.link(file, aside)
    except OSError: pass
    if known(file) != before: end(76, MEANWHILE)
    renamed(new, file)
    try: os.rename(aside, new)
    except OSError: end(0)
if known(new) != before: back()
time.sleep({_STILL})
closed(new)
if known(new) != before or digest(new) != expected: back()
end(0)"""

# What is left to a host that has neither: its tools, which take some milliseconds each.
_SHELL = r"""by_tools() {
  [ "$(digests "$2")" = "$3" ] || { echo 'it was written meanwhile'; return 76; }
  rm -f "$1.aside"
  if mv --exchange --no-copy -T -- "$1" "$2" 2>/dev/null || mv --exchange -T -- "$1" "$2" 2>/dev/null; then
    [ "$(digests "$1")" = "$3" ] && sleep 1 && [ "$(digests "$1")" = "$3" ] && return 0
    mv --exchange -T -- "$1" "$2" 2>/dev/null
  else
    ln "$2" "$1.aside" 2>/dev/null
    why=$(mv -f "$1" "$2" 2>&1) || { echo "${why##*: }"; return 1; }
    [ -f "$1.aside" ] || return 0
    sleep 1
    if [ "$(digests "$1.aside")" = "$3" ]; then mv -f "$1.aside" "$1"; return 0; fi
    mv -f "$1.aside" "$2"
  fi
  echo 'it was written meanwhile'; return 76
}"""

# exchanged NEW FILE DIGEST: puts NEW in the place of FILE, if that holds what has this digest: 0, and what was there is
# called NEW, if it could be kept. 76 when another program was faster, whose file stays; 1 when it did not work. It says
# why. It needs `digests` and `has`.
EXCHANGE = rf"""{_SHELL}
by_perl() {{ perl -e {quote(_PERL)} -- "$@"; }}
by_python() {{ python3 -c {quote(_PYTHON)} "$@"; }}
exchanged() {{
  perl=; python=
  if has perl && perl -MDigest::SHA -MTime::HiRes -e 1 2>/dev/null; then perl=1; fi
  if [ -z "$perl" ] || [ ! -d /proc/self ]; then if has python3 && python3 -c 1 2>/dev/null; then python=1; fi; fi
  for way in exchange rename; do
    if [ -n "$perl" ]; then by_perl "$@" "$way"; code=$?; [ "$code" -eq 3 ] || return "$code"; fi
    if [ -n "$python" ]; then by_python "$@" "$way"; code=$?; [ "$code" -eq 3 ] || return "$code"; fi
  done
  by_tools "$@"
}}"""
