"""What `make bench` measures: Countersign next to the simplest workflow that could do its work, in one run."""
