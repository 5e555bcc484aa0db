// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation_test

import (
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
	policyv1beta1 "github.com/stoa-project/stoa/apis/policy/v1beta1"
	"github.com/stoa-project/stoa/apis/policy/validation"
)

func TestValidatePodSecurityPolicy(t *testing.T) {
	t.Parallel()
	const (
		seccomp  = "seccomp.security.alpha.kubernetes.io/"
		appArmor = "apparmor.security.beta.kubernetes.io/"
		pattern  = `must have at most 253 characters and match regex ([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*([a-z0-9][-_a-z0-9]*)?[a-z0-9*]`
		volumes  = `supported values: "*", "awsElasticBlockStore", "azureDisk", "azureFile", "cephFS", "cinder", "configMap", "csi", "downwardAPI", ` +
			`"emptyDir", "ephemeral", "fc", "flexVolume", "flocker", "gcePersistentDisk", "gitRepo", "glusterfs", "hostPath", "iscsi", ` +
			`"nfs", "persistentVolumeClaim", "photonPersistentDisk", "portworxVolume", "projected", "quobyte", "rbd", "scaleIO", "secret", ` +
			`"storageos", "vsphereVolume"`
	)
	for name, tc := range map[string]struct {
		annotations map[string]string
		spec        string
		want        []string
	}{
		"free": {spec: "{}"},
		"everything": {
			annotations: map[string]string{
				seccomp + "defaultProfileName": "runtime/default", seccomp + "allowedProfileNames": "*,localhost/a/b,docker/default,unconfined",
				appArmor + "defaultProfileName": "runtime/default", appArmor + "allowedProfileNames": "localhost/a,unconfined",
			},
			spec: "{runAsUser: {rule: MustRunAs, ranges: [{min: 0, max: 0}]}, runAsGroup: {rule: MayRunAs, ranges: [{min: 1, max: 2}]}, " +
				"fsGroup: {rule: MayRunAs}, supplementalGroups: {rule: MustRunAs}, seLinux: {rule: MustRunAs}, volumes: ['*', csi, ephemeral], " +
				"requiredDropCapabilities: [A], defaultAddCapabilities: [B], allowedCapabilities: [C], defaultAllowPrivilegeEscalation: true, " +
				"allowedProcMountTypes: [Default, Unmasked], allowedHostPaths: [{pathPrefix: /a..b}], allowedFlexVolumes: [{driver: d}], allowedCSIDrivers: [{name: D.e}], " +
				"allowedUnsafeSysctls: ['kernel.*', net/core/somaxconn], forbiddenSysctls: ['fs.*'], " +
				"runtimeClass: {allowedRuntimeClassNames: [a], defaultRuntimeClassName: a}}",
		},
		"rules": {
			spec: "{runAsUser: {rule: MayRunAs}, runAsGroup: {rule: x}, seLinux: {rule: ''}, supplementalGroups: {rule: MustRunAsNonRoot}, fsGroup: {rule: x}}",
			want: []string{
				`spec.runAsUser.rule: Unsupported value: "MayRunAs": supported values: "MustRunAs", "MustRunAsNonRoot", "RunAsAny"`,
				`spec.runAsGroup.rule: Unsupported value: "x": supported values: "MustRunAs", "RunAsAny", "MayRunAs"`,
				`spec.seLinux.rule: Unsupported value: "": supported values: "MustRunAs", "RunAsAny"`,
				`spec.supplementalGroups.rule: Unsupported value: "MustRunAsNonRoot": supported values: "MayRunAs", "MustRunAs", "RunAsAny"`,
				`spec.fsGroup.rule: Unsupported value: "x": supported values: "MayRunAs", "MustRunAs", "RunAsAny"`,
			},
		},
		"ranges": {
			spec: "{runAsUser: {rule: MustRunAs, ranges: [{min: -1, max: -2}]}, runAsGroup: {rule: MustRunAs}}",
			want: []string{
				"spec.runAsUser.ranges[0].min: Invalid value: -1: min cannot be negative",
				"spec.runAsUser.ranges[0].max: Invalid value: -2: max cannot be negative",
				"spec.runAsUser.ranges[0].min: Invalid value: -1: min cannot be greater than max",
				"spec.runAsGroup.ranges: Invalid value: null: must provide at least one range",
			},
		},
		"ranges for any group": {
			spec: "{runAsGroup: {rule: RunAsAny, ranges: [{min: 1, max: 2}]}}",
			want: []string{`spec.runAsGroup.ranges: Invalid value: [{"min":1,"max":2}]: Ranges must be empty`},
		},
		"volumes": {spec: "{volumes: [image]}", want: []string{`spec.volumes: Unsupported value: "image": ` + volumes}},
		"capabilities": {
			spec: "{requiredDropCapabilities: [A, B], defaultAddCapabilities: [A], allowedCapabilities: [B, '*']}",
			want: []string{
				`requiredDropCapabilities: Invalid value: ["A","B"]: must be empty when all capabilities are allowed by a wildcard`,
				`defaultAddCapabilities: Invalid value: "A": capability is listed in defaultAddCapabilities and requiredDropCapabilities`,
				`allowedCapabilities: Invalid value: "B": capability is listed in allowedCapabilities and requiredDropCapabilities`,
			},
		},
		"escalation": {
			spec: "{allowPrivilegeEscalation: false, defaultAllowPrivilegeEscalation: true}",
			want: []string{"spec.defaultAllowPrivilegeEscalation: Invalid value: true: Cannot set DefaultAllowPrivilegeEscalation to true without also setting AllowPrivilegeEscalation to true"},
		},
		"proc": {spec: "{allowedProcMountTypes: [x]}", want: []string{`spec.allowedProcMountTypes[0]: Unsupported value: "x": supported values: "Default", "Unmasked"`}},
		"sources of volumes": {
			spec: "{allowedHostPaths: [{pathPrefix: /a/../..}, {}, {}], allowedFlexVolumes: [{driver: ''}], allowedCSIDrivers: [{name: ''}]}",
			want: []string{
				`spec.allowedHostPaths[0]: Invalid value: "/a/../..": must not contain '..'`,
				"spec.allowedHostPaths[1]: Required value: is required",
				"spec.allowedFlexVolumes.allowedFlexVolumes[0].driver: Required value: must specify a driver",
				"spec.allowedCSIDrivers[0].name: Required value",
			},
		},
		"sysctls": {
			spec: "{allowedUnsafeSysctls: ['', 'A', 'a*b'], forbiddenSysctls: ['*', 'a.b']}",
			want: []string{
				`spec.allowedUnsafeSysctls[0]: Invalid value: "": empty sysctl not allowed`,
				`spec.allowedUnsafeSysctls[1]: Invalid value: "A": ` + pattern,
				`spec.allowedUnsafeSysctls[2]: Invalid value: "a*b": ` + pattern,
				"spec.forbiddenSysctls.items: Forbidden: if '*' is present, must not specify other sysctls",
				`spec.allowedUnsafeSysctls[0]: Invalid value: "": sysctl overlaps with *`,
				`spec.allowedUnsafeSysctls[1]: Invalid value: "A": sysctl overlaps with *`,
				`spec.allowedUnsafeSysctls[2]: Invalid value: "a*b": sysctl overlaps with *`,
			},
		},
		"sysctls that overlap": {
			spec: "{allowedUnsafeSysctls: ['a.*', 'b.c', 'c.d.*', 'd.e'], forbiddenSysctls: ['a.b', 'b.*', 'c.*', 'd.e', 'a.b.*']}",
			want: []string{
				`spec.forbiddenSysctls[0]: Invalid value: "a.b": sysctl overlaps with a.*`,
				`spec.forbiddenSysctls[4]: Invalid value: "a.b.*": sysctl overlaps with a.*`,
				`spec.allowedUnsafeSysctls[1]: Invalid value: "b.c": sysctl overlaps with b.*`,
				`spec.allowedUnsafeSysctls[2]: Invalid value: "c.d.*": sysctl overlaps with c.*`,
				`spec.allowedUnsafeSysctls[3]: Invalid value: "d.e": sysctl overlaps with d.e`,
			},
		},
		"runtime classes": {
			spec: "{runtimeClass: {allowedRuntimeClassNames: [a, a], defaultRuntimeClassName: b}}",
			want: []string{
				`spec.runtimeClass.allowedRuntimeClassNames[1]: Duplicate value: "a"`,
				`spec.runtimeClass.allowedRuntimeClassNames: Required value: default "b" must be allowed`,
			},
		},
		"any runtime class": {
			spec: "{runtimeClass: {allowedRuntimeClassNames: ['*', a], defaultRuntimeClassName: b}}",
			want: []string{`spec.runtimeClass.allowedRuntimeClassNames: Invalid value: ["*","a"]: if * is present, must not specify other RuntimeClass names`},
		},
		"profiles": {
			annotations: map[string]string{
				seccomp + "defaultProfileName": "*", seccomp + "allowedProfileNames": "unconfined,x,localhost/../a",
				appArmor + "defaultProfileName": "runtime/default,unconfined", appArmor + "allowedProfileNames": "unconfined,*",
			},
			spec: "{}",
			want: []string{
				`metadata.annotations[` + appArmor + `defaultProfileName]: Invalid value: "runtime/default,unconfined": invalid AppArmor profile name: "runtime/default,unconfined"`,
				`metadata.annotations[` + appArmor + `allowedProfileNames]: Invalid value: "unconfined,*": invalid AppArmor profile name: "*"`,
				`metadata.annotations[` + seccomp + `defaultProfileName]: Invalid value: "*": must be a valid seccomp profile`,
				`metadata.annotations[` + seccomp + `allowedProfileNames]: Invalid value: "x": must be a valid seccomp profile`,
				`metadata.annotations[` + seccomp + `allowedProfileNames]: Invalid value: "../a": must not contain '..'`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := &policyv1beta1.PodSecurityPolicy{}
			policy.Annotations = tc.annotations
			spec := &policy.Spec
			spec.RunAsUser.Rule, spec.SELinux.Rule, spec.FSGroup.Rule, spec.SupplementalGroups.Rule = "RunAsAny", "RunAsAny", "RunAsAny", "RunAsAny"
			if err := yaml.UnmarshalStrict([]byte(tc.spec), spec); err != nil {
				t.Fatal(err)
			}
			fielderrorstest.Compare(t, tc.want, validation.ValidatePodSecurityPolicy(policy))
		})
	}
}
