// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package noderestriction_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/apis/authentication"
	"github.com/stoa-project/stoa/apis/certificates"
)

// token is a request for a token of account robot, bound to a pod.
func token(pod string, change func(*authenticationv1.TokenRequestSpec), audiences ...string) request {
	obj := &authentication.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod, UID: "web-uid"}, Audiences: audiences,
	}}
	if change != nil {
		change(&obj.Spec)
	}
	return request{operation: admission.Create, resource: "serviceaccounts", subresource: "token", namespace: "ns", name: "robot", obj: obj}
}

// TestTokens is about the pod that a token is bound to.
func TestTokens(t *testing.T) {
	t.Parallel()
	p := settings{objects: []runtime.Object{
		stored(withSource(corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{}})), stored(named("other"), onNode("n2")),
	}}.plugin(t)
	bound := func(change func(*authenticationv1.BoundObjectReference)) request {
		return token("web", func(s *authenticationv1.TokenRequestSpec) { change(s.BoundObjectRef) })
	}
	update := token("web", nil)
	update.operation = admission.Update
	account := token("web", nil)
	account.subresource = ""
	const forbidden = `serviceaccounts "robot" is forbidden: `
	check(t, p, []row{
		{"bound", token("web", nil), ""},
		{"an account", account, ""},
		{"an update", update, ""},
		{"not bound", token("web", func(s *authenticationv1.TokenRequestSpec) { s.BoundObjectRef = nil }), forbidden + "node requested token not bound to a pod"},
		{"bound to the node", bound(func(r *authenticationv1.BoundObjectReference) { r.Kind = "Node" }), forbidden + "node requested token not bound to a pod"},
		{"bound to nothing", bound(func(r *authenticationv1.BoundObjectReference) { r.Name = "" }), forbidden + "node requested token not bound to a pod"},
		{"no UID", bound(func(r *authenticationv1.BoundObjectReference) { r.UID = "" }), forbidden + "node requested token with a pod binding without a uid"},
		{
			"another UID", bound(func(r *authenticationv1.BoundObjectReference) { r.UID = "old" }),
			forbidden + "the UID in the bound object reference (old) does not match the UID in record. The object might have been deleted and then recreated",
		},
		{"a pod that is gone", token("gone", nil), `pods "gone" not found`},
		{
			"another's pod", token("other", func(s *authenticationv1.TokenRequestSpec) { s.BoundObjectRef.UID = "other-uid" }),
			forbidden + "node requested token bound to a pod scheduled on a different node",
		},
		{"another type", request{operation: admission.Create, resource: "serviceaccounts", subresource: "token", namespace: "ns", name: "robot", obj: pod()}, forbidden + "unexpected type *core.Pod"},
	})
}

