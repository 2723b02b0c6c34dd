"""Importers of truth from other tools, one module for each format. Each yields marks."""
