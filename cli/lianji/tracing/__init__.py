"""Traces as people and tools look at them, read from what a stack's collector keeps.

rows      spans of OTLP/JSON as rows                files     the collector's segments, searched
hops      what a swipe's trace must have            notes     one trace, noted span by span
check     every trace counted                       listing   the newest traces, one line each
tree      a trace as a tree                         waterfall as a tree with bars
"""
