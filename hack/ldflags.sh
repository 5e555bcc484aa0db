#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Prints the linker flags that tell a binary which Stoa it is. Without git, or in
# a tree that is no checkout, it prints nothing, and package version knows enough.

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly VERSION_PACKAGE=github.com/stoa-project/stoa/version

commit="$(git rev-parse HEAD 2>/dev/null)" || exit 0
state=clean
[[ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ]] || state=dirty
date="$(TZ=UTC git show --no-patch --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ HEAD)"
tag="$(git describe --tags --exact-match --match 'v*' 2>/dev/null || true)"

flags="-X ${VERSION_PACKAGE}.linkedCommit=${commit}"
flags+=" -X ${VERSION_PACKAGE}.linkedTreeState=${state}"
flags+=" -X ${VERSION_PACKAGE}.linkedDate=${date}"
[[ -z "${tag}" ]] || flags+=" -X ${VERSION_PACKAGE}.linkedVersion=${tag}"
echo "${flags}"
