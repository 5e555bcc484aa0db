#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Checks files as files: the licence header, and no hand-written Go file so long
# that it should be two.

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Lines of a Go file. Types are exempt: an API is read in one place.
readonly MAX_LINES=600

failed=0
complain() {
  echo "$*" >&2
  failed=1
}

while read -r file; do
  if ! head -n 5 "${file}" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
    ! head -n 5 "${file}" | grep -q 'SPDX-FileCopyrightText: The Stoa Authors'; then
    is_generated "${file}" || complain "${file}: the two SPDX lines of the header are missing"
  fi
done < <(our_files '*.go' '*.sh' Makefile .ci/run | grep -v '/testdata/')

while read -r file; do
  if (($(wc -l <"${file}") > MAX_LINES)) && ! is_generated "${file}"; then
    complain "${file}: $(wc -l <"${file}") lines, more than ${MAX_LINES}: split it"
  fi
done < <(our_files '*.go' | grep -vE '(_types\.go$|/testdata/)')

while read -r file; do
  [[ -x "${file}" || "${file}" == hack/lib.sh ]] || complain "${file}: must be executable"
done < <(our_files 'hack/*.sh' .ci/run)

((failed == 0)) || die "the files need mending, see above"
