"""``python -m miyabi.dashboard N`` serves what the open file N says: a process with nothing in it but the server."""

import sys

from miyabi.dashboard.server import main

main(int(sys.argv[1]))
