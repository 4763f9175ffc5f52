"""The workbench as pages in a browser and as an API, for one hospital or agency, offline: ``grouper serve``.

What is computed is computed by the library; here are the door, the pages and the guard before them.
"""
