"""The record of a conversion, good or not, as JSON and as a page."""
