"""Ten million rows of two numbers, in batches of 1,024: all permuted, beside file order."""

DATA, CALL, ARGUMENTS = "numbers", "whole_batches", ()
PEERS = ("rowstream", "rowstream_in_order")
WHOLE = True
REACH = {"rowstream_in_order": 0.7}
