"""Files of `edgevid bench reference` from many boards, as a table."""
