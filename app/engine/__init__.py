"""The engine, PyTorch and OpenCLIP: whether it is here, which one fits, how it comes here."""
