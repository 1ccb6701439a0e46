"""The module that started processes import as `datasets`: see `rowstream.alias`."""

from rowstream.alias import install

install()
