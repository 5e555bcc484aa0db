#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Runs every hack/<verb>-*.sh, for make verify and make update: a line for each,
# its output only if it fails, and at the end which ones failed.

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

verb="${1:?verify or update}"
output="$(mktemp)"
trap 'rm -f "${output}"' EXIT

failed=()
for script in hack/"${verb}"-*.sh; do
  start="${SECONDS}"
  if "${script}" >"${output}" 2>&1; then
    printf 'ok    %-32s %4ds\n' "${script}" "$((SECONDS - start))"
  else
    printf 'FAIL  %-32s %4ds\n' "${script}" "$((SECONDS - start))"
    sed 's/^/      /' "${output}"
    failed+=("${script}")
  fi
done

((${#failed[@]} == 0)) || die "failed: ${failed[*]}"
