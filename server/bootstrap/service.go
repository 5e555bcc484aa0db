// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/stoa-project/stoa/apis/core"
)

const (
	// serviceName is the service in namespace default by which pods reach the server.
	serviceName = "kubernetes"
	servicePort = 443
)

// KubernetesService is the service of the server itself.
type KubernetesService struct {
	Scheme *runtime.Scheme
	// Store is that of services. It is used directly: the way through the server goes
	// by the namespace, which may not be there yet.
	Store interface {
		rest.Getter
		rest.Creater
	}
	// IP is its cluster IP, Port where the server listens, and NodePort, if it is not 0,
	// the port on nodes.
	IP             netip.Addr
	Port, NodePort int
}

// Ensure makes the service if it is not there.
func (s KubernetesService) Ensure(ctx context.Context) error {
	ctx = genericapirequest.WithRequestInfo(genericapirequest.WithNamespace(ctx, metav1.NamespaceDefault),
		&genericapirequest.RequestInfo{IsResourceRequest: true, Verb: "create", APIVersion: "v1", Namespace: metav1.NamespaceDefault, Resource: "services"})
	_, err := s.Store.Get(ctx, serviceName, &metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = s.Store.Create(ctx, s.object(), rest.ValidateAllObjectFunc, &metav1.CreateOptions{})
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make the service %s: %w", serviceName, err)
	}
	return nil
}

func (s KubernetesService) object() *core.Service {
	obj := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Name: serviceName, Namespace: metav1.NamespaceDefault,
			Labels: map[string]string{"provider": "kubernetes", "component": "apiserver"},
		},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, ClusterIP: s.IP.String(),
			IPFamilyPolicy: new(corev1.IPFamilyPolicySingleStack), SessionAffinity: corev1.ServiceAffinityNone,
			Ports: []corev1.ServicePort{{
				Name: "https", Protocol: corev1.ProtocolTCP, Port: servicePort, TargetPort: intstr.FromInt32(int32(s.Port)), NodePort: int32(s.NodePort),
			}},
		},
	}
	if s.NodePort > 0 {
		obj.Spec.Type = corev1.ServiceTypeNodePort
	}
	s.Scheme.Default(obj)
	return (*core.Service)(obj)
}
