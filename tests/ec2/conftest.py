"""Every test of EC2 may ask for a cloud."""

from __future__ import annotations

from tests.ec2.cloud import cloud, cloud_process  # noqa: F401
