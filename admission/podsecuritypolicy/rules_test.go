// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package podsecuritypolicy_test

const (
	at          = "spec.containers[0].securityContext."
	seccompKeys = "pod.metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: Forbidden: "
	seccompC    = "pod.metadata.annotations[container.seccomp.security.alpha.kubernetes.io/c]: Forbidden: "
	appArmorC   = "pod.metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: Forbidden: "
)

func annotations(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

func seccomp(byDefault, allowed string) map[string]string {
	return annotations("seccomp.security.alpha.kubernetes.io/defaultProfileName", byDefault, "seccomp.security.alpha.kubernetes.io/allowedProfileNames", allowed)
}

func appArmor(byDefault, allowed string) map[string]string {
	return annotations("apparmor.security.beta.kubernetes.io/defaultProfileName", byDefault, "apparmor.security.beta.kubernetes.io/allowedProfileNames", allowed)
}

var ruleCases = []struct {
	name        string
	annotations map[string]string
	policy, pod string
	made        string // empty: as it was
	refused     string // empty: allowed
}{
	{name: "nothing to say", pod: "{}"},

	{name: "privileged", pod: "{spec: {containers: [{name: c, securityContext: {privileged: true}}]}}", policy: "privileged: true"},
	{
		name: "privileged, refused", pod: "{spec: {initContainers: [{name: i, securityContext: {privileged: true}}], containers: [{name: c, securityContext: {privileged: true}}]}}",
		refused: "spec.initContainers[0].securityContext.privileged: Invalid value: true: Privileged containers are not allowed " +
			at + "privileged: Invalid value: true: Privileged containers are not allowed",
	},

	{name: "host", policy: "{hostNetwork: true, hostPID: true, hostIPC: true}", pod: "{spec: {hostNetwork: true, hostPID: true, hostIPC: true}}"},
	{
		name: "host, refused", pod: "{spec: {hostNetwork: true, hostPID: true, hostIPC: true}}",
		refused: "spec.securityContext.hostNetwork: Invalid value: true: Host network is not allowed to be used " +
			"spec.securityContext.hostPID: Invalid value: true: Host PID is not allowed to be used " +
			"spec.securityContext.hostIPC: Invalid value: true: Host IPC is not allowed to be used",
	},
	{name: "host ports", policy: "hostPorts: [{min: 80, max: 81}]", pod: "{spec: {containers: [{name: c, ports: [{hostPort: 80}, {hostPort: 81}, {containerPort: 1}]}]}}"},
	{
		name: "host ports, refused", policy: "hostPorts: [{min: 80, max: 80}, {min: 90, max: 91}]", pod: "{spec: {containers: [{name: c, ports: [{hostPort: 79}, {hostPort: 92}]}]}}",
		refused: "spec.containers[0].hostPort: Invalid value: 79: Host port 79 is not allowed to be used. Allowed ports: [80,90-91] " +
			"spec.containers[0].hostPort: Invalid value: 92: Host port 92 is not allowed to be used. Allowed ports: [80,90-91]",
	},

	{
		name: "user", policy: "runAsUser: {rule: MustRunAs, ranges: [{min: 5, max: 6}, {min: 1, max: 1}]}",
		pod:  "{spec: {initContainers: [{name: i, securityContext: {runAsUser: 1}}]}}",
		made: "{spec: {initContainers: [{name: i, securityContext: {runAsUser: 1}}], containers: [{name: c, securityContext: {runAsUser: 5}}]}}",
	},
	{name: "user of the pod", policy: "runAsUser: {rule: MustRunAs, ranges: [{min: 5, max: 6}]}", pod: "{spec: {securityContext: {runAsUser: 6}}}"},
	{
		name: "user, refused", policy: "runAsUser: {rule: MustRunAs, ranges: [{min: 5, max: 6}]}",
		pod:     "{spec: {securityContext: {runAsUser: 6}, containers: [{name: c, securityContext: {runAsUser: 7}}]}}",
		refused: at + "runAsUser: Invalid value: 7: must be in the ranges: [{5 6}]",
	},
	{
		name: "not root", policy: "runAsUser: {rule: MustRunAsNonRoot}", pod: "{}",
		made: "{spec: {containers: [{name: c, securityContext: {runAsNonRoot: true}}]}}",
	},
	{name: "not root by user", policy: "runAsUser: {rule: MustRunAsNonRoot}", pod: "{spec: {securityContext: {runAsUser: 3}}}"},
	{
		name: "root", policy: "runAsUser: {rule: MustRunAsNonRoot}", pod: "{spec: {securityContext: {runAsUser: 0}}}",
		refused: at + "runAsUser: Invalid value: 0: running with the root UID is forbidden",
	},
	{
		name: "perhaps root", policy: "runAsUser: {rule: MustRunAsNonRoot}", pod: "{spec: {securityContext: {runAsNonRoot: false}}}",
		refused: at + "runAsNonRoot: Invalid value: false: must be true",
	},

	{
		name: "groups", policy: "{runAsGroup: {rule: MustRunAs, ranges: [{min: 2, max: 3}]}, fsGroup: {rule: MustRunAs, ranges: [{min: 4, max: 5}]}, supplementalGroups: {rule: MustRunAs, ranges: [{min: 6, max: 7}]}}",
		pod: "{}", made: "{spec: {securityContext: {fsGroup: 4, supplementalGroups: [6]}, containers: [{name: c, securityContext: {runAsGroup: 2}}]}}",
	},
	{
		name: "groups that are allowed", policy: "{runAsGroup: {rule: MayRunAs, ranges: [{min: 2, max: 3}]}, fsGroup: {rule: MayRunAs, ranges: [{min: 4, max: 5}]}, supplementalGroups: {rule: MustRunAs, ranges: [{min: 6, max: 7}]}}",
		pod: "{spec: {securityContext: {supplementalGroups: [7, 6]}}}",
	},
	{
		name: "groups, refused", policy: "{runAsGroup: {rule: MayRunAs, ranges: [{min: 2, max: 3}]}, fsGroup: {rule: MustRunAs, ranges: [{min: 4, max: 5}]}, supplementalGroups: {rule: MustRunAs, ranges: [{min: 6, max: 7}]}}",
		pod: "{spec: {securityContext: {runAsGroup: 1, fsGroup: 1, supplementalGroups: []}}}",
		refused: "spec.securityContext.fsGroup: Invalid value: [1]: group 1 must be in the ranges: [{4 5}] " +
			"spec.securityContext.supplementalGroups: Invalid value: []: unable to validate empty groups against required ranges " +
			"spec.containers[0].securityContext: Invalid value: [1]: group 1 must be in the ranges: [{2 3}]",
	},

	{
		name: "SELinux", policy: "seLinux: {rule: MustRunAs, seLinuxOptions: {level: 's0:c1,c2', user: u}}", pod: "{}",
		made: "{spec: {securityContext: {seLinuxOptions: {level: 's0:c1,c2', user: u}}}}",
	},
	{
		name: "SELinux in another order", policy: "seLinux: {rule: MustRunAs, seLinuxOptions: {level: 's0:c1,c2'}}",
		pod: "{spec: {securityContext: {seLinuxOptions: {level: 's0:c2,c1'}}}}",
	},
	{
		name: "SELinux, refused", policy: "seLinux: {rule: MustRunAs, seLinuxOptions: {level: 's0:c1,c2', user: u, role: r, type: t}}",
		pod: "{spec: {containers: [{name: c, securityContext: {seLinuxOptions: {level: 's1:c1,c2', user: v, role: s}}}]}}",
		refused: at + `seLinuxOptions.level: Invalid value: "s1:c1,c2": must be s0:c1,c2 ` + at + `seLinuxOptions.role: Invalid value: "s": must be r ` +
			at + `seLinuxOptions.type: Invalid value: "": must be t ` + at + `seLinuxOptions.user: Invalid value: "v": must be u`,
	},

	{
		name: "capabilities", policy: "{defaultAddCapabilities: [B, A], requiredDropCapabilities: [D], allowedCapabilities: [E]}",
		pod:  "{spec: {containers: [{name: c, securityContext: {capabilities: {add: [E], drop: [B]}}}]}}",
		made: "{spec: {containers: [{name: c, securityContext: {capabilities: {add: [A, E], drop: [B, D]}}}]}}",
	},
	{name: "capabilities in any order", policy: "{requiredDropCapabilities: [D]}", pod: "{spec: {containers: [{name: c, securityContext: {capabilities: {drop: [E, D]}}}]}}"},
	{name: "all capabilities", policy: "{allowedCapabilities: ['*']}", pod: "{spec: {containers: [{name: c, securityContext: {capabilities: {add: [E]}}}]}}"},
	{
		name: "capabilities, refused", policy: "{allowedCapabilities: [A]}", pod: "{spec: {containers: [{name: c, securityContext: {capabilities: {add: [A, B]}}}]}}",
		refused: at + `capabilities.add: Invalid value: "B": capability may not be added`,
	},

	{
		name: "read-only", policy: "readOnlyRootFilesystem: true", pod: "{}",
		made: "{spec: {containers: [{name: c, securityContext: {readOnlyRootFilesystem: true}}]}}",
	},
	{
		name: "read-only, refused", policy: "readOnlyRootFilesystem: true", pod: "{spec: {containers: [{name: c, securityContext: {readOnlyRootFilesystem: false}}]}}",
		refused: at + "readOnlyRootFilesystem: Invalid value: false: ReadOnlyRootFilesystem must be set to true",
	},
	{
		name: "escalation", policy: "allowPrivilegeEscalation: false", pod: "{}",
		made: "{spec: {containers: [{name: c, securityContext: {allowPrivilegeEscalation: false}}]}}",
	},
	{
		name: "escalation by default", policy: "defaultAllowPrivilegeEscalation: false", pod: "{spec: {initContainers: [{name: i, securityContext: {allowPrivilegeEscalation: true}}]}}",
		made: "{spec: {initContainers: [{name: i, securityContext: {allowPrivilegeEscalation: true}}], containers: [{name: c, securityContext: {allowPrivilegeEscalation: false}}]}}",
	},
	{
		name: "escalation, refused", policy: "allowPrivilegeEscalation: false", pod: "{spec: {containers: [{name: c, securityContext: {allowPrivilegeEscalation: true}}]}}",
		refused: at + "allowPrivilegeEscalation: Invalid value: true: Allowing privilege escalation for containers is not allowed",
	},
	{name: "proc", policy: "allowedProcMountTypes: [Unmasked, Default]", pod: "{spec: {initContainers: [{name: i}], containers: [{name: c, securityContext: {procMount: Unmasked}}]}}"},
	{
		name: "proc, refused", pod: "{spec: {containers: [{name: c, securityContext: {procMount: Unmasked}}]}}",
		refused: at + `procMount: Invalid value: "Unmasked": ProcMountType is not allowed`,
	},

	{name: "all volumes", policy: "volumes: ['*']", pod: "{spec: {volumes: [{name: a, cephfs: {}}, {name: b, image: {}}, {name: c, hostPath: {path: /etc}}]}}"},
	{name: "volumes", policy: "volumes: [cephFS, emptyDir]", pod: "{spec: {volumes: [{name: a, cephfs: {}}, {name: b, emptyDir: {}}]}}"},
	{
		name: "volumes, refused", policy: "volumes: [secret]", pod: "{spec: {volumes: [{name: a, hostPath: {path: /}}, {name: b, secret: {}}, {name: c, image: {}}, {name: d, projected: {sources: [{secret: {}}]}}]}}",
		refused: `spec.volumes[0]: Invalid value: "hostPath": hostPath volumes are not allowed to be used ` +
			`spec.volumes[2]: Invalid value: "image": image volumes are not allowed to be used ` +
			`spec.volumes[3]: Invalid value: "projected": projected volumes are not allowed to be used`,
	},
	{
		name: "token", policy: "volumes: [secret]",
		pod: "{spec: {volumes: [{name: a, projected: {sources: [{serviceAccountToken: {path: token}}, {configMap: {name: kube-root-ca.crt}}, {downwardAPI: {items: [{path: namespace, fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}]}}]}}]}}",
	},
	{
		name: "other tokens", policy: "volumes: [secret]",
		pod: "{spec: {volumes: [{name: a, projected: {sources: [{serviceAccountToken: {path: token, audience: b}}]}}, {name: b, projected: {sources: [{configMap: {name: other}}]}}, {name: c, projected: {sources: [{downwardAPI: {items: [{path: name}]}}]}}]}}",
		refused: `spec.volumes[0]: Invalid value: "projected": projected volumes are not allowed to be used ` +
			`spec.volumes[1]: Invalid value: "projected": projected volumes are not allowed to be used ` +
			`spec.volumes[2]: Invalid value: "projected": projected volumes are not allowed to be used`,
	},
	{
		name: "host paths", policy: "{volumes: ['*'], allowedHostPaths: [{pathPrefix: /var/, readOnly: true}, {pathPrefix: /var/log}]}",
		pod: "{spec: {volumes: [{name: a, hostPath: {path: /var}}, {name: b, hostPath: {path: /var/log/x}}], containers: [{name: c, volumeMounts: [{name: a, readOnly: true}, {name: b}]}]}}",
	},
	{
		name: "host paths, refused", policy: "{volumes: ['*'], allowedHostPaths: [{pathPrefix: /var, readOnly: true}]}",
		pod: "{spec: {volumes: [{name: a, hostPath: {path: /var}}, {name: b, hostPath: {path: /various}}], containers: [{name: c, volumeMounts: [{name: b}, {name: a}]}]}}",
		refused: `spec.containers[0].volumeMounts[1].readOnly: Invalid value: false: must be read-only ` +
			`spec.volumes[1].hostPath.pathPrefix: Invalid value: "/various": is not allowed to be used`,
	},
	{
		name: "drivers", policy: "{volumes: [csi, flexVolume], allowedCSIDrivers: [{name: a}], allowedFlexVolumes: [{driver: b}]}",
		pod: "{spec: {volumes: [{name: a, csi: {driver: a}}, {name: b, flexVolume: {driver: b}}]}}",
	},
	{
		name: "drivers, refused", policy: "{volumes: [csi, flexVolume], allowedCSIDrivers: [{name: a}], allowedFlexVolumes: [{driver: b}]}",
		pod: "{spec: {volumes: [{name: a, csi: {driver: b}}, {name: b, flexVolume: {driver: a}}]}}",
		refused: `spec.volumes[0].csi.driver: Invalid value: "b": Inline CSI driver is not allowed to be used ` +
			`spec.volumes[1].driver: Invalid value: "a": Flexvolume driver is not allowed to be used`,
	},

	{
		name: "sysctls", policy: "{allowedUnsafeSysctls: ['net.core.*', 'kernel.msgmax']}",
		pod: "{spec: {securityContext: {sysctls: [{name: kernel.shm_rmid_forced}, {name: net.core.somaxconn}, {name: kernel/msgmax}]}}}",
	},
	{
		name: "sysctls, refused", policy: "{forbiddenSysctls: ['kernel.shm*']}", pod: "{spec: {securityContext: {sysctls: [{name: kernel/shm_rmid_forced}, {name: kernel.msgmax}]}}}",
		refused: `pod.spec.securityContext.sysctls[0]: Forbidden: sysctl "kernel/shm_rmid_forced" is not allowed ` +
			`pod.spec.securityContext.sysctls[1]: Forbidden: unsafe sysctl "kernel.msgmax" is not allowed`,
	},

	{name: "runtime class", policy: "runtimeClass: {allowedRuntimeClassNames: [a, b], defaultRuntimeClassName: b}", pod: "{}", made: "{spec: {runtimeClassName: b}}"},
	{name: "any runtime class", policy: "runtimeClass: {allowedRuntimeClassNames: ['*']}", pod: "{spec: {runtimeClassName: c}}"},
	{name: "no runtime class", policy: "runtimeClass: {allowedRuntimeClassNames: []}", pod: "{}"},
	{
		name: "runtime class, refused", policy: "runtimeClass: {allowedRuntimeClassNames: [a]}", pod: "{spec: {runtimeClassName: c}}",
		refused: `spec.runtimeClassName: Invalid value: "c"`,
	},

	{
		name: "seccomp", annotations: seccomp("docker/default", "runtime/default"), pod: "{}",
		made: "{metadata: {annotations: {seccomp.security.alpha.kubernetes.io/pod: docker/default}}, spec: {securityContext: {seccompProfile: {type: RuntimeDefault}}}}",
	},
	{
		name: "seccomp by field", annotations: seccomp("", "localhost/a,unconfined"),
		pod:  "{spec: {securityContext: {seccompProfile: {type: Localhost, localhostProfile: a}}, containers: [{name: c, securityContext: {seccompProfile: {type: Unconfined}}}]}}",
		made: "{metadata: {annotations: {seccomp.security.alpha.kubernetes.io/pod: localhost/a}}, spec: {securityContext: {seccompProfile: {type: Localhost, localhostProfile: a}}, containers: [{name: c, securityContext: {seccompProfile: {type: Unconfined}}}]}}",
	},
	{
		name: "seccomp by annotation", annotations: seccomp("", "*"),
		pod:  "{metadata: {annotations: {container.seccomp.security.alpha.kubernetes.io/c: localhost/a}}}",
		made: "{metadata: {annotations: {container.seccomp.security.alpha.kubernetes.io/c: localhost/a}}, spec: {containers: [{name: c, securityContext: {seccompProfile: {type: Localhost, localhostProfile: a}}}]}}",
	},
	{
		name: "seccomp, refused", annotations: seccomp("", "runtime/default,localhost/a"), pod: "{spec: {securityContext: {seccompProfile: {type: Unconfined}}}}",
		refused: seccompKeys + "unconfined is not an allowed seccomp profile. Valid values are runtime/default,localhost/a " +
			seccompC + "unconfined is not an allowed seccomp profile. Valid values are runtime/default,localhost/a",
	},
	{
		name: "seccomp, demanded", annotations: seccomp("", "runtime/default"), pod: "{}",
		refused: seccompKeys + " is not an allowed seccomp profile. Valid values are runtime/default " +
			seccompC + " is not an allowed seccomp profile. Valid values are runtime/default",
	},
	{
		name: "no seccomp", pod: "{spec: {containers: [{name: c, securityContext: {seccompProfile: {type: RuntimeDefault}}}]}}",
		refused: seccompC + "seccomp may not be set",
	},

	{
		name: "AppArmor", annotations: appArmor("runtime/default", "runtime/default"), pod: "{}",
		made: "{metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/c: runtime/default}}, spec: {containers: [{name: c, securityContext: {appArmorProfile: {type: RuntimeDefault}}}]}}",
	},
	{
		name: "AppArmor by field", annotations: appArmor("runtime/default", "localhost/a,unconfined"),
		pod: "{spec: {securityContext: {appArmorProfile: {type: Unconfined}}, containers: [{name: c, securityContext: {appArmorProfile: {type: Localhost, localhostProfile: a}}}, {name: d}]}}",
	},
	{
		name: "AppArmor, refused", annotations: appArmor("", "runtime/default"),
		pod:     "{metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/c: unconfined}}}",
		refused: appArmorC + `unconfined is not an allowed profile. Allowed values: "runtime/default"`,
	},
	{name: "AppArmor, demanded", annotations: appArmor("", "runtime/default"), pod: "{}", refused: appArmorC + "AppArmor profile must be set"},
	{name: "any AppArmor", pod: "{spec: {securityContext: {appArmorProfile: {type: Unconfined}}}}"},
}
