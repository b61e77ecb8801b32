"""The whole cascade in one process, written by hand: FastAPI, two queues, batches computed in threads.

What is saved by leaving TorchServe and a second process out; and it has nothing that a server needs besides: no keys,
no limits, no draining, no worker that may die alone. Decoding and its checks, the gate, the cascade and the answers
are Fishgate's own code, the paced models the very ones that the archives carry.
"""