// TestAudiences is about whom a token is for.
func TestAudiences(t *testing.T) {
	t.Parallel()
	driver := func(name, audience string) *storagev1.CSIDriver {
		return &storagev1.CSIDriver{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: storagev1.CSIDriverSpec{TokenRequests: []storagev1.TokenRequest{{Audience: audience}}}}
	}
	claim := func(name, volume string) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}, Spec: corev1.PersistentVolumeClaimSpec{VolumeName: volume}}
	}
	volume := func(name string, source corev1.PersistentVolumeSource) *corev1.PersistentVolume {
		return &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeSpec{PersistentVolumeSource: source}}
	}
	csi := func(name string) corev1.PersistentVolumeSource {
		return corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: name}}
	}
	cluster := []runtime.Object{
		driver("inline.example", "inline"), driver("claimed.example", "claimed"), driver("scratch.example", "scratch"),
		driver("ebs.csi.aws.com", "aws"), driver("disk.csi.azure.com", "azure-disk"), driver("file.csi.azure.com", "azure-file"), driver("cinder.csi.openstack.org", "cinder"),
		driver("pd.csi.storage.gke.io", "gce"), driver("pxd.portworx.com", "portworx"), driver("csi.vsphere.vmware.com", "vsphere"),
		claim("data", "claimed"), claim("web-v", "scratch"), claim("old", "old"), claim("plain", "plain"),
		volume("claimed", csi("claimed.example")), volume("scratch", csi("scratch.example")),
		volume("old", corev1.PersistentVolumeSource{GCEPersistentDisk: &corev1.GCEPersistentDiskVolumeSource{}}), volume("plain", corev1.PersistentVolumeSource{}),
	}
	claimed := func(name string) corev1.VolumeSource {
		return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}
	}
	projected := func(audience string) corev1.VolumeSource {
		return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: audience}}}}}
	}
	const forbidden = `serviceaccounts "robot" is forbidden: `
	refused := func(audience string) string {
		return forbidden + `audience "` + audience + `" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience`
	}
	for name, tc := range map[string]struct {
		volumes   []corev1.VolumeSource
		audiences []string
		settings  settings
		want      string
	}{
		"the server":            {volumes: []corev1.VolumeSource{projected("")}},
		"the server, not asked": {want: refused("")},
		"projected":             {volumes: []corev1.VolumeSource{{EmptyDir: &corev1.EmptyDirVolumeSource{}}, projected("vault")}, audiences: []string{"vault"}},
		"not projected":         {volumes: []corev1.VolumeSource{projected("vault")}, audiences: []string{"bank"}, want: refused("bank")},
		"two":                   {volumes: []corev1.VolumeSource{projected("vault")}, audiences: []string{"vault", "vault"}, want: forbidden + "node may only request 0 or 1 audiences"},
		"a driver":              {volumes: []corev1.VolumeSource{{CSI: &corev1.CSIVolumeSource{Driver: "inline.example"}}}, audiences: []string{"inline"}},
		"another driver":        {volumes: []corev1.VolumeSource{{CSI: &corev1.CSIVolumeSource{Driver: "inline.example"}}}, audiences: []string{"claimed"}, want: refused("claimed")},
		"an unknown driver": {
			volumes: []corev1.VolumeSource{{CSI: &corev1.CSIVolumeSource{Driver: "x"}}}, audiences: []string{"a"},
			want: forbidden + `error validating audience "a": csidrivers.storage.k8s.io "x" not found`,
		},
		"an unknown driver and a token": {volumes: []corev1.VolumeSource{{CSI: &corev1.CSIVolumeSource{Driver: "x"}}, projected("a")}, audiences: []string{"a"}},
		"a claim":                       {volumes: []corev1.VolumeSource{claimed("data")}, audiences: []string{"claimed"}},
		"a claim without a driver":      {volumes: []corev1.VolumeSource{claimed("plain")}, audiences: []string{"claimed"}, want: refused("claimed")},
		"an unknown claim":              {volumes: []corev1.VolumeSource{claimed("x")}, audiences: []string{"a"}, want: forbidden + `error validating audience "a": persistentvolumeclaims "x" not found`},
		"an ephemeral volume":           {volumes: []corev1.VolumeSource{{Ephemeral: &corev1.EphemeralVolumeSource{}}}, audiences: []string{"scratch"}},
		"a claim of old":                {volumes: []corev1.VolumeSource{claimed("old")}, audiences: []string{"gce"}},
		"AWS":                           {volumes: []corev1.VolumeSource{{AWSElasticBlockStore: &corev1.AWSElasticBlockStoreVolumeSource{}}}, audiences: []string{"aws"}},
		"disks of Azure":                {volumes: []corev1.VolumeSource{{AzureDisk: &corev1.AzureDiskVolumeSource{}}}, audiences: []string{"azure-disk"}},
		"files of Azure":                {volumes: []corev1.VolumeSource{{AzureFile: &corev1.AzureFileVolumeSource{}}}, audiences: []string{"azure-file"}},
		"Cinder":                        {volumes: []corev1.VolumeSource{{Cinder: &corev1.CinderVolumeSource{}}}, audiences: []string{"cinder"}},
		"GCE":                           {volumes: []corev1.VolumeSource{{GCEPersistentDisk: &corev1.GCEPersistentDiskVolumeSource{}}}, audiences: []string{"gce"}},
		"Portworx":                      {volumes: []corev1.VolumeSource{{PortworxVolume: &corev1.PortworxVolumeSource{}}}, audiences: []string{"portworx"}},
		"vSphere":                       {volumes: []corev1.VolumeSource{{VsphereVolume: &corev1.VsphereVirtualDiskVolumeSource{}}}, audiences: []string{"vsphere"}},
		"a right":                       {audiences: []string{"registry"}, settings: settings{rights: "request-serviceaccounts-token-audience /registry ns/robot"}},
		"a right for another account":   {audiences: []string{"registry"}, settings: settings{rights: "request-serviceaccounts-token-audience /registry ns/x"}, want: refused("registry")},
		"not restricted":                {audiences: []string{"a", "b"}, settings: settings{turned: []string{"ServiceAccountNodeAudienceRestriction"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := stored()
			for _, v := range tc.volumes {
				withVolume(v)(p)
			}
			tc.settings.objects = append([]runtime.Object{p}, cluster...)
			check(t, tc.settings.plugin(t), []row{{name, token("web", nil, tc.audiences...), tc.want}})
		})
	}
}

