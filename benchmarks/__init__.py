"""What `make bench` measures: Countersign beside the barest workflow that could do its work, in one run."""
