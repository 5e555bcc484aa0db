#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Type-checks the commands and stoatest, with all they import, for the platforms
# on which authors of controllers test. Compiling says no more about our code, and
# takes five minutes a platform on a cold machine; CROSSCOMPILE=true does it all the
# same, before a release.

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly PLATFORMS=(darwin/arm64 linux/arm64)

packages=()
for folder in cmd stoatest; do
  [[ ! -d "${folder}" ]] || packages+=("./${folder}/...")
done

hack/tools.sh
for platform in "${PLATFORMS[@]}"; do
  if [[ "${CROSSCOMPILE:-}" == true ]]; then
    CGO_ENABLED=0 GOOS="${platform%/*}" GOARCH="${platform#*/}" go build -o /dev/null "${packages[@]}"
  else
    bin/tools/typecheck "${platform}" "${packages[@]}"
  fi || die "the code is wrong for ${platform}"
done
