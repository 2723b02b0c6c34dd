"""The whole way in one command: render gestures, train, convert, prove, watch an unseen video, report. `python -m convert.demo`."""
