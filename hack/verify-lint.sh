#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Checks the Go code of every module against .golangci.yml. Arguments are packages
# of the root module, in place of all of them: hack/verify-lint.sh ./server/...

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

hack/tools.sh

lint() {
  "${ROOT}/bin/tools/golangci-lint" run --config "${ROOT}/.golangci.yml" "$@"
}

if (($# > 0)); then
  lint "$@"
  exit
fi

failed=0
while read -r module; do
  (cd "${module}" && lint ./...) || failed=1
done < <(modules)
((failed == 0)) || die "the code breaks rules of .golangci.yml. Some are mended by: bin/tools/golangci-lint run --fix"
