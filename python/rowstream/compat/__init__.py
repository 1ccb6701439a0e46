"""Names of `datasets` that nothing here needs: what `rowstream.alias` gives to code that imports
them.
"""
