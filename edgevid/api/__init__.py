"""The Python API: what `import edgevid` offers, and what every verb of the command line that runs a model is made of.

`model` loads a bundle and answers for clips, cameras and frames; `session` is one run of one or several models on a source; `outputs` says
where decisions and events go. Import these names from `edgevid` itself.
"""
