// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/stoatest"
)

// admissionCase shows what a plugin does.
type admissionCase struct {
	plugin string
	// do says what came of a request; user is a client of one who may do most things.
	do      func(t *testing.T, admin, user kubernetes.Interface) string
	on, off string
}

func requestFor(t *testing.T, signer string, groups ...string) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x", Organization: groups}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: strings.ToLower(unique(t))}, Spec: certificatesv1.CertificateSigningRequestSpec{
		SignerName: signer, Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), Usages: []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
	}}
}

// refusal is how an error begins, for what it is about.
func refusal(err error) string {
	if err == nil {
		return "done"
	}
	_, why, _ := strings.Cut(err.Error(), " is forbidden: ")
	return why
}

func admissionCases() []admissionCase {
	create, dry := metav1.CreateOptions{}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	podWith := func(change func(*corev1.PodSpec)) *corev1.Pod {
		out := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i:1"}}}}
		change(&out.Spec)
		return out
	}
	return []admissionCase{
		{"LimitRanger", func(t *testing.T, admin, _ kubernetes.Interface) string {
			got, err := admin.CoreV1().Pods("default").Create(t.Context(), podWith(func(*corev1.PodSpec) {}), dry)
			if err != nil {
				return err.Error()
			}
			return got.Annotations["kubernetes.io/limit-ranger"]
		}, "LimitRanger plugin set: cpu request for container c; cpu limit for container c", ""},
		{"ResourceQuota", func(t *testing.T, admin, _ kubernetes.Interface) string {
			_, err := admin.CoreV1().ReplicationControllers("default").Create(t.Context(), &corev1.ReplicationController{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: corev1.ReplicationControllerSpec{
				Selector: map[string]string{"a": "b"}, Template: &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}}, Spec: podWith(func(*corev1.PodSpec) {}).Spec},
			}}, dry)
			return refusal(err)
		}, "exceeded quota: none, requested: replicationcontrollers=1, used: replicationcontrollers=0, limited: replicationcontrollers=0", "done"},
		{"DefaultStorageClass", func(t *testing.T, admin, _ kubernetes.Interface) string {
			got, err := admin.CoreV1().PersistentVolumeClaims("default").Create(t.Context(), &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, Resources: corev1.VolumeResourceRequirements{Requests: hard("storage", "1Gi")},
			}}, dry)
			if err != nil || got.Spec.StorageClassName == nil {
				return text(err)
			}
			return *got.Spec.StorageClassName
		}, "usual", ""},
		{"PersistentVolumeClaimResize", func(t *testing.T, admin, _ kubernetes.Interface) string {
			claims := admin.CoreV1().PersistentVolumeClaims("default")
			claim, err := claims.Get(t.Context(), "bound", metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			claim.Spec.Resources.Requests = hard("storage", "2Gi")
			_, err = claims.Update(t.Context(), claim, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
			return refusal(err)
		}, "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize", "done"},
		{"RuntimeClass", func(t *testing.T, admin, _ kubernetes.Interface) string {
			got, err := admin.CoreV1().Pods("default").Create(t.Context(), podWith(func(s *corev1.PodSpec) { s.RuntimeClassName = new("heavy") }), dry)
			if err != nil {
				return err.Error()
			}
			return got.Spec.Overhead.Cpu().String()
		}, "250m", "0"},
		{"DefaultIngressClass", func(t *testing.T, admin, _ kubernetes.Interface) string {
			got, err := admin.NetworkingV1().Ingresses("default").Create(t.Context(), &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: networkingv1.IngressSpec{
				DefaultBackend: &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "s", Port: networkingv1.ServiceBackendPort{Number: 80}}},
			}}, dry)
			if err != nil || got.Spec.IngressClassName == nil {
				return text(err)
			}
			return *got.Spec.IngressClassName
		}, "usual", ""},
		{"CertificateApproval", func(t *testing.T, admin, user kubernetes.Interface) string {
			made, err := admin.CertificatesV1().CertificateSigningRequests().Create(t.Context(), requestFor(t, "example.com/s"), create)
			if err != nil {
				return err.Error()
			}
			made.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "r"}}
			_, err = user.CertificatesV1().CertificateSigningRequests().UpdateApproval(t.Context(), made.Name, made, metav1.UpdateOptions{})
			return refusal(err)
		}, `user not permitted to approve requests with signerName "example.com/s"`, "done"},
		{"CertificateSigning", func(t *testing.T, admin, user kubernetes.Interface) string {
			made, err := admin.CertificatesV1().CertificateSigningRequests().Create(t.Context(), requestFor(t, "example.com/s"), create)
			if err != nil {
				return err.Error()
			}
			made.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateFailed, Status: corev1.ConditionTrue, Reason: "r"}}
			_, err = user.CertificatesV1().CertificateSigningRequests().UpdateStatus(t.Context(), made, metav1.UpdateOptions{})
			return refusal(err)
		}, `user not permitted to sign requests with signerName "example.com/s"`, "done"},
		{"CertificateSubjectRestriction", func(t *testing.T, admin, _ kubernetes.Interface) string {
			_, err := admin.CertificatesV1().CertificateSigningRequests().Create(t.Context(), requestFor(t, "kubernetes.io/kube-apiserver-client", "system:masters"), create)
			return refusal(err)
		}, "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed", "done"},
		{"ClusterTrustBundleAttest", func(t *testing.T, _, user kubernetes.Interface) string {
			_, err := user.CertificatesV1().ClusterTrustBundles().Create(t.Context(), &certificatesv1.ClusterTrustBundle{
				ObjectMeta: metav1.ObjectMeta{Name: "example.com:s:x"}, Spec: certificatesv1.ClusterTrustBundleSpec{SignerName: "example.com/s", TrustBundle: string(api.Config().CAData)},
			}, dry)
			return refusal(err)
		}, `user not permitted to attest for signerName "example.com/s"`, "done"},
		{"AlwaysPullImages", func(t *testing.T, admin, _ kubernetes.Interface) string {
			got, err := admin.CoreV1().Pods("default").Create(t.Context(), podWith(func(*corev1.PodSpec) {}), dry)
			if err != nil {
				return err.Error()
			}
			return string(got.Spec.Containers[0].ImagePullPolicy)
		}, "Always", "IfNotPresent"},
		{"LimitPodHardAntiAffinityTopology", func(t *testing.T, admin, _ kubernetes.Interface) string {
			_, err := admin.CoreV1().Pods("default").Create(t.Context(), podWith(func(s *corev1.PodSpec) {
				s.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
					{TopologyKey: "zone", LabelSelector: &metav1.LabelSelector{}},
				}}}
			}), dry)
			return refusal(err)
		}, "affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey zone but only key kubernetes.io/hostname is allowed", "done"},
		{"ExtendedResourceToleration", func(t *testing.T, admin, _ kubernetes.Interface) string {
			got, err := admin.CoreV1().Pods("default").Create(t.Context(), podWith(func(s *corev1.PodSpec) {
				s.Containers[0].Resources = corev1.ResourceRequirements{Requests: hard("example.com/gpu", "1"), Limits: hard("example.com/gpu", "1")}
			}), dry)
			if err != nil {
				return err.Error()
			}
			for _, toleration := range got.Spec.Tolerations {
				if toleration.Key == "example.com/gpu" {
					return string(toleration.Operator)
				}
			}
			return ""
		}, "Exists", ""},
		{"OwnerReferencesPermissionEnforcement", func(t *testing.T, _, user kubernetes.Interface) string {
			_, err := user.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x", OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "v1", Kind: "Secret", Name: "o", UID: "1", BlockOwnerDeletion: new(true)},
			}}}, dry)
			return refusal(err)
		}, "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>", "done"},
		{"DenyServiceExternalIPs", func(t *testing.T, admin, _ kubernetes.Interface) string {
			_, err := admin.CoreV1().Services("default").Create(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: corev1.ServiceSpec{
				ExternalIPs: []string{"192.0.2.1"}, Ports: []corev1.ServicePort{{Port: 80}},
			}}, dry)
			return refusal(err)
		}, "Use of external IPs is denied by admission control", "done"},
		{"PodResizeValidator", func(t *testing.T, admin, _ kubernetes.Interface) string {
			pods := admin.CoreV1().Pods("default")
			pod, err := pods.Get(t.Context(), "placed", metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			pod.Spec.Containers[0].Resources.Requests = hard("cpu", "3", "memory", "1Gi")
			_, err = pods.UpdateResize(t.Context(), pod.Name, pod, metav1.UpdateOptions{DryRun: dry.DryRun})
			return refusal(err)
		}, "Node didn't have enough allocatable resources: cpu, requested: 3000, allocatable: 2000", "done"},
		{"NodeDeclaredFeatureValidator", func(t *testing.T, admin, _ kubernetes.Interface) string {
			pods := admin.CoreV1().Pods("default")
			pod, err := pods.Get(t.Context(), "whole", metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			pod.Spec.Resources.Requests = hard("cpu", "2")
			_, err = pods.UpdateResize(t.Context(), pod.Name, pod, metav1.UpdateOptions{DryRun: dry.DryRun})
			return refusal(err)
		}, `pod update requires features InPlacePodLevelResourcesVerticalScaling which are not available on node "small"`, "done"},
		{"NamespaceExists", func(t *testing.T, admin, _ kubernetes.Interface) string {
			_, err := admin.AuthorizationV1().LocalSubjectAccessReviews("nowhere").Create(t.Context(), &authorizationv1.LocalSubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "jane", ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: "nowhere", Verb: "get", Resource: "pods"},
			}}, dry)
			return text(err)
		}, `namespaces "nowhere" not found`, ""},
		{"NamespaceAutoProvision", func(t *testing.T, admin, _ kubernetes.Interface) string {
			_, err := admin.CoreV1().Secrets("sudden").Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{GenerateName: "x"}}, create)
			return text(err)
		}, "", `namespaces "sudden" not found`},
		{"AlwaysDeny", func(t *testing.T, _, user kubernetes.Interface) string {
			_, err := user.CoreV1().Secrets("default").Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, dry)
			return refusal(err)
		}, "admission control is denying all modifications", "done"},
	}
}

