#!/bin/sh
# Prepares this clone: a virtual environment with the locked packages, and the programs that are missing.
# Used by the Makefile. Usage: sh setup.sh packages LOCKFILE | sh setup.sh programs run|demo|test
set -eu
cd "$(dirname "$0")"
venv=.venv

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# --- As root, if there is a way -------------------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    # A password can be asked for only where somebody sits.
    elif [ -t 0 ] && command -v sudo >/dev/null; then sudo "$@"
    elif sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 1; fi
}

can_install() { command -v apt-get >/dev/null && as_root true; }

# Quiet, unless it fails.
apt_get() {
    said=$(as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@" 2>&1 </dev/null) ||
        { printf '%s\n' "$said" >&2; return 1; }
}

# The lists of packages may be missing or too old: then they are fetched, and the installation is tried once more.
install_packages() {
    can_install || return 1
    say "installing $*"
    apt_get install -y --no-install-recommends "$@" 2>/dev/null && return
    apt_get update || say "apt-get update failed; trying all the same"
    apt_get install -y --no-install-recommends "$@"
}

# --- Programs -------------------------------------------------------------------------------------------------------

have() { PATH="$PATH:/usr/local/sbin:/usr/sbin" command -v "$1" >/dev/null; }

# Whether PROGRAM is there now; it is installed from PACKAGE if it was missing.
provide() { have "$1" || { install_packages "$2" && have "$1"; }; }

need() { provide "$1" "$2" || fail "$1 is missing: install it first (Debian and Ubuntu: apt-get install $2)"; }

programs_to_run() { need tmux tmux; }

programs_to_demo() {
    programs_to_run
    need ssh openssh-client
    if ! have sshd; then
        need sshd openssh-server
        # The sandbox and the tests start their own: nobody asked for one on port 22.
        if [ -d /run/systemd/system ]; then as_root systemctl -q disable --now ssh.service ssh.socket 2>/dev/null || :; fi
    fi
    provide runsv runit || say "runit is missing: the sandbox's phone has a plain sshd"
}

have_postgresql() { have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }

provide_postgresql() {
    if have_postgresql; then return; fi
    install_packages postgresql && have_postgresql || return 1
    # The tests start their own: nobody asked for one on port 5432.
    if [ -d /run/systemd/system ]; then as_root systemctl -q disable --now postgresql.service 2>/dev/null || :; fi
}

programs_to_test() {
    programs_to_demo
    for shell in zsh mksh busybox; do
        provide "$shell" "$shell" || say "$shell is missing: the tests that need it are skipped"
    done
    provide_postgresql || say "postgresql is missing: the tests that need it are skipped"
    provide systemd-analyze systemd || say "systemd-analyze is missing: the tests that need it are skipped"
    provide chromium chromium || say "chromium is missing: the tests that need it are skipped"
}

# --- Packages -------------------------------------------------------------------------------------------------------

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer"
        echo "$PYTHON"
        return
    fi
    for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
        if is_new_enough "$candidate"; then echo "$candidate"; return; fi
    done
    fail "no Python 3.11 or newer on PATH: install one, or name it: make PYTHON=/path/to/python3"
}

venv_works() { "$venv/bin/python" -m pip --version >/dev/null 2>&1; }

try_venv() { rm -rf "$venv"; "$1" -m venv "$venv" >/dev/null 2>&1 && venv_works; }

# Debian takes ensurepip out of Python, and puts it into python3-venv. A pip of any other kind can do without it.
try_venv_with_other_pip() {
    "$1" -m pip --version >/dev/null 2>&1 || return 1
    rm -rf "$venv"
    "$1" -m venv --without-pip "$venv" && "$1" -m pip -q --python "$venv/bin/python" install pip && venv_works
}

make_venv() {
    python=$(find_python)
    say "making $venv with $("$python" --version)"
    try_venv "$python" && return
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    try_venv_with_other_pip "$python" && return
    install_packages "$package" && try_venv "$python" && return
    fail "$python has neither ensurepip nor pip: install one first (Debian and Ubuntu: apt-get install $package)"
}

install_locked() {
    venv_works || make_venv
    say "installing the packages of $1"
    "$venv/bin/python" -m pip -q --disable-pip-version-check --no-input install --require-hashes --no-deps -r "$1"
}

# What an editable install would write, without fetching what builds one.
install_command() {
    cat >"$venv/bin/miyabi" <<END
#!$PWD/$venv/bin/python
import sys

sys.path[0] = "$PWD"
from miyabi.cli import main

sys.exit(main())
END
    chmod +x "$venv/bin/miyabi"
}

case "$*" in
    "packages "?*)
        install_locked "$2"
        install_command ;;
    "programs run") programs_to_run ;;
    "programs demo") programs_to_demo ;;
    "programs test") programs_to_test ;;
    *) fail "usage: sh setup.sh packages LOCKFILE | sh setup.sh programs run|demo|test" ;;
esac
