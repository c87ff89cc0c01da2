"""Bytes and values of each dialect that rerank services speak; no I/O.

Each module both ways: a client builds requests and reads replies, a server reads requests and
builds replies. `values` holds what they turn into bytes and back, `failure` reads any error.
"""
