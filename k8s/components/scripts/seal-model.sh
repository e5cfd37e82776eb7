#!/bin/sh
# seal-model.sh FOLDER: lists the digests of its files in FOLDER/SHA256SUMS and prints what k8s' model.env must say.
set -eu
export LC_ALL=C
cd "$1"
if [ -e SHA256SUMS ]; then
    echo "$1 is sealed already; a release never changes" >&2
    exit 1
fi
find . ! -type d ! -path ./.SHA256SUMS.part -exec sha256sum {} + | sort -k 2 > .SHA256SUMS.part
mv .SHA256SUMS.part SHA256SUMS
echo "MODEL_RELEASE=${MODEL_RELEASE:-$(basename "$(pwd)")}"
echo "MODEL_DIGEST=$(sha256sum SHA256SUMS | cut -d ' ' -f 1)"
