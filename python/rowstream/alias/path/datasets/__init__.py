"""What a process that another started imports as `datasets`: see `rowstream.alias`."""

from rowstream.alias import install

install()
