"""Names of `datasets` that rowstream itself does not need; `rowstream.alias` provides them."""
