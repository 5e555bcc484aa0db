// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/cert"
)

// trustName is the ConfigMap in kube-system in which the cluster says whom to believe.
const trustName = "extension-apiserver-authentication"

// trust is whom the cluster has the server believe: those who sign clients, and the
// cluster itself, which tells in headers who a user is. Upstream's options for that do
// not start without the cluster.
type trust struct {
	clients *dynamiccertificates.ConfigMapCAController
	front   *genericoptions.DynamicRequestHeaderController
	// atEnd calls a function when the server is to end.
	atEnd func(func()) (forget func() bool)
}

// followed is what the cluster says, which is followed. A server that starts asks once
// before it serves, and not for long: a cluster that is silent must not keep it from
// living, or from ending.
type followed struct {
	content
	atEnd func(func()) (forget func() bool)
}

// askOnce is how long a server that starts waits for each thing that the cluster says.
const askOnce = time.Second

type content interface {
	dynamiccertificates.CAContentProvider
	dynamiccertificates.ControllerRunner
}

// RunOnce implements dynamiccertificates.ControllerRunner.
func (f followed) RunOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askOnce)
	defer cancel()
	defer f.atEnd(cancel)()
	return f.content.RunOnce(ctx)
}

func newTrust(ctx context.Context, client kubernetes.Interface) (trust, error) {
	clients, err := dynamiccertificates.NewDynamicCAFromConfigMapController("client-ca", metav1.NamespaceSystem, trustName, "client-ca-file", client)
	if err != nil {
		return trust{}, err
	}
	front, err := dynamiccertificates.NewDynamicCAFromConfigMapController("front-proxy-ca", metav1.NamespaceSystem, trustName, "requestheader-client-ca-file", client)
	if err != nil {
		return trust{}, err
	}
	atEnd := func(do func()) func() bool { return context.AfterFunc(ctx, do) }
	return trust{clients: clients, atEnd: atEnd, front: &genericoptions.DynamicRequestHeaderController{
		ConfigMapCAController: front,
		RequestHeaderAuthRequestController: headerrequest.NewRequestHeaderAuthRequestController(trustName, metav1.NamespaceSystem, client,
			"requestheader-username-headers", "requestheader-uid-headers", "requestheader-group-headers", "requestheader-extra-headers-prefix", "requestheader-allowed-names"),
	}}, nil
}

// ClientCA signs the users of the cluster that have certificates. Who serves with it
// has it follow the ConfigMap.
func (h *Host) ClientCA() dynamiccertificates.CAContentProvider {
	return followed{h.trust.clients, h.trust.atEnd}
}

// FrontProxy says how the cluster tells who a user is. Who serves with its CA has it
// follow the ConfigMap.
func (h *Host) FrontProxy() *authenticatorfactory.RequestHeaderConfig {
	front := h.trust.front
	return &authenticatorfactory.RequestHeaderConfig{
		CAContentProvider:   followed{front, h.trust.atEnd},
		UsernameHeaders:     headerrequest.StringSliceProviderFunc(front.UsernameHeaders),
		UIDHeaders:          headerrequest.StringSliceProviderFunc(front.UIDHeaders),
		GroupHeaders:        headerrequest.StringSliceProviderFunc(front.GroupHeaders),
		ExtraHeaderPrefixes: headerrequest.StringSliceProviderFunc(front.ExtraHeaderPrefixes),
		AllowedClientNames:  headerrequest.StringSliceProviderFunc(front.AllowedClientNames),
	}
}

// check says what is wrong with what the server knows of the cluster's proxy.
func (t trust) check() error {
	return CheckFrontProxyCA(t.front.CurrentCABundleContent(), time.Now())
}

// CheckFrontProxyCA says what is wrong with the requestheader-client-ca-file of a cluster.
func CheckFrontProxyCA(bundle []byte, now time.Time) error {
	if len(bundle) == 0 {
		return errors.New("ConfigMap kube-system/" + trustName + " has no requestheader-client-ca-file, or cannot be read")
	}
	certs, err := cert.ParseCertsPEM(bundle)
	if err != nil {
		return fmt.Errorf("requestheader-client-ca-file in ConfigMap kube-system/%s: %w", trustName, err)
	}
	for _, c := range certs {
		if now.Before(c.NotAfter) {
			return nil
		}
	}
	return fmt.Errorf("requestheader-client-ca-file in ConfigMap kube-system/%s expired at %s", trustName, certs[0].NotAfter.Format(time.RFC3339))
}
