"""The page on which a person marks events in recordings, and the table that it writes."""