// prepareAdmission makes what the cases are about.
func prepareAdmission(t *testing.T, server *stoatest.Server) (admin, user kubernetes.Interface) {
	t.Helper()
	admin = clientFor(t, server.Config())
	config := rest.CopyConfig(server.Config())
	config.Impersonate.UserName = "jane"
	create, marked := metav1.CreateOptions{}, map[string]string{"storageclass.kubernetes.io/is-default-class": "true", "ingressclass.kubernetes.io/is-default-class": "true"}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "bound"}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, Resources: corev1.VolumeResourceRequirements{Requests: hard("storage", "1Gi")},
		StorageClassName: new("fixed"), VolumeName: "v",
	}}
	for what, do := range map[string]func() error{
		"limit range": func() error {
			_, err := admin.CoreV1().LimitRanges("default").Create(t.Context(), &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "l"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
				{Type: corev1.LimitTypeContainer, Default: hard("cpu", "1"), DefaultRequest: hard()},
			}}}, create)
			return err
		},
		"storage class": func() error {
			_, err := admin.StorageV1().StorageClasses().Create(t.Context(), &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "usual", Annotations: marked}, Provisioner: "p"}, create)
			return err
		},
		"ingress class": func() error {
			_, err := admin.NetworkingV1().IngressClasses().Create(t.Context(), &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "usual", Annotations: marked}, Spec: networkingv1.IngressClassSpec{Controller: "example.com/c"}}, create)
			return err
		},
		"runtime class": func() error {
			_, err := admin.NodeV1().RuntimeClasses().Create(t.Context(), &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "heavy"}, Handler: "h", Overhead: &nodev1.Overhead{PodFixed: hard("cpu", "250m")}}, create)
			return err
		},
		"pods on a node": func() error {
			node, err := admin.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "small", Labels: map[string]string{"kubernetes.io/os": "linux"}}}, create)
			if err != nil {
				return err
			}
			node.Status.Allocatable = hard("cpu", "2", "memory", "1Gi")
			if _, err := admin.CoreV1().Nodes().UpdateStatus(t.Context(), node, metav1.UpdateOptions{}); err != nil {
				return err
			}
			placed := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "placed"}, Spec: corev1.PodSpec{NodeName: "small", Containers: []corev1.Container{
				{Name: "c", Image: "i", Resources: corev1.ResourceRequirements{Requests: hard("cpu", "1", "memory", "1Gi"), Limits: hard("cpu", "4", "memory", "2Gi")}},
			}}}
			whole := placed.DeepCopy()
			whole.Name, whole.Spec.Containers[0].Resources, whole.Spec.Resources = "whole", corev1.ResourceRequirements{}, &corev1.ResourceRequirements{Requests: hard("cpu", "1")}
			for _, pod := range []*corev1.Pod{placed, whole} {
				if _, err := admin.CoreV1().Pods("default").Create(t.Context(), pod, create); err != nil {
					return err
				}
			}
			return nil
		},
		"claim": func() error {
			made, err := admin.CoreV1().PersistentVolumeClaims("default").Create(t.Context(), claim, create)
			if err != nil {
				return err
			}
			made.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, Capacity: hard("storage", "1Gi")}
			_, err = admin.CoreV1().PersistentVolumeClaims("default").UpdateStatus(t.Context(), made, metav1.UpdateOptions{})
			return err
		},
		"role": func() error {
			all := metav1.ObjectMeta{Name: "most"}
			if _, err := admin.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: all, Rules: []rbacv1.PolicyRule{
				{Verbs: []string{"create", "update"}, APIGroups: []string{"", "certificates.k8s.io"}, Resources: []string{
					"configmaps", "secrets", "clustertrustbundles", "certificatesigningrequests/approval", "certificatesigningrequests/status",
				}},
			}}, create); err != nil {
				return err
			}
			_, err := admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
				ObjectMeta: all, RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "most"},
				Subjects: []rbacv1.Subject{{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: "jane"}},
			}, create)
			return err
		},
	} {
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	counted(t, admin, "default", "none", corev1.ResourceQuotaSpec{Hard: hard("replicationcontrollers", "0")})
	return admin, clientFor(t, config)
}

