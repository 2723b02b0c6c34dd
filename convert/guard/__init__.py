"""Rejects model files that could act when they are loaded, before a framework reads them.

A file's description is compared with lists of what is allowed: classes by module, functions, graph
operators, HDF5 objects inside the file. Everything else is rejected by name. The frameworks' own
safe modes are a second wall.
"""
