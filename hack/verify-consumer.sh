#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Checks that the generated files of test/consumer are what hack/update-consumer.sh
# makes. Works in a copy.

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

copy="$(mktemp -d)"
trap 'rm -rf "${copy}"' EXIT
our_files | tar --create --files-from - | tar --extract --directory "${copy}"
"${copy}/hack/update-consumer.sh"
diff --recursive --unified test/consumer "${copy}/test/consumer" ||
  run_make_update "The generated files of test/consumer are not up to date."
