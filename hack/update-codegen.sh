#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Stoa Authors
# SPDX-License-Identifier: Apache-2.0

# Runs every generator over apis/ and writes generated/. Needs Go and nothing
# else; the generators are those of go.mod. To add a group or a version, add it
# to a list below.
set -o errexit -o nounset -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly module=github.com/stoa-project/stoa
readonly tools=bin/tools
readonly header=(--go-header-file hack/boilerplate.go.txt)
export LC_ALL=C TZ=UTC

# Groups of our own: hub types and served versions.
readonly own_hubs=(apis/tenancy)
readonly own=(apis/tenancy/v1 apis/tenancy/v1alpha1)
# Groups of Kubernetes: hub types, and the served versions, which are those of k8s.io/api.
readonly builtin_hubs=(
  apis/{admissionregistration,apps,authentication,authorization,autoscaling,batch,certificates,coordination,core}
  apis/{discovery,flowcontrol,networking,node,policy,rbac,resource,scheduling,storage,storagemigration}
)
readonly builtin=("${builtin_hubs[@]/%//v1}" apis/autoscaling/v2)
# Types that Kubernetes removed. They are served on demand, convert to their hubs by
# shape, and bring their OpenAPI definitions with them.
readonly removed=(apis/policy/v1beta1)
# Packages of other modules whose definitions are in our OpenAPI documents.
readonly described=(
  "${builtin[@]/#apis/k8s.io/api}"
  k8s.io/api/events/v1
  k8s.io/api/scheduling/v1alpha3 # a field of Job is of it
  k8s.io/apimachinery/pkg/api/resource
  k8s.io/apimachinery/pkg/apis/meta/v1
  k8s.io/apimachinery/pkg/runtime
  k8s.io/apimachinery/pkg/util/intstr
  k8s.io/apimachinery/pkg/version
)
# Their types for which client-go has apply configurations.
readonly applied=(
  k8s.io/api/core/v1.{LimitRangeItem,Toleration}:k8s.io/client-go/applyconfigurations/core/v1
  k8s.io/api/rbac/v1.{PolicyRule,RoleRef,Subject}:k8s.io/client-go/applyconfigurations/rbac/v1
)
# Packages of other modules that validation may meet but need not look into.
readonly unvalidated=(
  k8s.io/api/scheduling/v1alpha3 # has its validation with it
  k8s.io/apimachinery/pkg/api/resource
  k8s.io/apimachinery/pkg/runtime
  k8s.io/apimachinery/pkg/types
  k8s.io/apimachinery/pkg/util/intstr
  k8s.io/apimachinery/pkg/version
  time
)

step() { printf '%4ds  %s\n' "${SECONDS}" "$*"; }
packages() { printf "${module}/%s\n" "$@"; }                # folders -> import paths
readonly_packages() { printf -- '--readonly-pkg\n%s\n' "$@"; } # import paths -> flags

step "building the generators"
mkdir -p "${tools}"
go build -o "${tools}/" ./hack/hub-gen \
  k8s.io/code-generator/cmd/{applyconfiguration,client,conversion,deepcopy,defaulter,informer,lister,prerelease-lifecycle,register,validation}-gen \
  k8s.io/kube-openapi/cmd/openapi-gen

# A generator writes beside its input. An input in the module cache is marked
# read-only by the flags below; this catches the case that one is forgotten,
# which root would not notice.
readonly stamp="${tools}/.started"
touch "${stamp}"
check_module_cache() {
  local written
  written="$(find "$(go env GOMODCACHE)"/k8s.io -newer "${stamp}" -name '*.go' -print -quit)"
  if [[ -n "${written}" ]]; then
    echo "a generator wrote ${written} into the module cache; run: go clean -modcache" >&2
    return 1
  fi
}

step "removing what was generated before"
find apis -name 'zz_generated.*.go' -delete
rm -rf generated/{applyconfiguration,clientset,informers,listers,openapi}

step "types: hubs, register, deepcopy, lifecycle"
"${tools}/hub-gen" "${header[@]}" $(packages "${builtin_hubs[@]}" "${builtin[@]}")
own_packages="$(packages "${own[@]}")"
readonly own_packages
"${tools}/register-gen" "${header[@]}" --output-file zz_generated.register.go ${own_packages}
"${tools}/deepcopy-gen" "${header[@]}" --output-file zz_generated.deepcopy.go \
  $(packages "${own_hubs[@]}" "${builtin_hubs[@]}" "${own[@]}" "${removed[@]}")
