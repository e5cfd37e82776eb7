#!/bin/sh
# seal-model.sh FOLDER: lists the digests of its files in FOLDER/SHA256SUMS and prints what k8s' model.env must say.
set -eu
export LC_ALL=C
cd "$1"
if [ -e SHA256SUMS ]; then
    echo "$1 is sealed already; a release never changes" >&2
    exit 1
fi
trap 'rm -f .SHA256SUMS.part' EXIT
# No pipe: it would hide that a file can't be read.
find . ! -type d ! -path ./.SHA256SUMS.part -exec sha256sum {} + > .SHA256SUMS.part
if [ ! -s .SHA256SUMS.part ]; then
    echo "$1 holds no files" >&2
    exit 1
fi
sort -k 2 -o .SHA256SUMS.part .SHA256SUMS.part
mv .SHA256SUMS.part SHA256SUMS
echo "MODEL_RELEASE=${MODEL_RELEASE:-$(basename "$(pwd)")}"
echo "MODEL_DIGEST=$(sha256sum SHA256SUMS | cut -d ' ' -f 1)"
