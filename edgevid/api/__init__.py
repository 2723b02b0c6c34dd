"""The Python API: the modules behind `import edgevid`, and behind the commands that run a model.

`model` loads a bundle and classifies clips, cameras and frames. `session` runs one or several
models on a source. `outputs` declares the receivers of decisions and events. Import the names from
`edgevid`.
"""
