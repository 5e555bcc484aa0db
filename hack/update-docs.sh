#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Writes docs/reference, or the folder given, from what the real command prints.

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

folder="${1:-docs/reference}"
mkdir -p "${folder}"
go run ./cmd/stoa start --help | go run ./hack/docs "${folder}"
