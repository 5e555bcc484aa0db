#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Checks that docs/reference is what hack/update-docs.sh writes, and that files
# which the documents link to exist.

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

folder="$(mktemp -d)"
trap 'rm -rf "${folder}"' EXIT
hack/update-docs.sh "${folder}"
diff --recursive --unified docs/reference "${folder}" ||
  run_make_update "docs/reference is not what the command prints."

missing=0
while read -r document; do
  while read -r target; do
    if [[ ! -e "$(dirname "${document}")/${target}" ]]; then
      echo "${document} links to ${target}, which is not there" >&2
      missing=1
    fi
  done < <(grep -oE '\]\([^)#:]+(#[^)]*)?\)' "${document}" | sed -E 's/^\]\(([^)#]+).*$/\1/')
done < <(our_files '*.md')
((missing == 0)) || die "mend the links."
