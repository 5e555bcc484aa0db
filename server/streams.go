// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"net/http"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	genericapiserver "k8s.io/apiserver/pkg/server"
	proxymetrics "k8s.io/apiserver/pkg/util/proxy/metrics"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/registry/core"
)

// streams returns what the subresources of pods, nodes and services need that send
// requests on.
func (s *Server) streams(c CompletedOptions, config *genericapiserver.Config, client kubernetes.Interface) (*core.Streams, error) {
	proxymetrics.Register()
	kubelets, err := c.Kubelet.client(func() (*tls.Certificate, error) {
		if own := s.identity.kubelet.Load(); own != nil {
			return own, nil
		}
		return &tls.Certificate{}, nil // shows none
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, kubelets.Close)
	network := utilnet.SetTransportDefaults(&http.Transport{
		// The address of a pod is in no certificate that a server could know.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // see above
	})
	s.closers = append(s.closers, network.CloseIdleConnections)
	return &core.Streams{
		Kubelets: kubelets, Network: network, Authorizer: config.Authorization.Authorizer,
		MaxBytesPerSecond: c.Kubelet.MaxBytesPerSecond,
		EndpointSlices: func(ctx context.Context, namespace, service string) ([]*discoveryv1.EndpointSlice, error) {
			of := labels.Set{discoveryv1.LabelServiceName: service}.String()
			// Version 0 is what the watch cache has.
			list, err := client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: of, ResourceVersion: "0"})
			if err != nil {
				return nil, err
			}
			slices := make([]*discoveryv1.EndpointSlice, len(list.Items))
			for i := range list.Items {
				slices[i] = &list.Items[i]
			}
			return slices, nil
		},
	}, nil
}
