#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Runs go test with the arguments given, ./... if they name no package. For ./...
# also in the modules below the root that have tests, such as test/consumer.
# Prints go test's own lines, and at the end how many packages passed.

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

arguments=("$@")
[[ " $* " == *" ."* ]] || arguments+=(./...)

folders=(.)
if [[ " ${arguments[*]} " == *" ./... "* ]]; then
  while read -r module; do
    case "${module#./}" in
      . | hack/*) ;;
      *) folders+=("${module}") ;;
    esac
  done < <(modules)
fi

log="$(mktemp)"
trap 'rm -f "${log}"' EXIT

status=0
for folder in "${folders[@]}"; do
  [[ "${folder}" == . ]] || echo "In ${folder}:"
  # Silence about packages without tests leaves the lines that tell something.
  (cd "${folder}" && go test -timeout 15m "${arguments[@]}") 2>&1 |
    tee -a "${log}" | { grep --line-buffered -v '\[no test files\]$' || true; } || status=1
done

passed="$(grep -c $'^ok  \t' "${log}" || true)"
failed="$(grep -c $'^FAIL\t' "${log}" || true)"
echo
echo "Took $((SECONDS / 60))m$((SECONDS % 60))s"
echo "Packages: ${passed} passed, ${failed} failed"
exit "${status}"
