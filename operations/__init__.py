"""Make one thing true on a host: idempotent pyinfra operations, usable in anyone's deploys."""
