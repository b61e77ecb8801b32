"""Nothing: the workflow has no functions of its own, but the workflow archiver insists on a file.

Function nodes answer so fast that TorchServe's executor loses their replies.
"""