// TestPodCertificates is about the pod that a certificate is for, and who signs it.
func TestPodCertificates(t *testing.T) {
	t.Parallel()
	objects := []runtime.Object{
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "n1-uid"}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "robot", UID: "robot-uid"}},
	}
	add := func(change ...func(*corev1.Pod)) {
		running := func(p *corev1.Pod) { p.Spec.ServiceAccountName = "robot" }
		signed := withSource(corev1.VolumeProjection{PodCertificate: &corev1.PodCertificateProjection{SignerName: "example.com/tls"}})
		objects = append(objects, stored(append([]func(*corev1.Pod){running, signed}, change...)...))
	}
	add()
	add(named("elsewhere"), onNode("n2"))
	add(named("mirror"), mirror)
	add(named("fired"), func(p *corev1.Pod) { p.Spec.ServiceAccountName = "fired" })
	asking := func(change func(*certificatesv1.PodCertificateRequestSpec)) request {
		spec := certificatesv1.PodCertificateRequestSpec{
			SignerName: "example.com/tls", NodeName: "n1", NodeUID: "n1-uid", PodName: "web", PodUID: "web-uid", ServiceAccountName: "robot", ServiceAccountUID: "robot-uid",
		}
		if change != nil {
			change(&spec)
		}
		return request{
			operation: admission.Create, group: "certificates.k8s.io", resource: "podcertificaterequests", namespace: "ns", name: "r",
			obj: &certificates.PodCertificateRequest{Spec: spec},
		}
	}
	of := func(pod string) func(*certificatesv1.PodCertificateRequestSpec) {
		return func(s *certificatesv1.PodCertificateRequestSpec) { s.PodName, s.PodUID = pod, "" }
	}
	forPod := func(name string) request {
		return asking(func(s *certificatesv1.PodCertificateRequestSpec) {
			of(name)(s)
			s.PodUID = stored(named(name)).UID
		})
	}
	signer := asking(func(s *certificatesv1.PodCertificateRequestSpec) { s.SignerName = "example.com/other" })
	update, status := asking(nil), asking(nil)
	update.operation, status.subresource = admission.Update, "status"
	elsewhere := asking(nil)
	elsewhere.who = kubelet("n2")
	const forbidden = `podcertificaterequests.certificates.k8s.io "r" is forbidden: `
	check(t, settings{objects: objects}.plugin(t), []row{
		{"fine", asking(nil), ""},
		{"update", update, forbidden + "unexpected operation UPDATE"},
		{"status", status, forbidden + "unexpected subresource status"},
		{"another node", elsewhere, forbidden + `PodCertificateRequest.Spec.NodeName="n1", which is not the requesting node "n2"`},
		{
			"a node that was", asking(func(s *certificatesv1.PodCertificateRequestSpec) { s.NodeUID = "old" }),
			`PodCertificateRequest for pod "ns/web" names node UID "old", inconsistent with the running node ("n1-uid")`,
		},
		{"no pod", forPod("gone"), `while retrieving pod "ns/gone" named in the PodCertificateRequest: pods "gone" not found`},
		{"a pod that was", asking(of("web")), `PodCertificateRequest for pod "ns/web" contains pod UID ("") which differs from running pod "web-uid"`},
		{"another's pod", forPod("elsewhere"), forbidden + `pod "ns/elsewhere" is not running on node "n1" named in the PodCertificateRequest`},
		{"a mirror pod", forPod("mirror"), forbidden + `pod "ns/mirror" is a mirror pod`},
		{
			"another account", forPod("fired"),
			forbidden + `PodCertificateRequest for pod "ns/fired" contains serviceAccountName ("robot") that differs from running pod ("fired")`,
		},
		{
			"an account that was", asking(func(s *certificatesv1.PodCertificateRequestSpec) { s.ServiceAccountUID = "old" }),
			`PodCertificateRequest for pod "ns/web" names service account UID "old", which differs from the running service account ("robot-uid")`,
		},
		{
			"another signer", signer,
			forbidden + `signer "example.com/other" not found in pod spec volume, system:node:n1 is not authorized to request pod certificates from this signer`,
		},
	})
	check(t, settings{objects: objects, rights: "request-serviceaccounts-podcertificate-signer certificates.k8s.io/example.com:other ns/robot"}.plugin(t), []row{
		{"a right", signer, ""},
	})
	check(t, settings{objects: objects, turned: []string{"PodCertificateRequest"}}.plugin(t), []row{
		{"switched off", asking(nil), forbidden + "PodCertificateRequest feature gate is disabled"},
	})
	check(t, settings{objects: objects[:1]}.plugin(t), []row{
		{"nothing there", asking(nil), `while retrieving pod "ns/web" named in the PodCertificateRequest: pods "web" not found`},
	})
	check(t, settings{}.plugin(t), []row{
		{"no node", asking(nil), `while retrieving node "n1" named in the PodCertificateRequest: nodes "n1" not found`},
	})
}

