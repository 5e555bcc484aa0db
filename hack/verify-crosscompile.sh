#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Compiles the commands and stoatest for the platforms on which authors of
# controllers test. "go list -export" compiles and does not link: what a platform
# breaks shows when compiling, and linking four large binaries takes a minute.

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly PLATFORMS=(darwin/arm64 linux/arm64)

packages=()
for folder in cmd stoatest; do
  [[ ! -d "${folder}" ]] || packages+=("./${folder}/...")
done

for platform in "${PLATFORMS[@]}"; do
  CGO_ENABLED=0 GOOS="${platform%/*}" GOARCH="${platform#*/}" go list -export "${packages[@]}" >/dev/null ||
    die "the code does not compile for ${platform}"
done
