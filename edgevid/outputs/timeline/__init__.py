"""What was seen when: a timeline of a recording as a page, a table and subtitles."""
