"""A fleet of hosts on this machine's loopback, to look at, to break and to see recover.

Its sshd, tmux, shells and files are real. What only a phone, a Mac or EC2 has is imitated, and every imitation says so.

fleet      which hosts there are, and where what of them is
processes  which processes belong to it, and how to end them
programs   what this machine must have, and what it can do
hosts      the files of a host
specs      what is wanted of the hosts: specs, inventory, ssh configuration
lifecycle  up, down, status
cloud      the EC2 of its instances: cloud_* is what it is made of, machines the hosts behind it
faults     what can be broken
relay      a network that is slow
demo       the whole story, and progress shows it
"""
