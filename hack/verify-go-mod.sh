#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0
#
# Checks the modules: tidy, the same Go everywhere, no k8s.io/kubernetes, no
# replace in what others import, and every direct dependency explained.

# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly EXPLAINED=docs/dependencies.md

failed=0
complain() {
  echo "$*" >&2
  failed=1
}

# direct lists the direct dependencies of the go.mod in the current folder.
direct() {
  go mod edit -json | awk '
    /"Require":/ { in_require = 1 }
    in_require && /"Path":/ { split($0, part, "\""); path = part[4]; indirect = 0 }
    in_require && /"Indirect": true/ { indirect = 1 }
    in_require && /^\t\t}/ { if (path != "" && !indirect) print path; path = "" }
    /^\t\]/ { in_require = 0 }'
}

while read -r module; do
  gomod="${module#./}/go.mod"
  if ! diff="$(cd "${module}" && go mod tidy -diff 2>&1)"; then
    complain "${gomod} is not tidy: run go mod tidy in ${module}"
    complain "${diff}"
  fi
  if grep -qE '(^|[[:space:]])k8s\.io/kubernetes[[:space:]]' "${module}/go.mod"; then
    complain "${gomod}: k8s.io/kubernetes must not be required"
  fi
  if [[ "${module}" == . || "${module}" == hack/* ]] && grep -qE '^[[:space:]]*replace[[:space:](]' "${module}/go.mod"; then
    complain "${gomod}: replace must not be used"
  fi
  if [[ "$(grep '^go ' "${module}/go.mod")" != "$(grep '^go ' go.mod)" ]]; then
    complain "${gomod}: the go line differs from that of go.mod"
  fi
done < <(modules)

required="$(for module in . hack/tools; do (cd "${module}" && direct); done | sort)"
explained="$(sed -nE 's/^\| `([^`]+)` \|.*/\1/p' "${EXPLAINED}" | sort)"
while read -r dependency; do
  complain "${EXPLAINED} must say what ${dependency} is for"
done < <(comm -23 <(echo "${required}") <(echo "${explained}"))
while read -r dependency; do
  complain "${EXPLAINED} explains ${dependency}, which is no direct dependency"
done < <(comm -13 <(echo "${required}") <(echo "${explained}"))

((failed == 0)) || die "the modules need mending, see above"
