#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0

# Fails when the generators would change anything in the tree. Works in a copy,
# so that uncommitted work is neither touched nor counted as a difference.
set -o errexit -o nounset -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
work="$(mktemp -d)"
readonly work
trap 'rm -rf "${work}"' EXIT

# What git knows or would add; a file that was deleted is in neither copy.
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do if [[ -e "${file}" ]]; then printf '%s\0' "${file}"; fi; done \
    >"${work}/files"
for copy in before after; do
  mkdir "${work}/${copy}"
  tar --create --null --files-from "${work}/files" | tar --extract --directory "${work}/${copy}"
done

"${work}/after/hack/update-codegen.sh" >"${work}/log" 2>&1 || { cat "${work}/log" >&2; exit 1; }
rm -rf "${work}/after/bin"

if ! diff --unified --recursive --new-file "${work}/before" "${work}/after"; then
  echo >&2
  echo "generated files are not up to date, run make update" >&2
  exit 1
fi
echo "generated files are up to date"
