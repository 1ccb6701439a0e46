"""Indexes of tar archives, as other libraries write them: where the samples of an archive begin."""