// TestAdmissionPlugins sees each plugin do what it does, where it is on, and not do it,
// where it is off.
func TestAdmissionPlugins(t *testing.T) {
	t.Parallel()
	cases := admissionCases()
	var names, some []string
	for _, tc := range cases {
		names = append(names, tc.plugin)
		if tc.plugin != "AlwaysDeny" { // it would leave nothing to the others
			some = append(some, tc.plugin)
		}
	}
	for name, set := range map[string]struct {
		flag string
		on   func(plugin string) bool
	}{
		"default": {"--profiling=true", func(plugin string) bool {
			switch plugin {
			case "AlwaysPullImages", "LimitPodHardAntiAffinityTopology", "ExtendedResourceToleration", "OwnerReferencesPermissionEnforcement", "DenyServiceExternalIPs",
				"NamespaceExists", "NamespaceAutoProvision", "AlwaysDeny":
				return false
			}
			return true
		}},
		"enabled":  {"--enable-admission-plugins=AlwaysAdmit," + strings.Join(some, ","), func(plugin string) bool { return plugin != "AlwaysDeny" }},
		"disabled": {"--disable-admission-plugins=" + strings.Join(names, ","), func(string) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin, user := prepareAdmission(t, stoatest.Start(t, stoatest.WithFlags(set.flag)))
			for _, tc := range cases {
				want := tc.off
				if set.on(tc.plugin) {
					want = tc.on
				}
				eventually(t, func() string { // rights and classes are known a moment later
					if got := tc.do(t, admin, user); got != want {
						return tc.plugin + ": got " + got + ", want " + want
					}
					return ""
				})
			}
		})
	}
	t.Run("all denied", func(t *testing.T) {
		t.Parallel()
		client := clientFor(t, stoatest.Start(t, stoatest.WithFlags("--enable-admission-plugins=AlwaysDeny")).Config())
		_, err := client.CoreV1().Secrets("default").Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
		if want := `secrets "x" is forbidden: admission control is denying all modifications`; text(err) != want {
			t.Errorf("got %q, want %q", text(err), want)
		}
	})
}