// TestSigningRequests is about certificates of kubelets.
func TestSigningRequests(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr := func(signer, name string) request {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
		if err != nil {
			t.Fatal(err)
		}
		return request{
			operation: admission.Create, group: "certificates.k8s.io", resource: "certificatesigningrequests", name: "c",
			obj: &certificates.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{
				SignerName: signer, Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			}},
		}
	}
	const (
		serving   = "kubernetes.io/kubelet-serving"
		client    = "kubernetes.io/kube-apiserver-client-kubelet"
		forbidden = `certificatesigningrequests.certificates.k8s.io "c" is forbidden: `
		own       = forbidden + "can only create a node CSR with CN=system:node:n1"
	)
	garbage := csr(serving, "")
	garbage.obj.(*certificates.CertificateSigningRequest).Spec.Request = []byte("x")
	update := csr(serving, "system:node:n2")
	update.operation = admission.Update
	check(t, settings{}.plugin(t), []row{
		{"serving", csr(serving, "system:node:n1"), ""},
		{"client", csr(client, "system:node:n1"), ""},
		{"another's serving", csr(serving, "system:node:n2"), own},
		{"another's client", csr(client, "system:masters"), own},
		{"another signer", csr("example.com/tls", "system:node:n2"), ""},
		{"update", update, ""},
		{"garbage", garbage, forbidden + "unable to parse csr: PEM block type must be CERTIFICATE REQUEST"},
	})
	check(t, settings{turned: []string{"AllowInsecureKubeletCertificateSigningRequests"}}.plugin(t), []row{
		{"not restricted", csr(serving, "system:node:n2"), ""},
	})
}
