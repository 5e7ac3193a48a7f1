"""The test fleet: real tmux servers, real sshd servers and the real command line, each in a folder of its own.

waiting    poll with a deadline
processes  which processes belong to whom, and how to end them
leaks      one test run's own marker and folder, and what it left behind
machine    a folder that plays a machine: HOME, environment, commands
tmux       a private tmux server
privileges sshd's own folder, when root runs the tests
sshd       a host that is reached through a real sshd on the loopback address
programs   programs that not every machine has
control    the side that runs pyinfra: its HOME, its ssh configuration, its inventories
"""
