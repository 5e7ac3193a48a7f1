"""In which order: each module is a deploy, run as ``pyinfra inventory deploys/NAME.py``."""