"${tools}/prerelease-lifecycle-gen" "${header[@]}" --output-file zz_generated.prerelease_lifecycle.go \
  ${own_packages}

step "defaults, conversion, validation"
defaults() { # peer, packages
  "${tools}/defaulter-gen" "${header[@]}" --output-file zz_generated.defaults.go \
    --extra-peer-dirs "${module}/$1" "${@:2}"
}
defaults apis/core/v1 $(packages "${builtin[@]}") # pod templates and claims are in many groups
defaults apis/rbac/v1 $(packages "${own[@]}")
# Our meta/v1 is the peer, because that of apimachinery has types with the
# names, but not the shape, of core types. The options of core are read from URLs,
# which takes the conversions of package runtime; that has an ApplyConfiguration
# too, which is not that of admissionregistration.
convert() { # peers, packages
  "${tools}/conversion-gen" "${header[@]}" --output-file zz_generated.conversion.go \
    --base-peer-dirs "$1" --extra-peer-dirs "${module}/apis/meta/v1" "${@:2}"
}
convert k8s.io/apimachinery/pkg/conversion,k8s.io/apimachinery/pkg/runtime \
  $(packages apis/core/v1)
convert k8s.io/apimachinery/pkg/conversion \
  $(packages "${own[@]}" "${builtin[@]}" | grep -v /apis/core/v1)
"${tools}/validation-gen" "${header[@]}" --output-file zz_generated.validations.go \
  $(readonly_packages "${unvalidated[@]}") \
  $(packages apis/meta/v1 "${own[@]}" "${builtin[@]}")

step "openapi"
"${tools}/openapi-gen" "${header[@]}" --output-file zz_generated.openapi.go \
  --output-dir generated/openapi --output-pkg "${module}/generated/openapi" \
  --output-model-name-file zz_generated.model_name.go --report-filename /dev/null \
  $(readonly_packages "${described[@]}") "${described[@]}" ${own_packages}
# By themselves, because they are read only where they are served.
"${tools}/openapi-gen" "${header[@]}" --output-file zz_generated.openapi.go \
  --output-dir generated/openapi/removed --output-pkg "${module}/generated/openapi/removed" \
  --output-model-name-file zz_generated.model_name.go --report-filename /dev/null \
  $(packages "${removed[@]}")
# The generator knows the models of those packages alone that it writes.
sed -i.old 's,"k8s.io/apimachinery/pkg/apis/meta/v1[.],"io.k8s.apimachinery.pkg.apis.meta.v1.,; s,"k8s.io/api/core/v1[.],"io.k8s.api.core.v1.,' \
  generated/openapi/removed/zz_generated.openapi.go
rm generated/openapi/removed/zz_generated.openapi.go.old

step "applyconfiguration, clientset, listers, informers"
readonly schema="${tools}/openapi-schema.json"
go run ./hack/openapi-schema >"${schema}"
"${tools}/applyconfiguration-gen" "${header[@]}" --openapi-schema "${schema}" \
  --external-applyconfigurations "$(IFS=,; echo "${applied[*]}")" \
  --output-dir generated/applyconfiguration --output-pkg "${module}/generated/applyconfiguration" \
  ${own_packages}
# The generator takes a type's name from its package and not from its model.
find generated/applyconfiguration -name '*.go' -exec \
  sed -i.old 's/"com\.github\.stoa-project\.stoa\.apis\./"dev.stoa./' {} +
find generated/applyconfiguration -name '*.old' -delete
"${tools}/client-gen" "${header[@]}" \
  --output-dir generated/clientset --output-pkg "${module}/generated/clientset" \
  --clientset-name versioned --input-base "${module}/apis" \
  $(printf -- '--input %s\n' "${own[@]#apis/}") \
  --apply-configuration-package "${module}/generated/applyconfiguration"
"${tools}/lister-gen" "${header[@]}" \
  --output-dir generated/listers --output-pkg "${module}/generated/listers" ${own_packages}
"${tools}/informer-gen" "${header[@]}" \
  --output-dir generated/informers --output-pkg "${module}/generated/informers" \
  --versioned-clientset-package "${module}/generated/clientset/versioned" \
  --listers-package "${module}/generated/listers" ${own_packages}

check_module_cache
step "done"
