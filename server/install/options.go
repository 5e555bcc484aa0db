// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/stoa-project/stoa/server/host"
)

const (
	// Name is that of nearly all objects, and of the service.
	Name = "stoa"
	// SecretName is the secret with the authority of the serving certificate.
	SecretName = "stoa-ca"
	// DefaultNamespace is where they are.
	DefaultNamespace = "stoa-system"
	// DefaultImage is what the pods run.
	DefaultImage = "ghcr.io/stoa-project/stoa:latest"

	defaultPort = 6443
	// dataDir is below the root of the volume, which the cluster lets the group write to:
	// the server keeps its keys where nobody else writes.
	dataDir     = "/data/stoa"
	defaultSize = "2Gi"
)

// Options say what is installed.
type Options struct {
	// Namespace is where the objects are that are in one.
	Namespace string
	// Image and Replicas are those of the pods. More than one replica need EtcdServers.
	Image    string
	Replicas int32
	// EtcdServers are where the pods store. Empty: in a volume of StorageSize.
	EtcdServers []string
	StorageSize string
	// ExternalName and Endpoint are where a server is that runs outside the cluster: a
	// name, or an IP address with a port. There are then no pods.
	ExternalName, Endpoint string
	// Port is that of the server.
	Port int32
	// User is who the server is. Empty: the service account stoa.
	User string
	// APIServices have the groups and versions of the server, with their priorities.
	APIServices []*apiregistration.APIService
}

// NewOptions returns the options of one pod.
func NewOptions() Options {
	return Options{Namespace: DefaultNamespace, Image: DefaultImage, Replicas: 1, StorageSize: defaultSize, Port: defaultPort}
}

// Validate reports everything that is wrong with the options. Errors name flags of stoa install.
func (o Options) Validate() error {
	var errs []error
	for _, problem := range validation.IsDNS1123Label(o.Namespace) {
		errs = append(errs, fmt.Errorf("--namespace %q: %s", o.Namespace, problem))
	}
	for _, problem := range validation.IsValidPortNum(int(o.Port)) {
		errs = append(errs, fmt.Errorf("--port: %s", problem))
	}
	switch {
	case o.ExternalName != "" && o.Endpoint != "":
		errs = append(errs, errors.New("--external-name and --endpoint: only one may be set"))
	case o.ExternalName != "":
		for _, problem := range validation.IsDNS1123Subdomain(o.ExternalName) {
			errs = append(errs, fmt.Errorf("--external-name %q: %s", o.ExternalName, problem))
		}
	case o.Endpoint != "":
		if address, err := netip.ParseAddrPort(o.Endpoint); err != nil {
			errs = append(errs, fmt.Errorf("--endpoint %q must be an IP address and a port, such as 10.0.0.5:6443", o.Endpoint))
		} else if address.Addr().IsLoopback() || address.Addr().IsLinkLocalUnicast() {
			errs = append(errs, fmt.Errorf("--endpoint %q must not be a loopback or link-local address, which endpoints may not have: use --external-name localhost", o.Endpoint))
		}
	default:
		errs = append(errs, o.validatePods()...)
	}
	return errors.Join(errs...)
}

func (o Options) validatePods() []error {
	var errs []error
	if o.User != "" {
		errs = append(errs, errors.New("--user: pods are the service account, it is for --external-name and --endpoint"))
	}
	if o.Image == "" {
		errs = append(errs, errors.New("--image must be set"))
	}
	if o.Replicas < 1 {
		errs = append(errs, errors.New("--replicas must be at least 1"))
	}
	if o.Replicas > 1 && len(o.EtcdServers) == 0 {
		errs = append(errs, errors.New("--replicas: more than one need --etcd-servers, which they share"))
	}
	if _, err := resource.ParseQuantity(o.StorageSize); err != nil {
		errs = append(errs, fmt.Errorf("--storage-size %q: %w", o.StorageSize, err))
	}
	return errs
}

// external says whether the server runs outside the cluster.
func (o Options) external() bool { return o.ExternalName != "" || o.Endpoint != "" }

// Subject is who the server is in the cluster.
func (o Options) Subject() rbacv1.Subject {
	if o.User != "" {
		return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: o.User}
	}
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: o.Namespace, Name: Name}
}

// Rights are those that the server has.
func (o Options) Rights() []host.Right {
	var names []string
	for _, service := range o.APIServices {
		names = append(names, service.Name)
	}
	place := host.Place{Namespace: o.Namespace, APIServices: names}
	if !o.external() {
		place.Secret = host.ObjectName{Namespace: o.Namespace, Name: SecretName}
	}
	return place.Rights()
}

// args are those of the container.
func (o Options) args() []string {
	args := []string{
		"start", "--aggregated", "--data-dir=" + dataDir, fmt.Sprintf("--secure-port=%d", o.Port),
		"--aggregated-service=" + o.Namespace + "/" + Name, "--aggregated-ca-secret=" + o.Namespace + "/" + SecretName,
	}
	if len(o.EtcdServers) > 0 {
		args = append(args, "--etcd-servers="+strings.Join(o.EtcdServers, ","))
	}
	return args
}
