# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# For the other scripts to source: strict mode, the root of the checkout, messages.
# shellcheck shell=bash

set -o errexit -o nounset -o pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "${ROOT}"

# die prints what is wrong and ends the script.
die() {
  echo "error: $*" >&2
  exit 1
}

# run_make_update ends a check whose files "make update" brings up to date.
run_make_update() {
  die "$* Run make update, and commit what it changes."
}

# our_files lists files by pattern: those in git and those new ones that git
# does not ignore, but not those deleted in the work tree.
our_files() {
  git ls-files --cached --others --exclude-standard -- "$@" | sort -u | while read -r file; do
    [[ ! -f "${file}" ]] || echo "${file}"
  done
}

# is_generated tells by its header whether a Go file was written by a machine.
is_generated() {
  grep -qE '^// Code generated .* DO NOT EDIT\.$' "$1"
}

# modules lists the folders of the Go modules below the root, "." among them.
modules() {
  our_files 'go.mod' '*/go.mod' | grep -v '/testdata/' | xargs -n 1 dirname
}
