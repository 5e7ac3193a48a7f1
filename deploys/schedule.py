"""Have the control machine run deploys/recover.py every few minutes, or no longer.

Usage: pyinfra inventory deploys/schedule.py [--data every=5m] [--data scheduler=systemd|launchd|cron|termux]
       pyinfra inventory deploys/schedule.py --data remove=yes
"""

import sys
from pathlib import Path

from pyinfra import host

from miyabi.schedule import DEFAULT_INTERVAL
from operations import schedule

if host.name.startswith("@local"):
    schedule.recovery(
        name="Schedule",
        repository=str(Path(__file__).resolve().parent.parent),
        python=sys.executable,
        every=host.data.get("every", DEFAULT_INTERVAL),
        scheduler=host.data.get("scheduler"),
        remove=host.data.get("remove", default=False),
    )
