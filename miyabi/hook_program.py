"""Shell text that finds why a hook could not be run: it is missing, may not, or its interpreter is not there. Pure."""

from __future__ import annotations

# Given before: `refuse WORD ABOUT`, which ends the script, and `search`, the hook's PATH.
# program: the file that a name means; a file that is there and may not be run is told apart from none.
_FOUND = r"""program=
found_in_path() {
  _rest=$search: _denied=
  while [ -n "$_rest" ]; do
    _in=${_rest%%:*}; _rest=${_rest#*:}; _in=${_in:-.}
    [ -f "$_in/$1" ] || continue
    if [ -x "$_in/$1" ]; then program=$_in/$1; return 0; fi
    [ -n "$_denied" ] || _denied=$_in/$1
  done
  return 1
}"""

# reached: refuses a path of which a part is not there, or may not be entered.
# noexec: whether programs may not be run where a file lies; `at` is where that is mounted.
# runnable: refuses a file that may not be run, with the reason.
_RUNNABLE = r"""reached() {
  _rest=$1
  case $1 in (/*) _at=;; (*) _at=.;; esac
  while case $_rest in (*/*) ;; (*) false;; esac; do
    _part=${_rest%%/*}; _rest=${_rest#*/}
    [ -n "$_part" ] || continue
    _at=$_at/$_part
    [ -e "$_at" ] || refuse "$2missing" "$_at"
    [ -d "$_at" ] || refuse "$2missing" "$1"
    [ -x "$_at" ] || refuse "$2unreachable" "$_at"
  done
  [ ! -L "$1" ] || [ -e "$1" ] || refuse "$2dangling" "$1"
  [ -e "$1" ] || refuse "$2missing" "$1"
}
noexec() {
  at=$(df -P -- "$1" 2>/dev/null | sed -n '$s/^.*% *\(\/.*\)$/\1/p')
  [ -n "$at" ] || return 1
  _last=
  if [ -r /proc/mounts ]; then
    # The kernel writes blanks in names as octal digits.
    _known=$(df -P -- "$1" | sed -n '$s/^.*% *\(\/.*\)$/\1/p' |
      sed -e 's/\\/\\134/g' -e 's/ /\\040/g' -e 's/	/\\011/g')
    while read -r _device _where _kind _options _more; do
      [ "$_where" != "$_known" ] || _last=,$_options,
    done </proc/mounts
    case $_last in (*,noexec,*) return 0;; esac
  else
    case $(mount 2>/dev/null | grep -F " on $at (") in (*noexec*) return 0;; esac
  fi
  return 1
}
runnable() {
  reached "$1" "$2"
  [ ! -d "$1" ] || refuse "$2directory" "$1"
  [ -f "$1" ] || refuse "$2special" "$1"
  ! noexec "$1" || refuse "$2noexec" "$1
$at"
  [ ! -x "$1" ] || return 0
  case $(ls -ldL -- "$1" 2>/dev/null) in
  (-*x*' '*) case $(ls -ldL -- "$1" | cut -c 1-10) in (*x*) refuse "$2foreign" "$1";; esac;;
  esac
  refuse "$2not-executable" "$1"
}"""

# The interpreter of a script's first line, which the kernel would not find: it says then that the hook is not there.
# Termux looks for those of /bin and /usr/bin in its own folder.
_INTERPRETER = r"""interpreter() {
  [ -r "$1" ] || return 0
  _first=$(head -c 512 <"$1" 2>/dev/null | LC_ALL=C tr -d '\000' | LC_ALL=C sed -n '1{s/^#![ 	]*//p;q;}')
  [ -n "$_first" ] || return 0
  _script=$1 _return=$(printf '\r')
  set -f; set -- $_first; set +f
  [ "$#" -gt 0 ] || return 0
  _named=$1
  case $1 in
  (*/env) shift
    while case ${1:-} in (-*|*=*) ;; (*) false;; esac; do shift; done
    [ "$#" -eq 0 ] || _named=$1;;
  esac
  case $_named in (*"$_return") refuse carriage-return "$_script";; esac
  case $_named in
  (*/*)
    if [ ! -e "$_named" ]; then
      case ${PREFIX:-} in (*/com.termux/*) [ ! -x "$PREFIX/bin/${_named##*/}" ] || return 0;; esac
      refuse interpreter "$_named
$_script"
    fi
    [ -x "$_named" ] || refuse interpreter-denied "$_named
$_script";;
  (*) found_in_path "$_named" || refuse interpreter "$_named
$_script";;
  esac
}"""

CHECK = rf"""{_FOUND}
{_RUNNABLE}
{_INTERPRETER}
check() {{
  case $1 in
  (*/*) program=$1;;
  (*) if ! found_in_path "$1"; then
      [ -z "$_denied" ] || refuse not-executable "$_denied"
      [ ! -e "$1" ] || refuse not-in-path "$1"
      refuse unknown "$1"
    fi;;
  esac
  runnable "$program" ''
  interpreter "$program"
}}"""
