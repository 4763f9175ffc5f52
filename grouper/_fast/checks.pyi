"""The compiled module has functions for the kernels only, none for Python; see checks.pyx."""
