"""Python imports this by itself in every process that has this folder on PYTHONPATH: the way into services that know nothing of it."""

from leaks.armed import install

install()
