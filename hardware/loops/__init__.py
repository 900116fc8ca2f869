"""Loop detectors on serial lines, one protocol a file, each an `InputPort`."""
