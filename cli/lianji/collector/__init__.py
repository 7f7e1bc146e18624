"""A receiver of OTLP over HTTP for stacks without Docker: it keeps the last traces of all who send it any.

door      the HTTP side: what is taken, in which encodings, and what is refused
segments  the traces on disk: one OTLP/JSON body a line, the oldest removed when there are too many
protobuf  bodies of OTLP in protobuf, as OTLP/JSON
"""
