"""What the project is made of, and what is known against it: hashes, known vulnerabilities, the SBOM. `python -m audit`."""
