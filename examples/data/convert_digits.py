"""Convert the optical digits of scikit-learn from CSV to two gzipped IDX files.

Usage: python3 convert_digits.py PATH/digits.csv.gz

Writes digits-images-idx3-ubyte.gz and digits-labels-idx1-ubyte.gz beside this script. The gzip headers carry neither
a time nor a file name, so the same input always gives the same bytes under the same version of zlib.
"""

import gzip
import struct
import sys
from pathlib import Path

SIDE = 8


def write_gz(name, data):
    with open(Path(__file__).parent / name, "wb") as out:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=out, mtime=0) as packed:
            packed.write(data)


def main(source):
    with gzip.open(source, "rt", encoding="ascii") as lines:
        rows = [[int(float(value)) for value in line.split(",")] for line in lines]
    for row in rows:  # 64 pixels, then the label
        assert len(row) == SIDE * SIDE + 1
        assert all(0 <= pixel <= 16 for pixel in row[:-1]) and 0 <= row[-1] <= 9
    images = b"".join(bytes(row[:-1]) for row in rows)
    labels = bytes(row[-1] for row in rows)
    write_gz("digits-images-idx3-ubyte.gz", struct.pack(">4I", 0x0803, len(rows), SIDE, SIDE) + images)
    write_gz("digits-labels-idx1-ubyte.gz", struct.pack(">2I", 0x0801, len(rows)) + labels)


if __name__ == "__main__":
    main(sys.argv[1])
