"""A demonstration of all steps, from rendered clips to a report: `python -m convert.demo`."""
