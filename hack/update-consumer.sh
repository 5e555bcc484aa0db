#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Generates what test/consumer needs, in the way its author would: with the tools of
# its own go.mod.

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd test/consumer
header=(--go-header-file "${ROOT}/hack/boilerplate.go.txt")
# The generator uses the model names of packages that it reads itself: without meta/v1
# here, references to its types would name what the server does not know.
readonly described=(k8s.io/apimachinery/pkg/apis/meta/v1 k8s.io/apimachinery/pkg/runtime)
keep=("${described[@]/#/--readonly-pkg=}")
go tool openapi-gen "${header[@]}" "${keep[@]}" --output-file zz_generated.openapi.go \
  --output-dir garden/openapi --output-pkg consumer.example/garden/openapi \
  --output-model-name-file zz_generated.model_name.go --report-filename /dev/null "${described[@]}" ./garden/v1
go tool deepcopy-gen "${header[@]}" --output-file zz_generated.deepcopy.go ./garden ./garden/v1
