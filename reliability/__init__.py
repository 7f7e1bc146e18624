"""What happens when things go wrong, measured on real processes: each subpackage is one tool with its own section of docs/reliability.md."""
