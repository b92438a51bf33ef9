#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""extract_vmlinux.py VMLINUZ VMLINUX: the ELF kernel inside a bzImage.

QEMU starts the ELF through its PVH entry, which saves the decompressor: slow under software emulation. The layout is
that of the kernel's Documentation/x86/boot.rst: setup_sects at 0x1f1, payload_offset and payload_length at 0x248.
"""
import lzma
import struct
import subprocess
import sys


def main(source, target):
    with open(source, "rb") as file:
        image = file.read()
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = image[start:start + length]
    if payload.startswith(b"\xfd7zXZ\0"):
        # The four bytes after the stream are the size; the decompressor object ignores them.
        kernel = lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(payload)
    elif payload.startswith(b"\x28\xb5\x2f\xfd"):
        kernel = subprocess.run(["zstd", "-dc"], input=payload[:-4], stdout=subprocess.PIPE, check=True).stdout
    else:
        sys.exit(f"extract_vmlinux: unknown compression {payload[:6].hex()}")
    if kernel[:4] != b"\x7fELF":
        sys.exit("extract_vmlinux: what came out is no ELF file")
    with open(target, "wb") as file:
        file.write(kernel)


main(*sys.argv[1:])
