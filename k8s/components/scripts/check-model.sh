#!/bin/sh
# check-model.sh FOLDER: fails unless its files are those that were sealed.
#
# MODEL_DIGEST  SHA-256 of FOLDER/SHA256SUMS, as seal-model.sh printed it
# MODEL_CHECK   all: every file; small: all but graphs, weights and plans, which a gateway before Triton doesn't read
set -eu
export LC_ALL=C
case "$MODEL_DIGEST" in
*[!0-9a-fA-F]*) hexadecimal=no ;;
*) hexadecimal=yes ;;
esac
if [ "$hexadecimal" = no ] || [ ${#MODEL_DIGEST} -ne 64 ]; then
    echo "MODEL_DIGEST: '$MODEL_DIGEST' is no SHA-256, 64 digits in hexadecimal: the log of the job that sealed has it" >&2
    exit 2
fi
cd "$1"
printf '%s  SHA256SUMS\n' "$MODEL_DIGEST" | sha256sum --check --strict --quiet
case "$MODEL_CHECK" in
all) listed=$(cat SHA256SUMS) ;;
small) listed=$(grep -v '  \./[^/]*/1/' SHA256SUMS) ;;
*) echo "MODEL_CHECK: '$MODEL_CHECK' is neither all nor small" >&2 && exit 2 ;;
esac
printf '%s\n' "$listed" | sha256sum --check --strict --quiet
# A file that nobody sealed could be another model.
sealed=$(sed 's/^[0-9a-f]*  //' SHA256SUMS)
found=$(find . ! -type d ! -path ./SHA256SUMS | sort)
if [ "$sealed" != "$found" ]; then
    echo "the files of $1 are not those that SHA256SUMS lists" >&2
    exit 1
fi
echo "the model repository is the one with the digest $MODEL_DIGEST"
