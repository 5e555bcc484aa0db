#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Builds the tools pinned in hack/tools/go.mod into bin/tools, when they are not
# there or their versions changed.

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT="${ROOT}/bin/tools"
readonly STAMP="${OUT}/.hack-tools"

want="$(cat hack/tools/go.mod hack/tools/go.sum hack/tools/*/*.go | cksum) $(go env GOVERSION)"
if [[ -x "${OUT}/golangci-lint" && -x "${OUT}/typecheck" && -f "${STAMP}" && "$(<"${STAMP}")" == "${want}" ]]; then
  exit 0
fi

echo "Building the tools of hack/tools (two minutes the first time)"
mkdir -p "${OUT}"
(cd hack/tools && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "${OUT}/" ./golangci-lint ./typecheck)
echo "${want}" >"${STAMP}"
