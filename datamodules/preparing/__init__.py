"""A corpus, tokenized once for all runs: a pipeline of datatrove that writes shards as `storage.prepared` has them.

What is done is a function of the inputs and the options alone. The input is divided into portions (`plan`), each of
which is worked on by itself and leaves one shard; how many processes do so, and on which machines, changes nothing.
"""
