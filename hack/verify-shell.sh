#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Checks that every script parses, and runs in strict mode; with shellcheck where
# that is installed.

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

failed=0
while read -r file; do
  bash -n "${file}" || failed=1
  if ! grep -qE '^set -o errexit -o nounset -o pipefail$|^source .*/lib\.sh"$' "${file}"; then
    echo "${file}: must start with set -o errexit -o nounset -o pipefail, or source hack/lib.sh" >&2
    failed=1
  fi
  if command -v shellcheck >/dev/null; then
    shellcheck -x "${file}" || failed=1
  fi
done < <(our_files '*.sh' .ci/run | grep -v '/testdata/')

((failed == 0)) || die "the scripts need mending, see above"
