"""The machine that pyinfra runs on."""

control = [("@local", {"platform": "linux", "spec": "control"})]
