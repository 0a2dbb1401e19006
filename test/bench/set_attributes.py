"""Gives files the attributes that versitygw keeps of an object; Node cannot set any.

    set_attributes.py < LINES     each line: path, ETag and CRC32 (base64), with tabs between them
"""
import os
import sys

for line in sys.stdin:
    path, etag, crc = line.rstrip("\n").split("\t")
    os.setxattr(path, "user.etag", f'"{etag}"'.encode())
    os.setxattr(path, "user.content-type", b"application/octet-stream")
    sums = f'{{"Algorithm":"CRC32","Type":"FULL_OBJECT","CRC32":"{crc}"}}'
    os.setxattr(path, "user.checksums", sums.encode())
